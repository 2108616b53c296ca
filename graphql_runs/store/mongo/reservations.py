"""No run in two trees: before a run is made, a document waits for it, with the turn of the head that its writer saw.

Such a document is invisible. An attempt of another tree takes it over when the first one is decided, or after moving on the
first one's head, so that it cannot be decided any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from graphql_runs.model.errors import Conflict
from graphql_runs.model.time import now
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.operations import Document, Drop

_LEAST_MICROS = 24 * 3600 * 1_000_000
"""How long a reservation lies there: longer than any process may be paused in the middle of something."""
_AT_ONCE = 1000


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
        """Make sure that a document waits for each of these runs. False when the head has moved on.

        Raises Conflict when there is such a run.
        """
        taken = await self._driver.insert("run", [_reservation(run, head) for run in runs])
        for place in taken:
            if not await self._make_taken(runs[place], head):
                return False
        return True

    async def sweep(self) -> None:
        """Delete old reservations of attempts that are decided."""
        old = {"reserved": {"$lt": now() - _LEAST_MICROS}}
        left = await self._driver.find("run", old, fields=("root", "turn", "reserved"), limit=_AT_ONCE)
        heads = await self._heads([document["root"] for document in left])
        decided = [
            document
            for document in left
            if (head := heads.get(document["root"])) is not None and document["turn"] < head.applied_turn
        ]
        await self._driver.apply("run", [Drop(document) for document in decided])

    async def _make_taken(self, run: str, head: Head) -> bool:
        while True:
            found = await self._driver.find_one("run", {"_id": run}, fields=("root", "turn", "reserved"))
            if found is None:
                await self._driver.insert("run", [_reservation(run, head)])
                continue
            if "reserved" not in found:
                raise Conflict(f"{run} exists already")
            root, turn = found["root"], found["turn"]
            if root == head.root and turn >= head.turn:
                return bool(turn == head.turn)
            if root != head.root:
                other = await self._settled(root)
                if other.turn == turn:
                    # Nobody knows whether that attempt goes on; after this it cannot.
                    await self._driver.change(
                        "tree", {"_id": root, "turn": turn}, {"$set": {"turn": turn + 1}}
                    )
                    continue
            await self._driver.replace("run", found, _reservation(run, head))


def _reservation(run: str, head: Head) -> Document:
    return {"_id": run, "root": head.root, "turn": head.turn, "reserved": now()}
