"""Applying what a head has decided. Every write is harmless to repeat, by whatever process and however late; what makes it so
is shown in `tests/store/model`."""

from __future__ import annotations

import asyncio

from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.hints import UNSAID, Hints
from graphql_runs.store.mongo.layout import item_key
from graphql_runs.store.mongo.operations import Change, Document, Drop, Query, Replace
from graphql_runs.store.mongo.removal import forget, remove
from graphql_runs.store.port import journal_of

PENDING: Query = {"entry.kind": {"$exists": True}}
"""Of heads: something is pending."""


class Finisher:
    """For all trees of a store."""

    def __init__(self, driver: Driver, hints: Hints) -> None:
        self._driver = driver
        self._hints = hints

    async def finish(self, head: Head) -> None:
        """Apply the pending entry of a head. Any process may, at any time, any number of times."""
        entry = head.entry
        assert entry is not None
        match entry["kind"]:
            case "batch":
                await self._apply_batch(head, entry)
            case "compaction":
                await self._apply_compaction(head, entry)
            case "trim":
                await forget(self._driver, journal_of(head.root), head.floor)
            case "purge":
                await self._apply_purge(head, entry)
        # The whole document, so that change streams tell this change from the commit point's.
        await self._driver.replace("tree", {"_id": head.root, "turn": head.turn, **PENDING}, head.finished())

    async def _apply_batch(self, head: Head, entry: Document) -> None:
        older = {"root": head.root, "turn": {"$lt": head.turn}}
        # Items first, so that nothing speaks of rows that are not there.
        await self._driver.insert("item", entry["items"])
        await self._driver.apply(
            "stream",
            [
                Change(
                    {"_id": state["_id"], **older},
                    {
                        "$set": {"turn": head.turn, **state["set"]},
                        # Counted once: the turn is compared in the same step.
                        "$inc": {"waiting": state["waits"]},
                        "$unset": {"reserved": ""},
                    },
                    make=True,
                )
                for state in entry["streams"]
            ],
        )
        await asyncio.gather(
            *(
                self._driver.apply(
                    collection, [Replace({"_id": put["_id"], **older}, put, make=True) for put in documents]
                )
                for collection, documents in entry["puts"].items()
            )
        )
        await self._give_hints(head, entry)

    async def _apply_compaction(self, head: Head, entry: Document) -> None:
        stream, life, item = entry["stream"], entry["life"], entry["item"]
        (start, end), *others = entry["parts"]
        await self._driver.replace(
            "item", {"_id": item_key(stream, life, start), "root": head.root, "end": end}, item
        )
        await self._driver.apply(
            "item",
            [
                Drop({"_id": item_key(stream, life, start), "root": head.root, "end": end})
                for start, end in others
            ],
        )
        await self._driver.change(
            "stream",
            {"_id": stream, "root": head.root, "turn": {"$lt": head.turn}},
            {"$set": {"turn": head.turn}, "$inc": {"waiting": -entry["waiting"]}},
        )

    async def _apply_purge(self, head: Head, entry: Document) -> None:
        await remove(self._driver, head, entry["runs"], whole=entry["whole"])
        await self._driver.insert("item", [entry["item"]])
        await self._give_hints(head, entry)

    async def _give_hints(self, head: Head, entry: Document) -> None:
        # Last, so that who hears of a run finds it as it is now; while pending, so that none gets lost.
        await self._hints.give(entry["hints"] or [[UNSAID, "", head.root, 0]])
