"""Streams by row, and merging their items."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_runs.store.port import Append, Batch, Item, Store
from tests.store.samples import Place, a_run, entry, read_all
from tests.store.suite.base import Suite

RUN = a_run("r")
STREAM = "metric_stream"


def covering(*sizes: int) -> list[Item]:
    """Items of so many rows, ten bytes a row."""
    items: list[Item] = []
    for size in sizes:
        start = items[-1].end if items else 0
        rows = range(start, start + size)
        items.append(Item(start, start + size, b"".join(b"%10d" % row for row in rows), mark=start * 2))
    return items


async def write(store: Store, items: list[Item], stream: str = STREAM, *, n: int = 0) -> None:
    await asyncio.gather(
        *(
            store.commit(Batch(RUN.root, entry(n + i), appends=(Append(stream, item),)))
            for i, item in enumerate(items)
        )
    )


def joined(items: list[Item]) -> Item:
    return Item(items[0].start, items[-1].end, b"".join(item.data for item in items), items[0].mark)


class Streams(Suite):
    """See the module."""

    async def test_a_stream_that_never_was(self, store: Store) -> None:
        assert await store.ends(["metric_nothing", STREAM]) == [0, 0]
        assert await store.ends([]) == []
        assert await store.read(STREAM, 0) == []
        assert await store.read_back(STREAM, 100, limit=100) == []

    async def test_reading_rows(self, store: Store) -> None:
        items = covering(3, 1, 5, 2)
        await write(store, items)
        assert await store.ends([STREAM]) == [11]
        assert await store.read(STREAM, 0) == items
        for start in range(-1, 13):
            for end in (None, *range(-1, 13)):
                low, high = max(start, 0), 11 if end is None else end
                expected = [item for item in items if item.start < high and item.end > low and low < high]
                assert await store.read(STREAM, start, end=end) == expected, (start, end)

    async def test_reading_stops_at_a_limit(self, store: Store) -> None:
        items = covering(3, 1, 5, 2)
        await write(store, items)
        assert await store.read(STREAM, 0, limit=1) == items[:1]
        assert await store.read(STREAM, 4, limit=1) == items[2:3]
        for limit in (1, 30, 31, 40, 41, 1000):
            found = await store.read(STREAM, 0, limit=limit)
            assert found == items[: len(found)]
            # No more than about the limit: without its last item it is below.
            assert sum(len(item.data) for item in found[:-1]) < limit
        assert await store.read(STREAM, 0, limit=10**6) == items

    async def test_reading_backwards(self, store: Store) -> None:
        items = covering(3, 1, 5, 2)
        await write(store, items)
        assert await store.read_back(STREAM, 11, limit=10**6) == items
        assert await store.read_back(STREAM, 11, limit=1) == items[-1:]
        assert await store.read_back(STREAM, 9, limit=1) == items[2:3]
        assert await store.read_back(STREAM, 5, limit=1) == items[2:3]
        assert await store.read_back(STREAM, 4, limit=20) == items[:2]
        assert await store.read_back(STREAM, 0, limit=20) == []
        for limit in (1, 20, 21, 70, 71, 1000):
            found = await store.read_back(STREAM, 11, limit=limit)
            assert found == items[-len(found) :]
            assert sum(len(item.data) for item in found[1:]) < limit

    @pytest.mark.parametrize("size", [0, 1, 5000, 300_000, 3_000_000])
    async def test_bytes_of_any_size(self, store: Store, size: int) -> None:
        data = bytes(i * 7 % 256 for i in range(min(size, 1000))) * max(1, size // 1000)
        await write(store, [Item(0, 5, data)])
        assert await store.read(STREAM, 0) == [Item(0, 5, data)]

    async def test_rows_beyond_four_billion(self, store: Store) -> None:
        items = [Item(0, 2**40, b"a"), Item(2**40, 2**40 + 1, b"b", mark=2**35)]
        await write(store, items)
        assert await store.ends([STREAM]) == [2**40 + 1]
        assert await store.read(STREAM, 2**40 - 1) == items
        assert await store.read(STREAM, 2**40) == items[1:]

    async def test_merging_moves_no_row(self, store: Store, place: Place) -> None:
        items = covering(*[2] * 10)
        await write(store, items)
        middle = joined(items[2:7])
        assert await store.compact(STREAM, middle, items[2:7])
        expected = [*items[:2], middle, *items[7:]]
        assert await read_all(store, STREAM) == expected
        assert await store.read(STREAM, 9, end=10) == [middle]
        assert await store.read_back(STREAM, 9, limit=1) == [middle]
        assert await store.ends([STREAM]) == [20]
        # Again, over the merged one; and it goes on at its end.
        assert await store.compact(STREAM, joined(items), expected)
        assert await read_all(store, STREAM) == [joined(items)]
        more = covering(20, 1)[1:]
        await write(store, more, n=10)
        await store.close()
        again = await place.open()
        assert await read_all(again, STREAM) == [joined(items), *more]
        await again.close()

    async def test_merging_what_is_not_there_changes_nothing(self, store: Store) -> None:
        items = covering(2, 2, 2, 2)
        await write(store, items)
        merged, parts = joined(items[1:3]), items[1:3]
        assert not await store.compact(STREAM, merged, [items[1], replace(items[2], end=7)])
        assert not await store.compact(STREAM, merged, [items[1]])
        assert not await store.compact(STREAM, merged, [Item(2, 3, b"x"), Item(3, 4, b"x"), items[2]])
        # The rows of another life.
        assert not await store.compact(STREAM, merged, [items[1], replace(items[2], data=b"other")])
        assert not await store.compact(STREAM, merged, [])
        assert not await store.compact(STREAM, replace(merged, end=8), parts)
        assert not await store.compact(STREAM, Item(8, 9, b"x"), [Item(8, 9, b"x")])
        assert not await store.compact("metric_nothing", merged, parts)
        assert await read_all(store, STREAM) == items
        assert await store.compact(STREAM, merged, parts)
        assert not await store.compact(STREAM, merged, parts)
        assert await read_all(store, STREAM) == [items[0], merged, items[3]]

    async def test_one_of_many_merges_at_once_wins(self, store: Store) -> None:
        items = covering(*[1] * 8)
        await write(store, items)
        done = await asyncio.gather(*(store.compact(STREAM, joined(items), items) for _ in range(8)))
        assert done.count(True) == 1
        assert await read_all(store, STREAM) == [joined(items)]

    async def test_readers_and_writers_do_not_notice_a_merge(self, store: Store, place: Place) -> None:
        other = await place.open()
        items = covering(*[1] * 150)
        written = asyncio.Event()

        async def append() -> None:
            for n, item in enumerate(items):
                await store.commit(Batch(RUN.root, entry(n), appends=(Append(STREAM, item),)))
                if n == 10:
                    written.set()

        async def merge() -> int:
            await written.wait()
            merges = 0
            while not appending.done():
                waiting = (await other.read(STREAM, 0, limit=10**6))[-7:]
                merges += await other.compact(STREAM, joined(waiting), waiting)
            return merges

        async def look(reader: Store) -> None:
            row = 0
            while not appending.done() or row < 150:
                for item in await reader.read(STREAM, row, limit=30):
                    assert item.start <= row < item.end
                    assert item.data == b"".join(b"%10d" % at for at in range(item.start, item.end))
                    row = item.end

        appending = asyncio.create_task(append())
        merges, *_ = await asyncio.gather(merge(), look(store), look(other), appending)
        assert merges > 0
        assert b"".join(item.data for item in await read_all(store, STREAM)) == joined(items).data
        await other.close()

    async def test_streams_that_wait_to_be_merged(self, store: Store) -> None:
        await write(store, covering(*[1] * 40), "metric_b")
        await write(store, covering(*[1] * 20), "metric_a", n=40)
        await write(store, covering(*[1] * 3), "log_c", n=60)
        assert await store.fragmented(items=20, first=10) == ["metric_a", "metric_b"]
        assert await store.fragmented(items=3, first=10) == ["log_c", "metric_a", "metric_b"]
        assert await store.fragmented(items=21, first=10) == ["metric_b"]
        assert await store.fragmented(items=41, first=10) == []
        assert await store.fragmented(items=3, first=2) == ["log_c", "metric_a"]
        assert await store.fragmented(items=3, after="metric_a", first=10) == ["metric_b"]
        # What was merged waits no longer, what came after it does.
        parts = covering(*[1] * 40)
        assert await store.compact("metric_b", joined(parts), parts)
        assert await store.fragmented(items=20, first=10) == ["metric_a"]
        await write(store, [Item(40 + i, 41 + i, b"x") for i in range(20)], "metric_b", n=63)
        assert await store.fragmented(items=20, first=10) == ["metric_a", "metric_b"]
        # One that is as good as merged is taken off the list by a merge of itself.
        alone = covering(9)
        await write(store, alone, "metric_d", n=83)
        assert await store.fragmented(items=1, after="metric_b", first=10) == ["metric_d"]
        assert await store.compact("metric_d", alone[0], alone)
        assert await store.fragmented(items=1, after="metric_b", first=10) == []

    @settings(
        max_examples=15,
        deadline=None,
        # One test for every store: the class differs, what is drawn does not.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.differing_executors,
        ],
    )
    @given(
        sizes=st.lists(st.integers(1, 4), min_size=1, max_size=12),
        merges=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6),
        data=st.data(),
    )
    async def test_any_merges_leave_the_rows_alone(
        self, store: Store, sizes: list[int], merges: list[tuple[int, int]], data: st.DataObject
    ) -> None:
        [n] = await store.ends([f"journal_{RUN.root.removeprefix('run_')}"])
        stream = f"metric_{n}"
        items = covering(*sizes)
        await write(store, items, stream, n=n)
        end, there = items[-1].end, list(items)
        for low, high in merges:
            group = there[low:high]
            if group:
                assert await store.compact(stream, joined(group), group)
                there[low:high] = [joined(group)]
        assert await read_all(store, stream) == there
        start = data.draw(st.integers(0, end - 1))
        stop = data.draw(st.integers(start + 1, end))
        found = await store.read(stream, start, end=stop)
        assert found == [item for item in there if item.start < stop and item.end > start]
