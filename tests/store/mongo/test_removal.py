"""Purges and trims through crashes, and beside processes that come late with something of before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import TypeVar

import pytest

from graphql_runs.model.change import Hint
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import now
from graphql_runs.store.mongo import MongoStore, blobs, reservations
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.port import Append, Batch, Item, Position, Purge, Store, journal_of
from tests.store.mongo.opening import connect, mongo
from tests.store.mongo.test_crashes import CHILD, RUN, Crash, CrashingDriver, first, second, state
from tests.store.samples import HOME, a_metric, a_run, entry, read_all

T = TypeVar("T")
WHOLE = Purge(RUN.id, entry(2, RUN.id), (RUN.id, CHILD.id), (Hint(HOME, RUN.id, RUN.id, 3),))
PART = Purge(RUN.id, entry(2, RUN.id), (CHILD.id,))
NEW = a_metric(CHILD, "new")


def anew(n: int) -> Batch:
    """The first batch again, at a later row, without what a purge of a part leaves."""
    return replace(first(), entry=entry(n, RUN.id, CHILD.id))


class PausingDriver(Driver):
    """Waits before the write of a number."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type] # handed on
        self.pause_at: int | None = None
        self.writes = 0
        self.there, self.go_on = asyncio.Event(), asyncio.Event()

    async def write(self, call: Callable[[], Awaitable[T]], *, again: bool) -> T:
        number, self.writes = self.writes, self.writes + 1
        if number == self.pause_at:
            self.there.set()
            await self.go_on.wait()
        return await super().write(call, again=again)


