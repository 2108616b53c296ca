from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from graphql_runs.ingest.api import Limits, RunFolder
from graphql_runs.ingest.folder import Facts, FolderRun, gather
from graphql_runs.ingest.scan import Walker
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.ingest.writer import Refused
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.operation import Annotate
from graphql_runs.model.status import RunStatus

SECOND = 1_000_000
HOUR = 3600 * SECOND
START = 1_700_000_000 * SECOND


def folder_run(records: MemoryRecords, path: str = "exp/run") -> FolderRun:
    run_id = f"src/{path}" if path != "." else "src"
    run = RunFolder(PurePosixPath(path), run_id, run_id, declared=False)
    return FolderRun(run, "text", "src", records, "default")


def facts(newest: int, exit_code: tuple[int, int] | None = None, *, ended: bool = False) -> Facts:
    return Facts(START, newest, "exp/run/train.log", exit_code, ended)


def words(records: MemoryRecords) -> list[tuple[RunStatus, int]]:
    return [(one.status, one.at or 0) for one in records.statuses("src/exp/run")]


@pytest.mark.parametrize(
    ("path", "experiment", "name"),
    [(".", "src", "src"), ("run", "src", "run"), ("exp/run", "exp", "run"), ("exp/a/b", "exp", "b")],
)
async def test_the_path_gives_experiment_and_name(path: str, experiment: str, name: str) -> None:
    records = MemoryRecords()
    await folder_run(records, path).settle(facts(START), START)
    [run] = records.runs().values()
    assert (run.experiment, run.name, run.source, run.created_at) == (experiment, name, "text", START)


async def test_a_run_that_is_written_runs() -> None:
    records = MemoryRecords()
    run = folder_run(records)
    await run.settle(facts(START + SECOND), START + 2 * SECOND)
    await run.settle(facts(START + 3 * SECOND), START + 4 * SECOND)
    assert words(records) == [(RunStatus.RUNNING, START)]
    [status] = records.statuses("src/exp/run")
    assert (status.reported, status.source) == (False, "exp/run/train.log")


async def test_a_run_that_fell_silent_is_unknown_until_it_is_written_again() -> None:
    records = MemoryRecords()
    run = folder_run(records)
    await run.settle(facts(START), START)
    assert run.due(facts(START)) == START + HOUR
    await run.settle(facts(START), START + HOUR)
    await run.settle(facts(START), START + 2 * HOUR)
    assert run.due(facts(START)) is None
    await run.settle(facts(START + 2 * HOUR), START + 2 * HOUR)
    assert words(records) == [
        (RunStatus.RUNNING, START),
        (RunStatus.UNKNOWN, START + HOUR),
        (RunStatus.RUNNING, START + 2 * HOUR),
    ]
    assert "nothing was written for 3600 seconds" in (records.statuses("src/exp/run")[1].detail or "")


async def test_an_old_run_was_never_seen_running() -> None:
    records = MemoryRecords()
    await folder_run(records).settle(facts(START), START + 24 * HOUR)
    assert words(records) == [(RunStatus.UNKNOWN, START + HOUR)]


@pytest.mark.parametrize(
    ("code", "status"), [(0, RunStatus.COMPLETED), (3, RunStatus.FAILED), (143, RunStatus.FAILED)]
)
async def test_an_exit_code_ends_a_run(code: int, status: RunStatus) -> None:
    records = MemoryRecords()
    run = folder_run(records)
    await run.settle(facts(START), START)
    ended = facts(START, (code, START + SECOND))
    await run.settle(ended, START + 2 * SECOND)
    await run.settle(ended, START + 2 * HOUR)
    assert words(records)[1:] == [(status, START + SECOND)]
    last = records.statuses("src/exp/run")[-1]
    assert (last.source, last.detail, last.reported) == ("exp/run/exit_code", f"exit code {code}", False)
    notes = [one for one in records.operations if isinstance(one, Annotate)]
    assert [(one.exit_code, one.ended_at) for one in notes] == [(code, START + SECOND)]
    assert run.due(ended) is None


