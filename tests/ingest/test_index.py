"""Files that hold many units: asked again when they change, and only what changed is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from graphql_runs.ingest.api import Context, Delivery, Limits, RunFolder, Stability, Tree, Unit
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation


class NoSettings(BaseModel):
    """Nothing to set."""


class TableIngester:
    """`table.txt` has lines of a run and a number."""

    name = "table"
    description = "Lines of a run and a number."
    stability = Stability.EXPERIMENTAL
    precedence = 60
    config: type[BaseModel] = NoSettings

    def __init__(self) -> None:
        self.read_of: list[str] = []

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        return ()

    def units(self, tree: Tree) -> Iterator[Unit]:
        for file in tree.files:
            if file.path.name == "table.txt":
                yield Unit("table", None, (file.path,), index=True)
                for run_id, values in _table(tree.folder / file.path).items():
                    run = RunFolder(PurePosixPath(run_id), run_id, run_id, whole=True)
                    yield Unit("facts", run, (), hints={"values": values}, version=str(len(values)))
                    yield Unit("first", run, (), hints={"values": values[:1]}, after="facts")

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        if unit.run is None:
            return
        run_id, values = unit.run.run_id, unit.hints["values"]
        assert isinstance(values, list)
        self.read_of.append(f"{run_id} {unit.key}")
        if unit.key == "first":
            if checkpoint is None and context.after is not None:
                yield Delivery({}, [LogPoints(run_id, "after", [float(str(context.after["count"]))])])
            return
        count = int(str(checkpoint["count"])) if checkpoint else 0
        operations: list[RunOperation] = [DeclareRun(run_id, "table", run_id, "table")]
        if count < len(values):
            yield Delivery({"count": len(values)}, [*operations, LogPoints(run_id, "value", values[count:])])


def _table(path: Path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in path.read_text().splitlines():
        run_id, value = line.split()
        found.setdefault(run_id, []).append(float(value))
    return found


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come about")


async def test_only_what_changed_is_read_when_a_file_of_many_runs_grows(tmp_path: Path) -> None:
    plugin, records = TableIngester(), MemoryRecords()
    table = tmp_path / "table.txt"
    table.write_text("a 1\nb 2\n")
    host = Host(records, [plugin], [SourceConfig(tmp_path, "source")], Limits(), poll_seconds=0.1)
    await host.start()
    try:
        await until(lambda: records.values("b", "value") == [2.0])
        await until(lambda: "b first" in plugin.read_of)
        plugin.read_of.clear()
        with table.open("a") as file:
            file.write("b 3\nc 4\n")
        await until(
            lambda: records.values("c", "value") == [4.0] and records.values("b", "value") == [2.0, 3.0]
        )
    finally:
        await host.close()
    assert records.values("a", "value") == [1.0]
    assert not [name for name in plugin.read_of if name.startswith("a ")]


async def test_a_unit_sees_the_checkpoint_of_the_one_it_comes_after(tmp_path: Path) -> None:
    plugin, records = TableIngester(), MemoryRecords()
    (tmp_path / "table.txt").write_text("a 1\na 2\n")
    for _ in range(2):  # the second host finds what the first one wrote
        host = Host(records, [plugin], [SourceConfig(tmp_path, "source")], Limits(), poll_seconds=0.1)
        plugin.read_of.clear()
        await host.start()
        try:
            await until(lambda: set(plugin.read_of) == {"a facts", "a first"})
        finally:
            await host.close()
    await until(lambda: records.values("a", "after") == [2.0])


async def test_nothing_of_a_run_is_read_that_is_read_from_elsewhere(tmp_path: Path) -> None:
    plugin, records = TableIngester(), MemoryRecords()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "table.txt").write_text("a 1\n")
    sources = [SourceConfig(tmp_path / name, name) for name in ("one", "two")]
    host = Host(records, [plugin], sources, Limits(), poll_seconds=0.1)
    await host.start()
    try:
        await until(lambda: any("already" in (report.last_error or "") for report in host.reports()))
        await until(lambda: "a first" in plugin.read_of)
    finally:
        await host.close()
    assert sorted(plugin.read_of) == ["a facts", "a first"]
    assert records.values("a", "value") == [1.0]