@asynccontextmanager
async def paused(
    store: MongoStore, driver: PausingDriver, at: int, work: Awaitable[None]
) -> AsyncIterator[bool]:
    """Inside, the work waits before its write of that number; gives whether it has so many."""
    driver.pause_at, driver.writes = at, 0
    doing = asyncio.ensure_future(work)
    waiting = asyncio.create_task(driver.there.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield not doing.done()
    finally:
        driver.go_on.set()
        await asyncio.gather(doing, waiting if driver.there.is_set() else doing)
        waiting.cancel()
        await store.close()


async def opened(place: str, kind: type[Driver], *batches: Batch) -> tuple[MongoStore, Driver]:
    """A store with those batches."""
    driver = connect(place, kind)
    store = await MongoStore.open(driver, sweep_seconds=3600)
    for batch in batches:
        await store.commit(batch)
    return store, driver


async def nothing_left(store: Store) -> bool:
    """Of the tree that `first` and `second` make."""
    metric = a_metric(RUN, "loss")
    return (
        await store.get(Run, [RUN.id, CHILD.id]) == [None, None]
        and await store.get(Metric, [metric.id, NEW.id]) == [None, None]
        and await store.all_positions(RUN.id, first=9) == []
        and await store.ends([metric.id]) == [0]
        and [one.stream for one in await store.streams(first=9)] == [journal_of(RUN.id)]
        and (await store.sizes()).items == len(await read_all(store, journal_of(RUN.id)))
    )


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("purge", [WHOLE, PART], ids=["tree", "part"])
async def test_a_crash_between_any_two_writes_of_a_purge(
    target: str, purge: Purge, carried_out: bool
) -> None:
    expected, _ = await opened(f"{target}_{carried_out:d}_all", Driver, first(), second())
    before = await state(expected)
    await expected.purge(purge)
    after = await state(expected)
    await expected.close()
    for crash_at in count():
        place = f"{target}_{carried_out:d}_{crash_at}"
        dying, driver = await opened(place, CrashingDriver, first(), second())
        assert isinstance(driver, CrashingDriver)
        driver.crash_at, driver.carried_out, driver.writes = crash_at, carried_out, 0
        crashed = True
        try:
            await dying.purge(purge)
            crashed = False
        except Crash:
            pass
        await dying.close()
        # Whoever comes next finishes it.
        store = await mongo(place)
        [n] = await store.ends([journal_of(RUN.id)])
        if n == 2:
            assert crashed
            assert await state(store) == before
            await store.purge(purge)
        assert await state(store) == after
        if purge is WHOLE:
            assert await nothing_left(store)
            await store.commit(anew(3))
            assert await store.positions(RUN.id, ["w"]) == [Position("w", 0, b"d0", b"n0")]
        else:
            await store.commit(Batch(RUN.id, entry(3), creates=(CHILD, NEW)))
        assert await store.get(Run, [CHILD.id]) == [CHILD]
        await store.close()
        if not crashed:
            assert crash_at > 5
            return


@pytest.mark.parametrize("made_again", [False, True])
async def test_a_commit_that_is_applied_late_brings_nothing_back(target: str, made_again: bool) -> None:
    for at in count(1):
        place = f"{target}_{made_again:d}_{at}"
        slow, driver = await opened(place, PausingDriver, first())
        assert isinstance(driver, PausingDriver)
        fast = await mongo(place)
        async with paused(slow, driver, at, slow.commit(second())) as waits:
            # Asking for positions finishes what is pending.
            await fast.positions(RUN.id, ["w"])
            assert await fast.positions(RUN.id, ["w"]) == [Position("w", 1, b"d1", None)]
            await fast.purge(WHOLE)
            assert await nothing_left(fast)
            if made_again:
                await fast.commit(anew(3))
            expected = await state(fast)
        # But for hints, which may double.
        assert without_hints(await state(fast)) == without_hints(expected)
        if made_again:
            assert await read_all(fast, a_metric(RUN, "loss").id) == [Item(0, 1, b"p0")]
        else:
            assert await fast.count_runs(None) == 0
            assert await fast.get(Metric, [a_metric(RUN, "loss").id, NEW.id]) == [None, None]
            assert await fast.all_positions(RUN.id, first=9) == []
            assert await fast.ends([a_metric(RUN, "loss").id]) == [0]
        await fast.close()
        if not waits:
            assert at > 4
            return


async def test_a_purge_that_is_applied_late_takes_nothing_new_away(target: str) -> None:
    for at in count(1):
        place = f"{target}_{at}"
        slow, driver = await opened(place, PausingDriver, first(), second())
        assert isinstance(driver, PausingDriver)
        fast = await mongo(place)
        async with paused(slow, driver, at, slow.purge(WHOLE)) as waits:
            await fast.positions(RUN.id, ["w"])
            assert await fast.positions(RUN.id, ["w"]) == [None]
            await fast.commit(anew(3))
            expected = await state(fast)
        assert without_hints(await state(fast)) == without_hints(expected)
        await fast.close()
        if not waits:
            assert at > 5
            return


def without_hints(found: tuple[object, ...]) -> list[object]:
    return [one for one in found if not (isinstance(one, list) and one and isinstance(one[0], Hint))]


async def test_a_purged_run_can_be_made_in_another_tree(target: str) -> None:
    store = await mongo(target)
    roots = [a_run(f"root{i}") for i in range(3)]
    ends = dict.fromkeys((root.id for root in roots), 0)
    for n in range(9):
        root = roots[n % 3]
        shared = a_run("shared", root=root.id, parent=root.id, depth=1)
        metric = a_metric(shared, "loss", last=float(n))
        new = () if ends[root.id] else (root,)
        data = b"%d" % n
        await store.commit(
            Batch(
                root.id,
                entry(ends[root.id]),
                creates=(*new, shared, metric),
                appends=(Append(metric.id, Item(0, 1, data)),),
            )
        )
        assert await store.get(Run, [shared.id]) == [shared]
        assert await store.get(Metric, [metric.id]) == [metric]
        assert await read_all(store, metric.id) == [Item(0, 1, data)]
        await store.purge(Purge(root.id, entry(ends[root.id] + 1), (shared.id,)))
        assert await store.get(Metric, [metric.id]) == [None]
        assert await read_all(store, metric.id) == []
        ends[root.id] += 2
    await store.close()


async def test_places_are_cleared_away(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, driver = await opened(target, Driver, first(), second())
    await store.purge(WHOLE)
    places = {name: await driver.count(name, {"reserved": {"$exists": True}}) for name in reservations.KEPT}
    assert places == {"run": 2, "metric": 2, "log": 1, "artifact": 0, "position": 2, "stream": 2}
    sweep = store._heads.reservations.sweep
    await sweep()
    assert await driver.count("run", {}) == 2
    monkeypatch.setattr(reservations, "_LEAST_MICROS", -1_000_000)
    await sweep()
    for name in reservations.KEPT:
        assert await driver.count(name, {}) == 0
    await store.commit(anew(3))
    await sweep()
    assert await store.count_runs(None) == 2
    await store.close()


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_crash_while_trimming_loses_nothing_else(target: str, carried_out: bool) -> None:
    journal = journal_of(RUN.id)
    for crash_at in count():
        place = f"{target}_{carried_out:d}_{crash_at}"
        dying, driver = await opened(place, CrashingDriver, first(), second())
        assert isinstance(driver, CrashingDriver)
        driver.crash_at, driver.carried_out, driver.writes = crash_at, carried_out, 0
        crashed = True
        try:
            await dying.trim(RUN.id, 1)
            crashed = False
        except Crash:
            pass
        await dying.close()
        store = await mongo(place)
        items = await read_all(store, journal)
        assert items in ([first().entry, second().entry], [second().entry])
        await store.trim(RUN.id, 1)
        assert await read_all(store, journal) == [second().entry]
        assert await store.read_back(journal, 2, limit=1000) == [second().entry]
        assert (await store.sizes()).items == 5
        await store.close()
        if not crashed:
            assert crash_at >= 3
            return


async def test_a_sweep_of_blobs_that_crashed_is_finished(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "_ABANDONED_MICROS", -1_000_000)

    async def content() -> AsyncIterator[bytes]:
        yield b"abc"

    for crash_at in count():
        place = f"{target}_{crash_at}"
        dying, driver = await opened(place, CrashingDriver)
        assert isinstance(driver, CrashingDriver)
        await dying.put_blob(content(), limit=10)
        driver.crash_at, driver.carried_out, driver.writes = crash_at, True, 0
        crashed = True
        try:
            assert await dying.sweep_blobs(now() + 1) == 1
            crashed = False
        except Crash:
            pass
        await dying.close()
        store, left = await opened(place, Driver)
        await store.sweep_blobs(now() + 1)
        await store._blobs.tidy()
        assert [await left.count(f"blob.{name}", {}) for name in ("files", "chunks", "uploads")] == [0, 0, 0]
        await store.close()
        if not crashed:
            assert crash_at == 4
            return
