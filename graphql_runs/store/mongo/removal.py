"""Taking away what a purge names, and old entries of journals: in small steps that can be repeated.

What a purge takes away leaves a place: a document with nothing but its tree, its turn and `reserved`. It is invisible, and keeps one who
comes late with an entry of before from making the document again (see `reservations`, which clears places away in the end).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql_runs.model.time import now
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.layout import LIVE, item_key, items_of, positions_of
from graphql_runs.store.mongo.operations import Clear, Query, Replace
from graphql_runs.store.port import journal_of

_RUNS = 200
_AT_ONCE = 500
"""Documents that are taken away together."""
_STREAMED = frozenset({"metric", "log"})
"""Collections of records whose id is the name of a stream."""


async def remove(driver: Driver, head: Head, runs: Sequence[str], *, whole: bool) -> None:
    """What a purge that is pending in a head takes away."""
    removal = _Removal(driver, head)
    for start in range(0, len(runs), _RUNS):
        await removal.runs(runs[start : start + _RUNS])
    if whole:
        await removal.rest()
        await forget(driver, journal_of(head.root), head.floor)


async def forget(driver: Driver, journal: str, before: int) -> None:
    """Delete the entries of a journal before a row."""
    low, high = item_key(journal, 0, 0), item_key(journal, 0, before)
    while True:
        rows: dict[str, Any] = {"$gte": low, "$lt": high}
        found = await driver.find("item", {"_id": rows}, fields=("_id",), sort=(("_id", 1),), limit=_AT_ONCE)
        if not found:
            return
        await driver.delete("item", {"_id": {"$gte": low, "$lte": found[-1]["_id"]}})
        low = found[-1]["_id"]


class _Removal:
    def __init__(self, driver: Driver, head: Head) -> None:
        self._driver = driver
        # Whatever was written after the purge stays.
        self._older = {"root": head.root, "turn": {"$lt": head.turn}}
        self._place = {"root": head.root, "turn": head.turn, "reserved": now()}
        self._positions = positions_of(head.root)

    async def runs(self, runs: Sequence[str]) -> None:
        """Runs and all that belongs to them."""
        # What speaks of other things goes before them.
        await self._leave("run", runs)
        for collection in ("metric", "log", "artifact"):
            await self._all(collection, {"owner": {"$in": list(runs)}})

    async def rest(self) -> None:
        """What of a tree belongs to no run."""
        await self._all("stream", {})
        await self._all("position", {"_id": self._positions})

    async def _all(self, collection: str, query: Query) -> None:
        # A place is not found any more, so that this ends.
        wanted = {**self._older, **query, **LIVE}
        while True:
            found = await self._driver.find(collection, wanted, fields=("_id",), limit=_AT_ONCE)
            if not found:
                return
            ids = [document["_id"] for document in found]
            if collection in _STREAMED:
                # A stream before its items, so that nobody looks for them, and the record last, which tells of both.
                await self._leave("stream", ids)
                await self._clear(ids)
            if collection == "stream":
                await self._clear(ids)
            await self._leave(collection, ids)

    async def _clear(self, streams: Sequence[str]) -> None:
        await self._driver.apply(
            "item", [Clear({"_id": items_of(stream), **self._older}) for stream in streams]
        )

    async def _leave(self, collection: str, ids: Sequence[str]) -> None:
        await self._driver.apply(
            collection, [Replace({"_id": id, **self._older}, {"_id": id, **self._place}) for id in ids]
        )
