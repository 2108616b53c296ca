from __future__ import annotations

from typing import Any

import pytest

from tests.schema.conftest import Api


@pytest.fixture
async def sweep(api: Api) -> str:
    """A sweep whose three children have ended."""
    parent = await api.create("sweep", kind="sweep", primaryMetric="loss", primaryMetricGoal="MINIMIZE")
    for number, values in enumerate(([3.0], ["NaN"], [2.0, 4.0])):
        created = f"2026-01-01T00:0{number}:00Z"
        child = await api.create(f"child{number}", parent=parent, cluster="gpu", createdAt=created)
        await api.record(child, points=[{"metric": "loss", "values": values}])
        for status, second in (("QUEUED", 0), ("RUNNING", 10 * (number + 1)), ("COMPLETED", 50)):
            await api.record(child, status={"status": status, "at": f"2026-01-01T00:0{number}:{second:02}Z"})
    return parent


async def test_the_best_child_and_how_it_came_about(api: Api, sweep: str) -> None:
    query = """query ($id: ID!) { run(id: $id) { bestChild { name }
      runningBest { metric goal ids names at values best } } }"""
    found = (await api.ask(query, id=sweep))["run"]
    assert found["bestChild"] == {"name": "child2"}
    best = found["runningBest"]
    assert len(best.pop("ids")) == 3
    assert best == {
        "metric": "loss",
        "goal": "MINIMIZE",
        "names": ["child0", "child1", "child2"],
        "at": [1767225650.0, 1767225710.0, 1767225770.0],
        "values": [3.0, None, 2.0],
        "best": [3.0, 3.0, 2.0],
    }


async def test_a_run_without_a_goal_has_no_best_child(api: Api, sweep: str) -> None:
    query = '{ run(id: "child0") { bestChild { name } runningBest { best } } }'
    assert (await api.ask(query))["run"] == {"bestChild": None, "runningBest": None}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ('metric: "loss"', "child2"),
        ('metric: "loss", goal: MAXIMIZE', "child2"),
        ('metric: "loss", goal: MAXIMIZE, stat: MIN', "child0"),
        ('metric: "loss", stat: LAST', "child0"),
        ('metric: "loss", filter: {name: {ne: "child2"}}', "child0"),
        ('metric: "loss", where: "name != \'child2\'"', "child0"),
    ],
)
async def test_the_best_run_of_an_experiment(api: Api, sweep: str, arguments: str, name: str) -> None:
    query = f'{{ workspace(name: "default") {{ experiment(name: "digits") {{ bestRun({arguments}) {{ name }} }} }} }}'
    assert (await api.ask(query))["workspace"]["experiment"]["bestRun"] == {"name": name}


async def test_how_long_runs_waited_for_a_cluster(api: Api, sweep: str) -> None:
    query = """query ($since: DateTime) { workspace(name: "default") { cluster(name: "gpu") {
      queueWait(since: $since) all: queueWait(quantiles: [0, 1], since: $since)
      statusTimes(since: $since) { status runs seconds } } } }"""
    found: Any = (await api.ask(query, since="2026-01-01T00:00:00Z"))["workspace"]["cluster"]
    assert found == {
        "queueWait": [20.0, pytest.approx(28.0)],
        "all": [10.0, 30.0],
        "statusTimes": [
            {"status": "QUEUED", "runs": 3, "seconds": 60.0},
            {"status": "RUNNING", "runs": 3, "seconds": 90.0},
        ],
    }
    later = (await api.ask(query, since="2026-02-01T00:00:00Z"))["workspace"]["cluster"]
    assert later == {"queueWait": None, "all": None, "statusTimes": []}
