"""Reading once what is there, instead of following it."""

from __future__ import annotations

from pathlib import Path

from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.once import Loaded, Progress, read_once
from graphql_runs.ingest.testing.memory import MemoryRecords
from graphql_runs.model.errors import StoreUnavailable
from tests.ingest.hosting import LIMITS, append
from tests.ingest.plugin import Points


async def loaded(
    records: MemoryRecords, *folders: Path, patience: float = 30.0, told: list[Progress] | None = None
) -> Loaded:
    sources = [SourceConfig(folder, folder.name) for folder in folders]
    host = Host(records, [Points()], sources, LIMITS, poll_seconds=0.1, final=True)
    return await read_once(host, (told if told is not None else []).append, patience=patience)


async def test_progress_goes_up_to_what_there_is(tmp_path: Path) -> None:
    for number in range(20):
        append(tmp_path / f"r{number}" / "a.points", *(f"loss {step}" for step in range(50)))
    told: list[Progress] = []
    found = await loaded(MemoryRecords(), tmp_path, told=told)
    assert (found.runs, found.files, found.points, found.failures) == (20, 20, 1000, [])
    assert told[-1] == Progress(20, 20, 1000, 0)
    assert [one.files for one in told] == sorted(one.files for one in told)


async def test_an_empty_source_is_read_at_once(tmp_path: Path) -> None:
    found = await loaded(MemoryRecords(), tmp_path)
    assert (found.runs, found.files, found.failures) == (0, 0, [])


async def test_a_store_that_does_not_answer_is_waited_for_and_then_a_failure(tmp_path: Path) -> None:
    append(tmp_path / "run" / "a.points", "loss 1")
    answers = iter(range(1000))

    def twice(number: int) -> None:
        if next(answers) < 2:
            raise StoreUnavailable("it is busy")

    assert (await loaded(MemoryRecords(before=twice), tmp_path)).points == 1

    def never(number: int) -> None:
        raise StoreUnavailable("it is gone")

    found = await loaded(MemoryRecords(before=never), tmp_path, patience=0.3)
    assert found.points == 0
    assert "it is gone" in str(found.failures)


async def test_what_a_plugin_breaks_on_is_a_failure_and_the_rest_is_read(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    append(good / "run" / "a.points", "loss 1", "loss 2")
    append(bad / "break-units", "")
    found = await loaded(MemoryRecords(), good, bad)
    assert found.points == 2
    assert found.failures == ["bad: points: RuntimeError: units broke"]


async def test_a_source_that_went_away_is_a_failure(tmp_path: Path) -> None:
    found = await loaded(MemoryRecords(), tmp_path / "gone")
    assert len(found.failures) == 1
    assert "gone" in found.failures[0]
