"""What every store has to do. A store's own test module subclasses `StoreContract` and says where to open it.

class TestMine(StoreContract):
    @pytest.fixture
    def place(self, tmp_path):
        return Place("tests.store.opening:mine", str(tmp_path / "mine"))
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from graphql_runs.model import ids
from graphql_runs.model.change import Hint
from graphql_runs.model.errors import Conflict, LimitExceeded, NotFound, StoreUnavailable
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.port import Append, Batch, Item, Position, Store, journal_of
from tests.store.samples import (
    HOME,
    Log,
    Place,
    a_log,
    a_metric,
    a_run,
    chunks,
    entry,
    eventually,
    read_all,
    save,
    share,
)


async def child(place: Place, deed: str, *arguments: object) -> Process:
    """Another process at work on the store; it has said that it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.store.child",
        place.opener,
        place.target,
        deed,
        *map(str, arguments),
        stdout=PIPE,
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"ready"
    return process


async def ended(process: Process) -> list[str]:
    """What a child said until it was done."""
    out, _ = await process.communicate()
    assert process.returncode == 0
    *said, last = out.decode().split()
    assert last == "done"
    return said


class StoreContract:
    __test__ = False

    @pytest.fixture
    def place(self) -> Place:
        """Where the store under test is; every subclass says it."""
        raise AssertionError("a store's test says where it is opened")

    @pytest.fixture
    async def store(self, place: Place) -> AsyncIterator[Store]:
        opened = await place.open()
        yield opened
        await opened.close()

    # Records

    async def test_standing_records_change_only_from_what_was_read(self, store: Store) -> None:
        first = Workspace(HOME, "home", 1)
        await store.upsert(first, None)
        with pytest.raises(Conflict):
            await store.upsert(first, None)
        second = replace(first, description="ours")
        await store.upsert(second, first)
        with pytest.raises(Conflict):
            await store.upsert(replace(first, description="theirs"), first)
        assert await store.get(Workspace, [HOME, "workspace_none"]) == [second, None]
        assert await store.get(Workspace, []) == []

    async def test_records_are_listed_by_name(self, store: Store) -> None:
        names = ["B", "a", "a%b", "a_b", "ab", "Ä", "z", "日本"]
        for name in names:
            await store.upsert(Experiment(ids.experiment_id(HOME, name), HOME, name, 1), None)
            await store.upsert(Cluster(ids.cluster_id("other", name), "other", name, 1), None)

        async def found(**options: object) -> list[str]:
            options = {"first": 100, **options}
            return [one.name for one in await store.list_named(Experiment, HOME, **options)]  # type: ignore[arg-type] # options of any type

        assert await found() == sorted(names)
        assert await found(descending=True) == sorted(names, reverse=True)
        assert await found(first=2, after="a") == ["a%b", "a_b"]
        assert await found(first=2, after="ab", descending=True) == ["a_b", "a%b"]
        assert await found(contains="A%") == ["a%b"]
        assert await found(contains="b") == ["B", "a%b", "a_b", "ab"]
        assert await found(prefix="a_") == ["a_b"]
        assert await store.count(Experiment, HOME) == len(names)
        assert await store.count(Experiment, HOME, contains="b") == 4
        assert await store.list_named(Experiment, "workspace_none", first=10) == []

    async def test_records_come_back_as_they_were(self, store: Store) -> None:
        run = a_run("r", tags={"ключ": "значение", "a.b": "$x"}, params={"lr": "0.1"})
        metric = a_metric(
            run, "loss", count=3, last=math.inf, min=-0.0, max_step=2**53 + 1, first_non_finite_step=0.5
        )
        log = a_log(run, "out.log", size=5, lines=1)
        artifact = Artifact(
            ids.artifact_id(run.id, "m.pt"), run.id, run.root, "m.pt", 2**40, 7, location="/x"
        )
        await save(store, run, metric, log, artifact)
        assert await store.get(Run, [run.id]) == [run]
        assert await store.get(Metric, [metric.id]) == [metric]
        assert await store.get(LogFile, [log.id]) == [log]
        assert await store.get(Artifact, [artifact.id]) == [artifact]
        strange = replace(metric, last=math.nan, count=4)
        await store.commit(Batch(run.root, entry(1), replaces=(strange,)))
        [read] = await store.get(Metric, [metric.id])
        assert read is not None
        assert read.last is not None
        assert math.isnan(read.last)
        assert replace(read, last=None) == replace(strange, last=None)

    async def test_a_tree_gives_its_runs_by_depth(self, store: Store) -> None:
        root = a_run("root")
        below = [a_run(f"c{i}", root=root.id, parent=root.id, depth=1) for i in range(3)]
        last = a_run("d", root=root.id, parent=below[0].id, depth=2)
        await save(store, root, *below, last)
        await save(store, a_run("stranger"))
        assert await store.tree_runs(root.id) == [root, *sorted(below, key=lambda run: run.id), last]

    # Batches

    async def test_a_failed_precondition_leaves_no_trace(self, store: Store) -> None:
        log = Log(store, a_run("r"))
        await log.begin()
        await store.commit(log.step(0))
        good = log.step(1)
        bad = [
            replace(good, entry=replace(good.entry, start=1, end=2)),
            replace(good, entry=replace(good.entry, start=3, end=4)),
            replace(good, appends=(Append(log.metric.id, Item(0, 1, b"again")),)),
            replace(good, appends=(*good.appends, Append("log_x", Item(5, 6, b"hole")))),
            replace(good, creates=(log.metric,)),
            replace(good, creates=(a_run("r"),)),
        ]
        for batch in bad:
            with pytest.raises(Conflict):
                await store.commit(batch)
            assert await log.check(1) == 1
        await store.commit(good)
        assert await log.check(2) == 2

    async def test_batches_of_one_moment_fail_alone(self, store: Store) -> None:
        logs = [Log(store, a_run(f"r{i}")) for i in range(8)]
        for log in logs:
            await log.begin()
        batches = [log.step(0) for log in logs] + [logs[3].step(0)]
        done = await asyncio.gather(*map(store.commit, batches), return_exceptions=True)
        assert [type(result) for result in done] == [type(None)] * 8 + [Conflict]
        for log in logs:
            assert await log.check(1) == 1

    async def test_positions_and_counters(self, store: Store) -> None:
        run = a_run("r")
        await save(store, run, positions=(Position("w", 0, b"d", b"n"), Position("ü", 7, b"e")))
        assert await store.positions(run.root, ["ü", "none", "w"]) == [
            Position("ü", 7, b"e"),
            None,
            Position("w", 0, b"d", b"n"),
        ]
        assert await store.positions("run_none", ["w"]) == [None]
        drawn = await asyncio.gather(*(store.next_number("a") for _ in range(20)))
        assert len(set(drawn)) == 20
        assert await store.next_number("b") == 1

    async def test_hints_are_numbered_and_the_newest_of_each_run_stays(self, store: Store) -> None:
        one, two = a_run("1"), a_run("2")
        await save(store, one, hints=(Hint(HOME, one.id, one.id, 1),))
        await save(
            store, two, hints=(Hint(HOME, two.id, two.id, 2), Hint("workspace_else", two.id, two.id, 2))
        )
        end = await store.hint_end(HOME)
        await store.commit(Batch(one.root, entry(1), hints=(Hint(HOME, one.id, one.id, 3),)))
        hints = await store.hints(HOME, 0, first=100)
        assert [hint.n for hint in hints] == sorted(hint.n for hint in hints)
        assert [(hint.run, hint.at) for hint in hints][-2:] == [(two.id, 2), (one.id, 3)]
        assert [(hint.run, hint.at) for hint in await store.hints(HOME, end, first=100)] == [(one.id, 3)]
        assert await store.hint_end(HOME) == hints[-1].n
        assert await store.hint_end("workspace_none") == 0

    # Streams

    async def test_reading_a_stream_by_row(self, store: Store) -> None:
        run = a_run("r")
        await save(store, run)
        stream = ids.log_id(run.id, "out")
        items = [Item(0, 10, b"0123456789", 0), Item(10, 15, b"abcde", 3), Item(15, 40, b"x" * 25, 4)]
        for n, item in enumerate(items):
            await store.commit(Batch(run.root, entry(n + 1), appends=(Append(stream, item),)))
        assert await store.ends([stream, "log_none"]) == [40, 0]
        assert await store.read(stream, 0) == items
        assert await store.read(stream, 9, end=10) == items[:1]
        assert await store.read(stream, 10, end=16) == items[1:]
        assert await store.read(stream, 0, limit=1) == items[:1]
        assert await store.read(stream, 40) == []
        assert await store.read("log_none", 0) == []
        assert await store.read_back(stream, 40, limit=1) == items[2:]
        assert await store.read_back(stream, 15, limit=12) == items[:2]
        assert await store.read_back(stream, 12, limit=1) == items[1:2]
        assert await store.read_back(stream, 0, limit=100) == []

    async def test_merging_items_moves_no_row(self, store: Store) -> None:
        log = Log(store, a_run("r"))
        await log.begin()
        for n in range(70):
            await store.commit(log.step(n))
        stream = log.metric.id
        assert stream in await store.fragmented(items=64, first=100)
        parts = await read_all(store, stream)
        merged = Item(0, 64, b"".join(item.data for item in parts[:64]))
        ranges = [(item.start, item.end) for item in parts[:64]]
        reading = asyncio.create_task(_read_rows(store, stream, 70))
        assert not await store.compact(stream, merged, [*ranges[:-1], (63, 65)])
        assert await store.compact(stream, merged, ranges)
        assert not await store.compact(stream, merged, ranges)
        await reading
        assert await read_all(store, stream) == [merged, *parts[64:]]
        assert (await store.read(stream, 30, end=31))[0] == merged
        assert stream not in await store.fragmented(items=64, first=100)
        await store.commit(log.step(70))
        assert await store.ends([stream]) == [71]

    # Blobs

    async def test_blobs_by_content(self, store: Store) -> None:
        content = bytes(range(256)) * 9000
        sha256 = hashlib.sha256(content).hexdigest()
        for _ in range(2):
            assert await store.put_blob(chunks(content[:7], b"", content[7:]), limit=len(content)) == (
                sha256,
                len(content),
            )
        assert await store.blob_size(sha256) == len(content)
        for start, end in ((0, len(content)), (5, 6), (1_000_000, 2_200_000), (7, 7)):
            assert (
                b"".join([part async for part in store.read_blob(sha256, start, end)]) == content[start:end]
            )
        small = content[:100]
        with pytest.raises(LimitExceeded):
            await store.put_blob(chunks(small), limit=99)
        assert await store.blob_size(hashlib.sha256(small).hexdigest()) is None
        with pytest.raises(NotFound):
            await anext(store.read_blob("0" * 64, 0, 1))
        assert await store.blob_size("../../etc/passwd") is None

    # Time and processes

    async def test_what_was_written_is_there_after_reopening(self, place: Place) -> None:
        store = await place.open()
        log = Log(store, a_run("r"))
        await log.begin()
        for n in range(5):
            await store.commit(log.step(n))
        epoch = store.epoch
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.commit(log.step(5))
        again = await place.open()
        assert again.epoch == epoch
        await again.check()
        assert await Log(again, a_run("r")).check(5) == 5
        await again.close()

    async def test_what_was_acknowledged_survives_a_kill(self, place: Place) -> None:
        process = await child(place, "flood", "r")
        assert process.stdout is not None
        acknowledged = -1
        while acknowledged < 40:
            acknowledged = int(await process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest, _ = await process.communicate()
        numbers = [int(line) for line in rest.decode().split("\n")[:-1]]
        store = await place.open()
        steps = await Log(store, a_run("r")).check(max([acknowledged, *numbers]) + 1)
        await store.commit(Log(store, a_run("r")).step(steps))
        await store.close()

    async def test_three_processes_write_one_tree_and_their_own(self, place: Place, store: Store) -> None:
        run = a_run("shared")
        await save(store, run)
        sharers = await asyncio.gather(*(child(place, "shared", "shared", f"p{i}", 30) for i in range(2)))
        owner = await child(place, "own", "mine", 30)
        await share(store, run, "here", 30)
        await asyncio.gather(*map(ended, [*sharers, owner]))
        items = await read_all(store, ids.metric_id(run.id, "shared"))
        assert [item.start for item in items] == list(range(90))
        for writer in ("p0", "p1", "here"):
            mine = [item.data.decode() for item in items if item.data.startswith(writer.encode())]
            assert mine == [f"{writer} {n}" for n in range(30)]
        assert await store.ends([journal_of(run.id)]) == [91]
        await Log(store, a_run("mine")).check(30)

    async def test_processes_never_draw_the_same_number(self, place: Place, store: Store) -> None:
        processes = [await child(place, "count", "c", 25) for _ in range(2)]
        here = [await store.next_number("c") for _ in range(25)]
        there = [int(number) for said in await asyncio.gather(*map(ended, processes)) for number in said]
        assert len({*here, *there}) == 75

    async def test_commits_of_this_process_wake(self, store: Store) -> None:
        log = Log(store, a_run("r"))
        await log.begin()
        async with aclosing(store.wakes()) as one, aclosing(store.wakes()) as two:
            waiting = [asyncio.ensure_future(_wake(wakes, log.run.root)) for wakes in (one, two)]
            await asyncio.sleep(0.05)
            await store.commit(log.step(0))
            await asyncio.wait_for(asyncio.gather(*waiting), 10)

    async def test_commits_of_another_process_wake(self, place: Place, store: Store) -> None:
        async with aclosing(store.wakes()) as wakes:
            waiting = asyncio.ensure_future(_wake(wakes, ids.run_id(HOME, "far")))
            await asyncio.sleep(0.05)
            await ended(await child(place, "own", "far", 1))
            await asyncio.wait_for(waiting, 10)

    async def test_another_process_sees_what_is_committed(self, place: Place, store: Store) -> None:
        log = Log(store, a_run("r"))
        await log.begin()
        process = await child(place, "follow", log.metric.id, 2)
        for n in range(3):
            await store.commit(log.step(n))
        await asyncio.wait_for(ended(process), 20)


async def _wake(wakes: AsyncIterator[object], root: str) -> None:
    async for wake in wakes:
        roots = wake.roots  # type: ignore[attr-defined] # a Wake
        if roots is None or root in roots:
            return


async def _read_rows(store: Store, stream: str, rows: int) -> None:
    """Every row can be read at every moment."""
    for row in range(rows):
        [first, *_] = await eventually(lambda row=row: store.read(stream, row, end=row + 1))  # type: ignore[misc] # bound now
        assert first.start <= row < first.end
