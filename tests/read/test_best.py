from __future__ import annotations

import math

import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import LimitExceeded
from graphql_runs.model.filter import And, RunFilter, Stat
from graphql_runs.model.operation import DeclareRun, LogPoints, SetStatus, TrashRun
from graphql_runs.model.run import Goal, Run
from graphql_runs.model.status import RunStatus
from graphql_runs.read.best import best_child, best_run, running_best
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

ALL: RunFilter = And(())
CHILDREN = {
    "a": [3.0, 2.0],
    "b": [math.nan, math.inf],
    "c": [2.5],
    "d": [-math.inf, 1.0, 5.0],
    "e": [0.5],
    "f": [],
}


async def sweep(recorder: Recorder, goal: Goal | None = Goal.MINIMIZE, metric: str | None = "loss") -> None:
    """A sweep whose children end in the order of their names but `e`, which still runs."""
    parent = DeclareRun("s", "e", "s", "test", primary_metric=metric, primary_metric_goal=goal)
    await recorder.record("default", [parent])
    for number, (name, values) in enumerate(CHILDREN.items()):
        child = DeclareRun(name, "e", name, "test", parent="s", created_at=100 - number)
        said = [LogPoints(name, "loss", values)] if values else []
        ended = [] if name == "e" else [SetStatus(name, RunStatus.COMPLETED, "test", at=200 + number)]
        await recorder.record("default", [child, *said, *ended])


async def run(store: Store, name: str) -> Run:
    [found] = await store.get(Run, [ids.run_id(ids.workspace_id("default"), name)])
    assert found is not None
    return found


async def best(store: Store, goal: Goal, stat: Stat | None = None) -> str | None:
    found = await best_run(store, ALL, "loss", goal, stat)
    return None if found is None else found.name


async def test_the_best_is_by_the_best_value_a_run_had(store: Store, recorder: Recorder) -> None:
    await sweep(recorder)
    assert await best(store, Goal.MINIMIZE) == "e"
    assert await best(store, Goal.MAXIMIZE) == "d"
    assert await best(store, Goal.MAXIMIZE, Stat.MIN) == "c"


async def test_infinities_are_never_the_best(store: Store, recorder: Recorder) -> None:
    await sweep(recorder)
    assert await best(store, Goal.MAXIMIZE, Stat.LAST) == "d"
    assert await best_run(store, ALL, "accuracy", Goal.MAXIMIZE) is None


async def test_the_best_child(store: Store, recorder: Recorder) -> None:
    await sweep(recorder, Goal.MAXIMIZE)
    found = await best_child(store, await run(store, "s"))
    assert found is not None
    assert found.name == "d"
    assert await best_child(store, await run(store, "a")) is None


async def test_a_child_in_the_trash_is_not_the_best(store: Store, recorder: Recorder) -> None:
    await sweep(recorder)
    await recorder.record("default", [TrashRun("e")])
    found = await best_child(store, await run(store, "s"))
    assert found is not None
    assert found.name == "d"


@pytest.mark.parametrize(
    ("goal", "values", "best"),
    [
        (Goal.MINIMIZE, [2.0, None, 2.5, 1.0, None], [2.0, 2.0, 2.0, 1.0, 1.0]),
        (Goal.MAXIMIZE, [3.0, None, 2.5, 5.0, None], [3.0, 3.0, 3.0, 5.0, 5.0]),
    ],
)
async def test_the_running_best(
    store: Store, recorder: Recorder, goal: Goal, values: list[float | None], best: list[float | None]
) -> None:
    await sweep(recorder, goal)
    found = await running_best(store, await run(store, "s"), limit=10)
    assert found is not None
    assert [child.name for child in found.runs] == ["a", "b", "c", "d", "f"]
    assert found.at == [200, 201, 202, 203, 205]
    assert (found.values, found.best) == (values, best)


async def test_before_a_first_value_there_is_no_best(store: Store, recorder: Recorder) -> None:
    await recorder.record(
        "default",
        [DeclareRun("s", "e", "s", "test", primary_metric="loss", primary_metric_goal=Goal.MINIMIZE)],
    )
    await recorder.record(
        "default", [DeclareRun("a", "e", "a", "test", parent="s"), SetStatus("a", RunStatus.FAILED, "test")]
    )
    found = await running_best(store, await run(store, "s"), limit=10)
    assert found is not None
    assert found.best == [None]


@pytest.mark.parametrize(("goal", "metric"), [(None, "loss"), (Goal.MINIMIZE, None)])
async def test_without_a_goal_there_is_no_best(
    store: Store, recorder: Recorder, goal: Goal | None, metric: str | None
) -> None:
    await sweep(recorder, goal, metric)
    assert await running_best(store, await run(store, "s"), limit=10) is None
    assert await best_child(store, await run(store, "s")) is None


async def test_too_many_children(store: Store, recorder: Recorder) -> None:
    await sweep(recorder)
    with pytest.raises(LimitExceeded, match="more than 5 runs") as error:
        await running_best(store, await run(store, "s"), limit=5)
    assert error.value.field == "runningBest"