async def test_lines_that_trail_in_do_not_take_an_end_back() -> None:
    records = MemoryRecords()
    run = folder_run(records)
    await run.settle(facts(START, (0, START)), START)
    await run.settle(facts(START + 30 * SECOND, (0, START)), START + 30 * SECOND)
    await run.settle(facts(START + 90 * SECOND, (0, START)), START + 2 * HOUR)  # seen only long afterwards
    assert words(records) == [(RunStatus.COMPLETED, START)]


async def test_a_second_attempt_runs_again_and_ends_again() -> None:
    records = MemoryRecords()
    run = folder_run(records)
    await run.settle(facts(START, (1, START)), START)
    later = START + 10 * 60 * SECOND
    await run.settle(facts(later, (1, START)), later)
    await run.settle(facts(later + SECOND, (1, START)), later + SECOND)
    await run.settle(facts(later + SECOND, (0, later + 2 * SECOND)), later + 2 * SECOND)
    assert words(records) == [
        (RunStatus.FAILED, START),
        (RunStatus.RUNNING, later),
        (RunStatus.COMPLETED, later + 2 * SECOND),
    ]


async def test_what_the_files_report_is_not_guessed_at() -> None:
    records = MemoryRecords()
    run = folder_run(records)
    await run.settle(facts(START), START)
    await run.settle(facts(START, ended=True), START + 2 * HOUR)
    assert words(records) == [(RunStatus.RUNNING, START)]
    assert run.due(facts(START, ended=True)) is None


async def test_nothing_is_said_twice_after_a_restart() -> None:
    records = MemoryRecords()
    await folder_run(records).settle(facts(START), START)
    await folder_run(records).settle(facts(START), START)
    await folder_run(records).settle(facts(START), START + HOUR)
    await folder_run(records).settle(facts(START), START + 2 * HOUR)
    assert len(records.runs()) == 1
    assert words(records) == [(RunStatus.RUNNING, START), (RunStatus.UNKNOWN, START + HOUR)]


async def test_a_run_that_the_recorder_refuses_is_an_error() -> None:
    def refuse(number: int) -> None:
        raise InvalidInput("the run id is too long", field="operations[0].runId")

    with pytest.raises(Refused, match="too long"):
        await folder_run(MemoryRecords(before=refuse)).settle(facts(START), START)


# What lies in the folder


def gathered(source: Path, *files: str) -> tuple[Facts, str | None]:
    known = Walker(source, Limits(), lambda: False).walk({}).files
    run = RunFolder(PurePosixPath("run"), "src/run", "src/run", declared=False)
    found, skipped = gather(source, run, [PurePosixPath("run") / file for file in files], known, ended=False)
    return found, skipped.reason if skipped else None


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    for name, at in (("a.log", 200), ("b.log", 300)):
        (tmp_path / "run" / name).write_text("x")
        os.utime(tmp_path / "run" / name, (at, at))
    os.utime(tmp_path / "run", (100, 100))
    return tmp_path


def test_times_are_those_of_the_files_and_the_folder(source: Path) -> None:
    found, _ = gathered(source, "a.log", "b.log")
    assert (found.oldest, found.newest, found.newest_path) == (100 * SECOND, 300 * SECOND, "run/b.log")


def test_files_that_went_away_do_not_count(source: Path) -> None:
    found, _ = gathered(source, "a.log", "missing.log")
    assert found.newest == 200 * SECOND
    found, _ = gathered(source, "missing.log")
    assert found.newest == 100 * SECOND


@pytest.mark.parametrize("text", ["0", "0\n", " 137 \r\n", "-9"])
def test_an_exit_code_is_read(source: Path, text: str) -> None:
    (source / "run/exit_code").write_text(text)
    os.utime(source / "run/exit_code", (400, 400))
    found, wrong = gathered(source, "a.log")
    assert (found.exit_code, wrong) == ((int(text), 400 * SECOND), None)


def test_an_exit_code_that_is_being_written_is_waited_for(source: Path) -> None:
    (source / "run/exit_code").write_text("")
    assert gathered(source, "a.log")[0].exit_code is None


@pytest.mark.parametrize("data", [b"done\n", b"\xff\xfe", b"1" * 100 + b"x"])
def test_an_exit_code_that_is_none_is_reported(source: Path, data: bytes) -> None:
    (source / "run/exit_code").write_bytes(data)
    found, wrong = gathered(source, "a.log")
    assert found.exit_code is None
    assert wrong is not None
    assert wrong.startswith("not an exit code")
