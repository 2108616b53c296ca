"""Runs that are purged while their files are still followed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from graphql_runs.ingest.host import Host
from graphql_runs.ingest.writer import Gone, Passing, Writer
from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation, TrashRun
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run
from graphql_runs.model.source import SourceState
from graphql_runs.read.points import read_points
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from tests.ingest.hosting import append, hosted, report, state, until
from tests.ingest.plugin import Points

HOME = ids.workspace_id("default")


async def values(store: Store, run_id: str) -> list[float]:
    id = ids.metric_id(ids.run_id(HOME, run_id), "loss")
    [metric] = await store.get(Metric, [id])
    if metric is None:
        return []
    return [float(value) for value in (await read_points(store, id, 0, metric.count)).columns["value"]]


async def appears(store: Store, run_id: str, *expected: float) -> None:
    for _ in range(2000):
        if await values(store, run_id) == list(expected):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{run_id} has {await values(store, run_id)}")


async def there(store: Store, run_id: str) -> bool:
    return await store.get(Run, [ids.run_id(HOME, run_id)]) != [None]


async def purge(recorder: Recorder, run_id: str) -> None:
    await recorder.record("default", [TrashRun(run_id)])
    await recorder.purge(ids.run_id(HOME, run_id))


def passed_over(host: Host, run_id: str) -> bool:
    found = report(host)
    return (
        found is not None
        and state(host) is SourceState.FOLLOWING
        and [skipped.reason for skipped in found.skipped] == [f"run {run_id!r} was purged"]
    )


@pytest.mark.parametrize("claimed", [False, True])
async def test_files_of_a_purged_run_are_passed_over_until_it_is_created_anew(
    store: Store, recorder: Recorder, tmp_path: Path, claimed: bool
) -> None:
    file, other = tmp_path / "in/run/a.points", tmp_path / "in/other/b.points"
    append(file, "loss 1")
    append(other, "loss 5")
    if claimed:
        (file.parent / "claim").write_text("mine")
    run = "mine" if claimed else "src/run"
    plugin = Points()
    async with hosted(recorder, tmp_path / "in", plugins=[plugin]) as host:
        await appears(store, run, 1.0)
        # In the trash it goes on.
        await recorder.record("default", [TrashRun(run)])
        append(file, "loss 2")
        await appears(store, run, 1.0, 2.0)
        await recorder.purge(ids.run_id(HOME, run))
        append(file, "loss 3")
        await until(lambda: passed_over(host, run))
        reads = len(plugin.reads)
        append(file, "loss 4")
        append(other, "loss 6")
        await appears(store, "src/other", 5.0, 6.0)
        await until(lambda: state(host) is SourceState.FOLLOWING)
        assert passed_over(host, run)
        # The file is not read again and again for nothing.
        assert plugin.reads[reads:].count("a.points") <= 1
        assert not await there(store, run)
    async with hosted(recorder, tmp_path / "in") as host:
        await until(lambda: passed_over(host, run))
        assert not await there(store, run)
        await recorder.record("default", [DeclareRun(run, "exp", run, "by hand")])
        append(file, "loss 7")
        await appears(store, run, 1.0, 2.0, 3.0, 4.0, 7.0)


RUN = [DeclareRun("root", "e", "root", "t"), DeclareRun("child", "e", "child", "t", parent="root")]


async def written(writer: Writer, *operations: RunOperation) -> None:
    await writer.write(operations, lambda refusals: {"refused": len(refusals)})


async def test_a_purged_child_is_gone_also_after_a_restart(store: Store, recorder: Recorder) -> None:
    writer = Writer(recorder, "default", "root", "test:child")
    await writer.open()
    await written(writer, *RUN, LogPoints("child", "loss", [1.0]))
    await purge(recorder, "child")
    for _ in range(2):
        with pytest.raises(Gone, match="run 'child' was purged"):
            await written(writer, LogPoints("child", "loss", [2.0]))
        assert not writer.opened
        writer = Writer(recorder, "default", "root", "test:child")
        assert await writer.open() == {"refused": 0}
    # A writer of several runs may be waiting for one that somebody else declares.
    with pytest.raises(Passing, match="waits for its run"):
        await written(writer, LogPoints("root", "loss", [2.0]), LogPoints("child", "loss", [2.0]))


async def test_a_writer_that_was_open_when_the_tree_was_purged_does_not_bring_it_back(
    store: Store, recorder: Recorder
) -> None:
    writers = [Writer(recorder, "default", "root", f"test:{i}") for i in range(2)]
    for writer in writers:
        await writer.open()
    await written(writers[0], *RUN)
    await purge(recorder, "root")
    # One wrote before, the other was about to.
    for writer in writers:
        with pytest.raises((Gone, Passing)):
            await written(writer, LogPoints("child", "loss", [2.0]))
        with pytest.raises(Gone, match="run 'root' was purged"):
            await writer.open()
    assert not await there(store, "root")
