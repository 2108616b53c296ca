from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest

from graphql_runs.ingest.api import Context, Delivery, Limits, RunFolder, Tree, Unit
from graphql_runs.ingest.reader import Outcome, Reader
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.operation import DeclareRun, LogText, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from tests.ingest.plugin import Points, PointsConfig

RUN = RunFolder(PurePosixPath("run"), "run", "run")


def reader_of(folder: Path, records: MemoryRecords, plugin: Points) -> Reader:
    unit = Unit("a.points", RUN, (PurePosixPath("run/a.points"),))
    return Reader(
        plugin, unit, Context(Tree(folder, "src", ()), PointsConfig(), Limits()), records, "default"
    )


async def read(reader: Reader, seconds: float = 5.0) -> Outcome:
    with ThreadPoolExecutor(1) as pool:
        return await reader.read(pool, seconds, lambda: False)


class Given(Points):
    """Gives these operations, a delivery each, and says whether it was closed."""

    def __init__(self, *operations: RunOperation) -> None:
        super().__init__()
        self.operations = operations
        self.closed = 0

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        start = 0 if checkpoint is None else checkpoint["place"]
        assert isinstance(start, int)
        try:
            for place, operation in enumerate(self.operations[start:], start + 1):
                yield Delivery({"place": place}, [operation])
        finally:
            self.closed += 1


DECLARED = DeclareRun("run", "exp", "run", "test")


async def test_a_pass_ends_in_time_and_goes_on_where_it_was(tmp_path: Path) -> None:
    records = MemoryRecords()
    plugin = Given(DECLARED, *(LogText("run", "log", f"{number}\n".encode()) for number in range(5)))
    reader = reader_of(tmp_path, records, plugin)
    outcomes: list[Outcome] = []
    while not outcomes or outcomes[-1] is Outcome.MORE:
        outcomes.append(await read(reader, seconds=0))
    assert outcomes[-1] is Outcome.DONE
    assert len(outcomes) == 7
    assert plugin.closed == 7
    assert records.text("run", "log") == b"0\n1\n2\n3\n4\n"
    assert reader.counts.lines == 5


async def test_the_last_status_that_was_read_is_remembered(tmp_path: Path) -> None:
    records = MemoryRecords()
    statuses = (RunStatus.COMPLETED, RunStatus.RUNNING, RunStatus.FAILED)
    said = [SetStatus("run", status, "test", at) for at, status in enumerate(statuses)]
    plugin = Given(DECLARED, *said, SetStatus("other", RunStatus.RUNNING, "test"))
    records.roots["default", "other"] = "run"
    await read(reader_of(tmp_path, records, plugin))
    again = reader_of(tmp_path, records, Given())
    assert await read(again) is Outcome.DONE
    assert again.counts.ended


async def test_missing_rights_are_tried_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/a.points").write_text("loss 1\n")
    reader = reader_of(tmp_path, MemoryRecords(), Points())
    open_ = os.open

    def refuse(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "a.points":
            raise PermissionError(13, "Permission denied")
        return open_(path, flags, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        assert await read(reader) is Outcome.FAILED
    assert reader.error == "run/a.points: cannot be opened: Permission denied"
    assert 0 < reader.delay < 60
    assert await read(reader) is Outcome.DONE
    assert reader.error is None


async def test_bad_content_waits_for_a_change(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/a.points").write_text("!unreadable\n")
    reader = reader_of(tmp_path, MemoryRecords(), Points())
    assert await read(reader) is Outcome.FAILED
    assert reader.delay == 0


async def test_a_file_that_went_away_is_looked_for_again(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, MemoryRecords(), Points())
    delays = []
    for _ in range(6):
        assert await read(reader) is Outcome.LATER
        delays.append(reader.delay)
    assert max(delays) > 2 * delays[0]
