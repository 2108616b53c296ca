"""Every value that the real libraries were given, read from the files that they wrote: at the end, and as they grew."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.ingest.api import Delivery
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.operation import LogPoints
from graphql_runs_tabular import ingester
from plugins.tabular.tests.recorded import LIMITS, Found, Point, Recorded, expected, versions


def end(job: Recorded, found: Found) -> None:
    job.end()
    found.read()


def live(job: Recorded, found: Found) -> None:
    for _ in job.moments():
        found.read()


def interrupted(job: Recorded, found: Found) -> None:
    """As if reading was stopped after every second delivery, and half of the moments were missed."""
    for number in job.moments():
        if number % 2:
            found.read(most=1)
    for _ in range(200):
        found.read(most=2)


@pytest.fixture(params=[end, live, interrupted])
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_there_is_data_of_three_versions_each() -> None:
    assert versions("lightning") == ["1.9.5", "2.0.9", "2.6.6"]
    assert versions("keras") == ["2.15.0", "3.15.1"]
    assert versions("transformers") == ["4.26.1", "4.46.3", "5.24.0"]


@pytest.mark.parametrize("version", versions("lightning"))
def test_lightning(tmp_path: Path, version: str, way: Any) -> None:
    job, found = Recorded("lightning", version, tmp_path), Found(tmp_path)
    way(job, found)
    run = "source/lightning_logs/version_0"
    rows = [{**row["values"], "step": row["step"]} for row in job.logged["rows"]]
    assert found.points() == expected(rows, run)
    assert found.facts("params") == {run: job.logged["params"]}
    assert found.skipped() == []


@pytest.mark.parametrize("version", versions("keras"))
def test_keras(tmp_path: Path, version: str, way: Any) -> None:
    job, found = Recorded("keras", version, tmp_path), Found(tmp_path)
    way(job, found)
    wanted: dict[tuple[str, str], list[Point]] = {}
    for path, logged in job.logged.items():
        rows = [{**row["values"], "epoch": row["epoch"]} for row in logged]
        wanted |= expected(rows, f"source/{Path(path).parent}", step="epoch")
    assert found.points() == wanted
    assert found.skipped() == []


@pytest.mark.parametrize("version", versions("transformers"))
def test_transformers_as_it_grows(tmp_path: Path, version: str) -> None:
    job, found = Recorded("transformers", version, tmp_path), Found(tmp_path)
    live(job, found)
    # Both attempts, of which the second goes back to step 2.
    changed: list[dict[str, Any]] = []
    known: dict[str, Any] = {}
    for saved in job.logged["results"]:
        changed.append(
            {name: value for name, value in saved.items() if name == "epoch" or value != known.get(name)}
        )
        known |= saved
    assert found.points() == _wanted(job.logged["rows"], changed)
    assert found.skipped() == []
    _holds_facts(found)


@pytest.mark.parametrize("version", versions("transformers"))
@pytest.mark.parametrize("most", [1, 2, 1000])
def test_transformers_at_the_end(tmp_path: Path, version: str, most: int) -> None:
    job, found = Recorded("transformers", version, tmp_path), Found(tmp_path)
    job.end()
    for _ in range(60):
        found.read(most=most)
    rows = job.logged["rows"]
    again = next(place for place in range(1, len(rows)) if rows[place]["step"] < rows[place - 1]["step"])
    first = [row for row in rows[:again] if row["step"] <= 2]
    results = {name: value for saved in job.logged["results"] for name, value in saved.items()}
    assert found.points() == _wanted([*first, *rows[again:]], [results])
    assert found.skipped() == []
    _holds_facts(found)


def _wanted(rows: list[dict[str, Any]], results: list[dict[str, Any]]) -> dict[tuple[str, str], list[Point]]:
    return {
        **expected(rows, "source/out"),
        **expected(results, "source/out", step="epoch", prefix="all_results/"),
    }


def _holds_facts(found: Found) -> None:
    [params], [properties] = found.facts("params").values(), found.facts("properties").values()
    assert (params["max_steps"], params["num_train_epochs"]) == ("10", "3")
    assert (properties["global_step"], properties["best_metric"]) == ("10", "0.1")
    assert properties["best_model_checkpoint"].endswith("out/checkpoint-2")


async def test_a_server_follows_a_training_as_its_checkpoints_come_and_go(tmp_path: Path) -> None:
    job, records = Recorded("transformers", versions("transformers")[-1], tmp_path), MemoryRecords()
    host = Host(records, [ingester], [SourceConfig(tmp_path, "source")], LIMITS, poll_seconds=0.05)
    one_by_one = Found(tmp_path)
    await host.start()
    try:
        for _ in job.moments():
            one_by_one.read()
            await _until_as_much(records, one_by_one)
    finally:
        await host.close()
    assert list(records.runs()) == ["source/out"]
    served = Found(tmp_path)
    served.deliveries = [Delivery({}, records.operations)]
    assert served.points() == one_by_one.points()
    assert served.facts("params") == one_by_one.facts("params")


async def _until_as_much(records: MemoryRecords, wanted: Found) -> None:
    goal = sum(map(len, wanted.points().values()))
    for _ in range(400):
        if _count(records) >= goal:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{_count(records)} points came in, not {goal}")


def _count(records: MemoryRecords) -> int:
    return sum(len(one.values) for one in records.operations if isinstance(one, LogPoints))
