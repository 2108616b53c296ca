"""Merging small pieces of streams behind the writers' backs: rows never move, so no reader or cursor notices.

A merge takes the newest pieces of a stream and goes on to older ones while they are not much larger than what was gathered
(size-tiered), so that a point is rewritten a logarithmic number of times, until a piece has about 8k rows or 1 MiB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from graphql_runs.record.rounds import Rounds
from graphql_runs.store import segment
from graphql_runs.store.port import Item, Store

_BYTES = 1 << 20
_LOOK_BACK = 4 << 20
_AFTER_JOURNALS = "journal_~"
"""Journals keep one item an entry; the streams to merge come after them by name."""


@dataclass(frozen=True, slots=True)
class Merging:
    """When to merge and how far.

    items: pieces waiting in a stream that start a merge. rows: points of a merged piece, about. streams: most streams of one
    round. pause: seconds between rounds.
    """

    items: int = 64
    rows: int = 8192
    streams: int = 200
    pause: float = 5.0


_MERGING = Merging()


class Compactor(Rounds):
    """The background task of one server process."""

    def __init__(self, store: Store, merging: Merging = _MERGING) -> None:
        super().__init__("compaction", merging.pause)
        self._store = store
        self._merging = merging

    async def round(self) -> int:
        """Merge what is waiting now, within the bounds of one round; gives how many streams were merged."""
        merged = 0
        streams = await self._store.fragmented(
            items=self._merging.items, after=_AFTER_JOURNALS, first=self._merging.streams
        )
        for stream in streams:
            merged += await self._merge(stream)
        return merged

    async def _merge(self, stream: str) -> bool:
        [end] = await self._store.ends([stream])
        items = await self._store.read_back(stream, end, limit=_LOOK_BACK)
        rows = self._merging.rows if stream.startswith("metric_") else _BYTES
        # Several groups when a burst left more than one full piece.
        done = False
        while (group := tail(items, rows)) is not None:
            items = items[: -len(group)]
            if len(group) > 1:
                merged = await asyncio.to_thread(_points if stream.startswith("metric_") else _text, group)
                # Pieces that cannot be joined are taken as they are, so that no later round reads them again.
                for whole, parts in (
                    [(merged, group)] if merged is not None else [(item, [item]) for item in group]
                ):
                    done |= await self._store.compact(stream, whole, parts)
        return done


def tail(items: Sequence[Item], rows: int) -> list[Item] | None:
    """The newest pieces to merge into one of at most about `rows`; None when no pieces are left, and one piece alone when it
    stays as it is."""
    if not items:
        return None
    group = [items[-1]]
    total = items[-1].end - items[-1].start
    for item in reversed(items[:-1]):
        size = item.end - item.start
        if total + size > rows or size > 2 * total:
            break
        group.append(item)
        total += size
    group.reverse()
    return group


def _points(group: Sequence[Item]) -> Item | None:
    """One segment of all; None when the pieces differ in their columns' types, which a merge would change."""
    pieces = [segment.decode(item.start, item.data) for item in group]
    if len({segment.shape(piece) for piece in pieces}) > 1:
        return None
    joined = segment.concat(pieces)
    return Item(group[0].start, group[-1].end, segment.encode(joined.columns, joined.steps, joined.at))


def _text(group: Sequence[Item]) -> Item:
    return Item(group[0].start, group[-1].end, b"".join(item.data for item in group), group[0].mark)
