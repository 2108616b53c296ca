"""No run in two trees: before a run is made, a place waits for it, with the turn of the head that its writer saw.

    {_id, root, turn, reserved: since when}

A place is invisible. An attempt of another tree takes it over when the first one is decided, or after moving on the first one's
head, so that it cannot be decided any more. What a purge takes away leaves a place too; there, anything that is made again has to
take it first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from graphql_runs.model.errors import Conflict
from graphql_runs.model.time import now
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.layout import items_of
from graphql_runs.store.mongo.operations import Clear, Document, Drop

_LEAST_MICROS = 24 * 3600 * 1_000_000
"""How long a place lies there: longer than any process may be paused in the middle of something."""
_AT_ONCE = 1000
KEPT = ("run", "metric", "log", "artifact", "position", "stream")
"""Collections that places lie in."""


class Reservations:
    """`heads` gives heads by root, `settled` the head of a tree with nothing pending."""

    def __init__(
        self,
        driver: Driver,
        heads: Callable[[Sequence[str]], Awaitable[dict[str, Head]]],
        settled: Callable[[str], Awaitable[Head]],
    ) -> None:
        self._driver = driver
        self._heads = heads
        self._settled = settled

    async def make(self, runs: Sequence[str], head: Head) -> bool:
        """Make sure that a place waits for each of these runs. False when the head has moved on.

        Raises Conflict when there is such a run.
        """
        taken = await self._driver.insert("run", [_reservation(run, head) for run in runs])
        for place in taken:
            if not await self._take("run", runs[place], head):
                return False
        return True

    async def claim(self, collection: str, ids: Sequence[str], head: Head) -> bool:
        """Take the places that purges have left of these. False when the head has moved on.

        Raises Conflict when one is there again.
        """
        for id in ids:
            if not await self._take(collection, id, head):
                return False
        return True

    async def sweep(self) -> None:
        """Delete old places that nobody relies on any more."""
        for collection in KEPT:
            while await self._sweep(collection):
                pass

    async def _sweep(self, collection: str) -> bool:
        """Whether there may be more."""
        old = {"reserved": {"$lt": now() - _LEAST_MICROS}}
        fields = ("root", "turn", "reserved")
        left = await self._driver.find(
            collection, old, fields=fields, sort=(("reserved", 1),), limit=_AT_ONCE
        )
        heads = await self._heads([document["root"] for document in left])
        # A tree that was left alone since then.
        places = {(document["root"], document["turn"]) for document in left}
        idle = [(root, turn) for root, turn in places if root in heads and heads[root].turn == turn]
        for root, turn in idle:
            await self._move_on(await self._settled(root), turn)
        if idle:
            heads = await self._heads([document["root"] for document in left])
        decided = [
            document
            for document in left
            if document["root"] in heads and document["turn"] < heads[document["root"]].applied_turn
        ]
        if collection == "stream":
            # What somebody who came very late has written once more.
            strays = [
                {"_id": items_of(one["_id"]), "root": one["root"], "turn": {"$lte": one["turn"]}}
                for one in decided
            ]
            await self._driver.apply("item", [Clear(query) for query in strays])
        await self._driver.apply(collection, [Drop(document) for document in decided])
        return len(left) == _AT_ONCE and bool(decided)

    async def _take(self, collection: str, id: str, head: Head) -> bool:
        while True:
            found = await self._driver.find_one(collection, {"_id": id}, fields=("root", "turn", "reserved"))
            if found is None:
                await self._driver.insert(collection, [_reservation(id, head)])
                continue
            if "reserved" not in found:
                raise Conflict(f"{id} exists already")
            root, turn = found["root"], found["turn"]
            if root == head.root and turn >= head.turn:
                return bool(turn == head.turn)
            if root != head.root:
                other = await self._settled(root)
                if other.turn == turn:
                    # Nobody knows whether that attempt goes on; after this it cannot.
                    await self._move_on(other, turn)
                    continue
            await self._driver.replace(collection, found, _reservation(id, head))

    async def _move_on(self, head: Head, turn: int) -> None:
        await self._driver.change("tree", {"_id": head.root, "turn": turn}, {"$set": {"turn": turn + 1}})


def _reservation(id: str, head: Head) -> Document:
    return {"_id": id, "root": head.root, "turn": head.turn, "reserved": now()}
