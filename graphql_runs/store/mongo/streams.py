"""Streams: items by row, where they end, and which wait to be merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.heads import Heads
from graphql_runs.store.mongo.layout import JOURNAL, LIVE, item_key
from graphql_runs.store.mongo.operations import Document
from graphql_runs.store.port import Extent, Item, journal_of, journal_root

_LOOKS = 5
"""A hole that is still there after so many looks is one."""
_BATCH = 100
_SMALL = 2048
"""Bytes that an item has at least, about, when guessing how many of them a limit asks for."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    start: int
    end: int
    life: int


class Streams:
    """All streams of a store."""

    def __init__(self, driver: Driver, heads: Heads) -> None:
        self._driver = driver
        self._heads = heads

    async def ends(self, streams: Sequence[str]) -> list[int]:
        """See `Store.ends`."""
        journals = {stream: root for stream in streams if (root := journal_root(stream)) is not None}
        others = [stream for stream in set(streams) if stream not in journals]
        roots = set(journals.values())
        if others and len(set(streams)) > 1:
            known = await self._driver.find("stream", {"_id": {"$in": others}}, fields=("root",))
            roots.update(document["root"] for document in known)
        while True:
            # All of one moment: that of the heads.
            heads = await self._heads.get(list(roots)) if roots else {}
            ends = None if await self._finish_purges(heads) else await self._ends_of(others, heads)
            if ends is not None:
                ends |= {stream: heads[root].applied for stream, root in journals.items() if root in heads}
                return [ends.get(stream, 0) for stream in streams]

    async def _finish_purges(self, heads: Mapping[str, Head]) -> bool:
        """Whether there were any. While one is applied, nobody can tell where streams ended before it."""
        purged = [head.root for head in heads.values() if head.entry and head.entry["kind"] == "purge"]
        for root in purged:
            await self._heads.settle(root)
        return bool(purged)

    async def _ends_of(self, streams: Sequence[str], heads: Mapping[str, Head]) -> dict[str, int] | None:
        """Where streams ended at the turns up to which heads are applied; None when one has grown too often since then."""
        if not streams:
            return {}
        fields = ("root", "end", "since", "end_before", "since_before")
        found = await self._driver.find("stream", {"_id": {"$in": streams}, **LIVE}, fields=fields)
        ends = {document["_id"]: _end_at(document, heads.get(document["root"])) for document in found}
        known = {stream: end for stream, end in ends.items() if end is not None}
        return known if len(known) == len(ends) else None

    async def extents(self, after: str | None, first: int) -> list[Extent]:
        """See `Store.streams`."""
        if first <= 0:
            return []
        query = {"_id": {"$gt": after or ""}, **LIVE}
        found = await self._driver.find("stream", query, fields=("end",), sort=(("_id", 1),), limit=first)
        extents = [Extent(document["_id"], 0, document["end"]) for document in found]
        return sorted(extents + await self._journals(after or "", first), key=lambda one: one.stream)[:first]

    async def _journals(self, after: str, first: int) -> list[Extent]:
        query: dict[str, Any] = {"applied": {"$gt": 0}}
        if after > JOURNAL:
            root = journal_root(after)
            if root is None:
                return []
            query["_id"] = {"$gt": root}
        fields = ("floor", "applied")
        found = await self._driver.find("tree", query, fields=fields, sort=(("_id", 1),), limit=first)
        return [Extent(journal_of(one["_id"]), one["floor"], one["applied"]) for one in found]

    async def read(self, stream: str, start: int, end: int | None, limit: int | None) -> list[Item]:
        """See `Store.read`."""
        for _ in range(_LOOKS):
            bounds = await self._bounds(stream)
            if bounds is None:
                return []
            stop = bounds.end if end is None else min(end, bounds.end)
            # A hole may have been filled by a merge meanwhile.
            if (found := await self._read(stream, bounds, max(start, bounds.start), stop, limit)) is not None:
                return found
        raise StoreUnavailable(f"the store is damaged: {stream} lacks rows from {start} on")

    async def read_back(self, stream: str, end: int, limit: int) -> list[Item]:
        """See `Store.read_back`."""
        for _ in range(_LOOKS):
            bounds = await self._bounds(stream)
            if bounds is None or min(end, bounds.end) <= bounds.start:
                return []
            if (found := await self._read_back(stream, bounds, min(end, bounds.end), limit)) is not None:
                return found
        raise StoreUnavailable(f"the store is damaged: {stream} lacks rows before {end}")

    async def fragmented(self, items: int, after: str | None, first: int) -> list[str]:
        """See `Store.fragmented`."""
        if first <= 0:
            return []
        query = {"waiting": {"$gte": items}, "_id": {"$gt": after or ""}}
        found = await self._driver.find("stream", query, fields=("_id",), sort=(("_id", 1),), limit=first)
        return [document["_id"] for document in found]

    async def _bounds(self, stream: str) -> _Bounds | None:
        if (root := journal_root(stream)) is not None:
            head = (await self._heads.get([root])).get(root)
            return None if head is None else _Bounds(head.floor, head.applied, 0)
        found = await self._driver.find_one("stream", {"_id": stream, **LIVE}, fields=("end", "life"))
        return None if found is None else _Bounds(0, found["end"], found["life"])

    async def _read(
        self, stream: str, bounds: _Bounds, start: int, stop: int, limit: int | None
    ) -> list[Item] | None:
        """Items without a gap that hold rows `[start, stop)`; None when there is a gap."""
        if start >= stop:
            return []
        low = item_key(stream, bounds.life, start)
        if start and journal_root(stream) is None:
            # The item that holds the row may begin before it.
            query = {"_id": {"$gte": item_key(stream, bounds.life, 0), "$lte": low}, "end": {"$gt": start}}
            holder = await self._driver.find_one("item", query, fields=("_id",), sort=(("_id", -1),))
            if holder is None:
                return None
            low = holder["_id"]
        items: list[Item] = []
        size, at = 0, start
        query = {"_id": {"$gte": low, "$lt": item_key(stream, bounds.life, stop)}}
        scan = self._driver.scan("item", query, sort=(("_id", 1),), batch=_batch(limit))
        async with aclosing(scan) as documents:
            async for document in documents:
                if document["end"] <= at:
                    continue  # covered by the one before
                if document["start"] > at:
                    return None
                items.append(_item(document))
                at = document["end"]
                size += len(document["data"])
                if limit is not None and size >= limit:
                    return items
        return items if at >= stop else None

    async def _read_back(self, stream: str, bounds: _Bounds, stop: int, limit: int) -> list[Item] | None:
        """Items without a gap up to row `stop`, the last first; None when there is a gap."""
        items: list[Item] = []
        size, low = 0, stop
        first = item_key(stream, bounds.life, bounds.start)
        query = {"_id": {"$gte": first, "$lt": item_key(stream, bounds.life, stop)}}
        scan = self._driver.scan("item", query, sort=(("_id", -1),), batch=_batch(limit))
        async with aclosing(scan) as documents:
            async for document in documents:
                if document["end"] < low:
                    # Covered by one that begins before it, or there is a gap, which shows in the end.
                    continue
                # What this one covers was read too soon.
                while items and items[-1].end <= document["end"]:
                    size -= len(items.pop().data)
                items.append(_item(document))
                low = document["start"]
                size += len(document["data"])
                if size >= limit:
                    break
        if not items or (size < limit and low > bounds.start):
            return None
        return items[::-1]


def _end_at(document: Document, head: Head | None) -> int | None:
    """Where a stream ended at the turn up to which a head is applied; None when it has grown too often since then."""
    if head is None or document["since"] <= head.applied_turn:
        return int(document["end"])
    return int(document["end_before"]) if document["since_before"] <= head.applied_turn else None


def _batch(limit: int | None) -> int:
    return _BATCH if limit is None else max(2, min(_BATCH, limit // _SMALL))


def _item(document: Document) -> Item:
    return Item(document["start"], document["end"], document["data"], document["mark"])
