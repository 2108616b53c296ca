"""A process may die between any two writes; what is left is nothing or everything, and a retry completes it once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import TypeVar

import pytest

from graphql_runs.model.change import Hint
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.store.mongo import MongoStore
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.port import Append, Batch, Item, Position, Store, journal_of
from tests.store.mongo.opening import connect, mongo
from tests.store.samples import HOME, Log, a_log, a_metric, a_run, entry, read_all

T = TypeVar("T")
RUN = a_run("r")
CHILD = a_run("child", root=RUN.id, parent=RUN.id, depth=1)


class Crash(Exception):
    """The process is gone."""


class CrashingDriver(Driver):
    """Dies at the write of a number, before it is carried out or after, and does nothing more."""

    crash_at: int | None = None
    carried_out = False
    writes = 0

    async def write(self, call: Callable[[], Awaitable[T]], *, again: bool) -> T:
        number, self.writes = self.writes, self.writes + 1
        if self.crash_at is not None and number >= self.crash_at:
            if number == self.crash_at and self.carried_out:
                await super().write(call, again=again)
            raise Crash
        return await super().write(call, again=again)


def first() -> Batch:
    """A batch that makes one of everything."""
    metric, log = a_metric(RUN, "loss", count=1, last=0.0), a_log(RUN, "out", size=3)
    return Batch(
        RUN.id,
        entry(0, RUN.id, CHILD.id),
        creates=(RUN, CHILD, metric, log),
        appends=(Append(metric.id, Item(0, 1, b"p0")), Append(log.id, Item(0, 3, b"abc"))),
        positions=(Position("w", 0, b"d0", b"n0"),),
        hints=(Hint(HOME, RUN.id, RUN.id, 1), Hint(HOME, CHILD.id, RUN.id, 1)),
    )


def second() -> Batch:
    """A batch that changes and grows everything."""
    metric, log = a_metric(RUN, "loss", count=2, last=1.0), a_log(RUN, "out", size=5)
    return Batch(
        RUN.id,
        entry(1, RUN.id),
        replaces=(replace(RUN, heartbeat_at=7), metric, log),
        creates=(a_metric(CHILD, "new"),),
        appends=(Append(metric.id, Item(1, 2, b"p1")), Append(log.id, Item(3, 5, b"de"))),
        positions=(Position("w", 1, b"d1"), Position("other", 0, b"o")),
        hints=(Hint(HOME, RUN.id, RUN.id, 2),),
    )


async def state(store: Store) -> tuple[object, ...]:
    """All that a batch touches."""
    metric, log = a_metric(RUN, "loss"), a_log(RUN, "out")
    return (
        await store.ends([journal_of(RUN.id), metric.id, log.id]),
        [await read_all(store, stream) for stream in (journal_of(RUN.id), metric.id, log.id)],
        await store.get(Run, [RUN.id, CHILD.id]),
        await store.get(Metric, [metric.id, a_metric(CHILD, "new").id]),
        await store.get(LogFile, [log.id]),
        await store.positions(RUN.id, ["w", "other"]),
        [replace(hint, n=0) for hint in await store.hints(HOME, 0, first=10)],
        [run.id for run in await store.tree_runs(RUN.id)],
        await store.count_runs(None),
        await store.count(Metric, RUN.id),
    )


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("batches", [1, 2])
async def test_a_crash_between_any_two_writes_leaves_nothing_or_everything(
    target: str, batches: int, carried_out: bool
) -> None:
    *before, batch = [first(), second()][:batches]
    expected = await complete(f"{target}_all", before, batch)
    for crash_at in count():
        place = f"{target}_{carried_out:d}_{crash_at}"
        driver = connect(place, CrashingDriver)
        assert isinstance(driver, CrashingDriver)
        dying = await MongoStore.open(driver, sweep_seconds=3600)
        for done in before:
            await dying.commit(done)
        driver.crash_at, driver.carried_out, driver.writes = crash_at, carried_out, 0
        crashed = True
        try:
            await dying.commit(batch)
            crashed = False
        except Crash:
            pass
        await dying.close()
        store = await mongo(place)
        [position] = await store.positions(RUN.id, ["w"])
        if position is None or position.sequence < batches - 1:
            assert crashed
            assert await store.ends([journal_of(RUN.id)]) == [batches - 1]
            await store.commit(batch)
        assert await state(store) == expected
        await store.close()
        if not crashed:
            assert crash_at > 4
            return


async def complete(place: str, before: list[Batch], batch: Batch) -> tuple[object, ...]:
    """The state after commits without a crash."""
    store = await mongo(place)
    for one in (*before, batch):
        await store.commit(one)
    found = await state(store)
    await store.close()
    return found


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_crash_while_merging_moves_no_row(target: str, carried_out: bool) -> None:
    for crash_at in count():
        place = f"{target}_{carried_out:d}_{crash_at}"
        driver = connect(place, CrashingDriver)
        assert isinstance(driver, CrashingDriver)
        dying = await MongoStore.open(driver, sweep_seconds=3600)
        log = Log(dying, RUN)
        await log.begin()
        for n in range(4):
            await dying.commit(log.step(n))
        merged = Item(1, 4, b"merged")
        parts = (await read_all(dying, log.metric.id))[1:]
        driver.crash_at, driver.carried_out, driver.writes = crash_at, carried_out, 0
        crashed = True
        try:
            assert await dying.compact(log.metric.id, merged, parts)
            crashed = False
        except Crash:
            pass
        await dying.close()
        store = await mongo(place)
        items = await read_all(store, log.metric.id)
        assert items in (
            [Item(0, 1, b"point 0"), *(Item(n, n + 1, f"point {n}".encode()) for n in range(1, 4))],
            [Item(0, 1, b"point 0"), merged],
        )
        assert await store.read_back(log.metric.id, 4, limit=1000) == items
        # Whatever state that is in, it can be merged and written to.
        await store.commit(log.step(4))
        items = await read_all(store, log.metric.id)
        assert await store.compact(log.metric.id, Item(0, 5, b"all"), items)
        assert await read_all(store, log.metric.id) == [Item(0, 5, b"all")]
        assert await store.fragmented(items=1, first=10) == []
        await store.close()
        if not crashed:
            return
