"""Commits: all or nothing, each precondition, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from graphql_runs.model.change import Hint
from graphql_runs.model.errors import Conflict
from graphql_runs.model.records import LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.port import Append, Batch, Item, Position, Purge, Store, journal_of
from tests.store.samples import HOME, Log, Place, a_log, a_metric, a_run, entry, read_all, save
from tests.store.suite.base import Suite

RUN, CHILD = a_run("r"), a_run("child", root=a_run("r").id, parent=a_run("r").id, depth=1)
LOSS, OUT = a_metric(RUN, "loss"), a_log(RUN, "out")

# The tree as `begin` leaves it has one entry, ten bytes of text, and no points.
GOOD = Batch(
    RUN.root,
    entry(1, CHILD.id),
    creates=(CHILD, a_metric(CHILD, "new")),
    replaces=(replace(RUN, tags={"new": "tag"}), replace(LOSS, count=1), replace(OUT, size=12)),
    appends=(Append(LOSS.id, Item(0, 1, b"p")), Append(OUT.id, Item(10, 12, b"ab", mark=3))),
    positions=(Position("w", 5, b"new", b"note"), Position("v", 0, b"first")),
    hints=(Hint(HOME, CHILD.id, RUN.root, 9),),
)

BAD: dict[str, Callable[[Batch], Batch]] = {
    "the journal has moved on": lambda batch: replace(batch, entry=entry(0)),
    "the journal is not there yet": lambda batch: replace(batch, entry=entry(2)),
    "a stream has moved on": lambda batch: replace(
        batch, appends=(batch.appends[0], Append(OUT.id, Item(9, 11, b"ab")))
    ),
    "a stream is not there yet": lambda batch: replace(
        batch, appends=(batch.appends[0], Append(OUT.id, Item(11, 12, b"a")))
    ),
    "a new stream is not there yet": lambda batch: replace(
        batch, appends=(*batch.appends, Append("log_new", Item(1, 2, b"a")))
    ),
    "a run exists": lambda batch: replace(batch, creates=(*batch.creates, RUN)),
    "a metric exists": lambda batch: replace(batch, creates=(*batch.creates, LOSS)),
    "a log exists": lambda batch: replace(batch, creates=(*batch.creates, OUT)),
    "a run is missing": lambda batch: replace(batch, replaces=(*batch.replaces, a_run("x"))),
    "a metric is missing": lambda batch: replace(batch, replaces=(*batch.replaces, a_metric(RUN, "x"))),
    "a log is missing": lambda batch: replace(batch, replaces=(*batch.replaces, a_log(RUN, "x"))),
}


async def begin(store: Store) -> None:
    await save(
        store,
        RUN,
        LOSS,
        OUT,
        appends=(Append(OUT.id, Item(0, 10, b"0123456789")),),
        positions=(Position("w", 4, b"old"),),
    )


async def all_there_is(store: Store) -> list[object]:
    """Everything that GOOD touches."""
    streams = [journal_of(RUN.root), LOSS.id, OUT.id, "log_new"]
    return [
        await store.get(Run, [RUN.id, CHILD.id, a_run("x").id]),
        await store.get(Metric, [LOSS.id, a_metric(CHILD, "new").id, a_metric(RUN, "x").id]),
        await store.get(LogFile, [OUT.id, a_log(RUN, "x").id]),
        await store.ends(streams),
        [await read_all(store, stream) for stream in streams],
        await store.positions(RUN.root, ["w", "v"]),
        await store.hints(HOME, 0, first=10),
        await store.tree_runs(RUN.root),
        await store.count(Metric, CHILD.id),
        await store.count_runs(None),
    ]


class Batches(Suite):
    """See the module."""

    async def test_a_batch_is_all_there(self, store: Store) -> None:
        await begin(store)
        await store.commit(GOOD)
        assert await store.get(Run, [RUN.id, CHILD.id]) == [GOOD.replaces[0], CHILD]
        assert await store.get(Metric, [LOSS.id]) == [GOOD.replaces[1]]
        assert await store.get(LogFile, [OUT.id]) == [GOOD.replaces[2]]
        assert await store.ends([journal_of(RUN.root), LOSS.id, OUT.id]) == [2, 1, 12]
        assert await store.read(OUT.id, 10) == [Item(10, 12, b"ab", mark=3)]
        assert await store.read(journal_of(RUN.root), 1) == [GOOD.entry]
        assert await store.positions(RUN.root, ["v", "nobody", "w"]) == [
            GOOD.positions[1],
            None,
            GOOD.positions[0],
        ]
        assert await store.positions(CHILD.id, ["w"]) == [None]
        assert await store.hints(HOME, 0, first=10) == [replace(GOOD.hints[0], n=1)]

    @pytest.mark.parametrize("what", BAD)
    async def test_a_failed_precondition_leaves_no_trace(self, store: Store, what: str) -> None:
        await begin(store)
        before = await all_there_is(store)
        with pytest.raises(Conflict):
            await store.commit(BAD[what](GOOD))
        assert await all_there_is(store) == before
        await store.commit(GOOD)
        [n] = await store.ends([journal_of(RUN.root)])
        assert n == 2

    async def test_a_conflict_among_many_fails_alone(self, store: Store) -> None:
        logs = [Log(store, a_run(f"r{i}")) for i in range(12)]
        await asyncio.gather(*(log.begin() for log in logs))
        good = [log.step(0) for log in logs]
        bad = [replace(log.step(0), creates=(log.run,)) for log in logs]
        mixed = [batch for pair in zip(bad, good, strict=True) for batch in pair]
        results = await asyncio.gather(*(store.commit(batch) for batch in mixed), return_exceptions=True)
        assert [isinstance(result, Conflict) for result in results] == [True, False] * 12
        assert results[1::2] == [None] * 12
        for log in logs:
            assert await log.check(1) == 1

    async def test_a_conflict_does_not_hold_up_what_comes_next(self, store: Store, place: Place) -> None:
        other = await place.open()
        await begin(store)
        workspace = Workspace(HOME, "home", 1)
        await store.upsert(workspace, None)
        failing: list[Callable[[int], Awaitable[None]]] = [
            lambda n: store.commit(Batch(RUN.root, entry(n + 1))),
            lambda n: store.commit(Batch(RUN.root, entry(n), replaces=(a_run("x"),))),
            lambda n: store.commit(Batch(RUN.root, entry(n), appends=(Append(OUT.id, Item(9, 11, b"ab")),))),
            lambda n: store.purge(Purge(RUN.root, entry(n + 1), (RUN.id,))),
            lambda n: store.upsert(replace(workspace, created_at=3), replace(workspace, created_at=2)),
        ]
        for n, fail in enumerate(failing, start=1):
            with pytest.raises(Conflict):
                await fail(2 * n - 1)
            await other.commit(Batch(RUN.root, entry(2 * n - 1)))
            await store.commit(Batch(RUN.root, entry(2 * n)))
        await other.close()

    async def test_one_of_many_for_the_same_entry_wins(self, store: Store) -> None:
        await begin(store)
        batches = [Batch(RUN.root, entry(1), positions=(Position(f"w{i}", i, b""),)) for i in range(20)]
        results = await asyncio.gather(*(store.commit(batch) for batch in batches), return_exceptions=True)
        assert results.count(None) == 1
        assert all(result is None or isinstance(result, Conflict) for result in results)
        positions = await store.positions(RUN.root, [f"w{i}" for i in range(20)])
        assert [position is not None for position in positions] == [result is None for result in results]

    async def test_batches_of_one_tree_queue_up(self, store: Store) -> None:
        log = Log(store, a_run("r"))
        await log.begin()
        await asyncio.gather(*(store.commit(log.step(n)) for n in range(200)))
        assert await log.check(200) == 200

    async def test_a_reader_sees_whole_batches(self, store: Store, place: Place) -> None:
        other = await place.open()
        log = Log(store, a_run("r"))
        await log.begin()

        async def write() -> None:
            for n in range(60):
                await store.commit(log.step(n))

        writing = asyncio.create_task(write())
        while not writing.done():
            # Both in one call, so of one moment.
            points, entries = await other.ends([log.metric.id, journal_of(log.run.root)])
            assert entries == points + 1
        await writing
        await other.close()

    async def test_a_run_changes_what_it_is_found_by(self, store: Store) -> None:
        run = a_run("r", tags={"a": "1", "b": "2"}, params={"p": "x"})
        await save(store, run)
        changed = replace(run, tags={"b": "3", "c": "4"}, params={"p": "x"}, display_name="new")
        await store.commit(Batch(run.root, entry(1), replaces=(changed,)))
        assert await store.get(Run, [run.id]) == [changed]
        bare = replace(run, tags={}, params={})
        await store.commit(Batch(run.root, entry(2), replaces=(bare,)))
        assert await store.get(Run, [run.id]) == [bare]

    async def test_a_cancelled_commit_is_whole_or_absent(self, store: Store) -> None:
        await begin(store)
        before = await all_there_is(store)
        task = asyncio.create_task(store.commit(GOOD))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.next_number("after")
        after = await all_there_is(store)
        if after == before:
            await store.commit(GOOD)
        assert await store.get(Run, [RUN.id, CHILD.id]) == [GOOD.replaces[0], CHILD]
        assert await store.ends([journal_of(RUN.root), LOSS.id, OUT.id]) == [2, 1, 12]
