"""The commit protocol: one head document per tree decides, anybody may apply (docs/decisions/0007-mongodb-commit-protocol.md).

    tree  {_id: root, n, applied, turn, floor, entry?}

`turn` grows with every change of the head, `n` with every entry of the journal, whose first ones before `floor` are gone. A
change is decided when the head takes its `entry`, and only if the head still is at the turn under which the preconditions were
checked. Then the entry is applied (`finisher`). `tests/store/model` runs the same steps through random histories.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from graphql_runs.model.errors import Conflict, InvalidInput, StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.entry import check_ranges, compaction_entry, proof_of, trim_entry
from graphql_runs.store.mongo.finisher import PENDING, Finisher
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.hints import Hints
from graphql_runs.store.mongo.layout import LIVE, check_names, item_key
from graphql_runs.store.mongo.operations import Document
from graphql_runs.store.mongo.preconditions import Known, Preconditions
from graphql_runs.store.mongo.reservations import Reservations
from graphql_runs.store.port import Batch, Item, Purge, journal_of

_PATIENCE_SECONDS = 15.0
"""How long a commit goes on to find out what became of it."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.2
_KNOWN_TREES = 256
_KNOWN_RECORDS = 20_000

DrawUp = Callable[[Head, Known | None], Awaitable[Document | None]]
"""The entry under a head, None when that has moved on meanwhile. Raises Conflict."""


class Heads:
    """All trees of a store."""

    def __init__(self, driver: Driver, hints: Hints) -> None:
        self._driver = driver
        self._finisher = Finisher(driver, hints)
        self.reservations = Reservations(driver, self.get, self.settled)
        self._preconditions = Preconditions(driver, self.reservations)
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # Reading

    async def get(self, roots: Sequence[str]) -> dict[str, Head]:
        """The heads that there are, by root, without what is in their entries."""
        fields = ("n", "applied", "turn", "floor", "entry.kind")
        found = await self._driver.find("tree", {"_id": {"$in": list(roots)}}, fields=fields)
        return {document["_id"]: Head.of(document) for document in found}

    async def settle(self, root: str) -> None:
        """Finish what is pending in a tree, if anything."""
        document = await self._driver.find_one("tree", {"_id": root, **PENDING})
        if document is not None:
            await self._finisher.finish(Head.of(document))

    async def pending(self) -> list[tuple[str, int]]:
        """Root and turn of every tree with a pending entry."""
        found = await self._driver.find("tree", PENDING, fields=("turn",), limit=1000)
        return [(document["_id"], document["turn"]) for document in found]

    async def settled(self, root: str) -> Head:
        """The head of a tree with nothing pending, made if missing."""
        while True:
            document = await self._driver.find_one("tree", {"_id": root})
            if document is None:
                await self._driver.insert("tree", [Head(root).finished()])
            elif "entry" in document:
                await self._finisher.finish(Head.of(document))
            else:
                return Head.of(document)

    # Deciding

    def _lock(self, root: str) -> asyncio.Lock:
        """Whoever waits longest is next, so that calls of this process are carried out in their order."""
        return self._locks.setdefault(root, asyncio.Lock())

    async def commit(self, batch: Batch) -> int:
        """See `Store.commit`; gives the turn of the head. Batches of one tree are taken one after the other."""
        check_ranges(batch.root, batch.entry, batch.appends)
        check_names(batch.root, (append.stream for append in batch.appends))
        token = secrets.token_hex(12)

        async def draw_up(head: Head, known: Known | None) -> Document | None:
            return await self._preconditions.batch(head, batch, token, known)

        async with self._lock(batch.root):
            known = self._known.pop(batch.root, None)
            claims = any(isinstance(record, Run) for record in batch.creates)
            head = await self._carry_out(
                batch.root, batch.entry.start, token, draw_up, known=known, claims=claims
            )
            if head.entry is not None:
                known = known if known is not None and known.head.turn == head.turn - 1 else None
                self._remember(known or Known(head, {}, set()), head, batch, head.entry)
            return head.turn

    async def purge(self, purge: Purge) -> int:
        """See `Store.purge`; gives the turn of the head."""
        check_ranges(purge.root, purge.entry)
        check_names(purge.root, ())
        if not purge.runs:
            raise InvalidInput("a purge names at least one run", field="runs")
        token = secrets.token_hex(12)

        async def draw_up(head: Head, known: Known | None) -> Document:
            return await self._preconditions.purge(head, purge, token)

        async with self._lock(purge.root):
            self._known.pop(purge.root, None)
            return (await self._carry_out(purge.root, purge.entry.start, token, draw_up)).turn

    async def trim(self, root: str, before: int) -> None:
        """See `Store.trim`."""
        while (found := await self.get([root])) and found[root].floor < min(before, found[root].n):
            head = await self.settled(root)
            floor = min(before, head.n)
            if floor > head.floor:
                won = await self._decide(head, trim_entry(), floor=floor)
                if won is not None:
                    await self._finisher.finish(won)

    async def compact(self, stream: str, merged: Item, parts: Sequence[Item]) -> bool:
        """See `Store.compact`."""
        while True:
            found = await self._driver.find_one("stream", {"_id": stream, **LIVE}, fields=("root",))
            if found is None or not parts or (parts[0].start, parts[-1].end) != (merged.start, merged.end):
                return False
            head = await self.settled(found["root"])
            # Again, as of that turn.
            found = await self._driver.find_one(
                "stream", {"_id": stream, "root": head.root, **LIVE}, fields=("life",)
            )
            if found is None:
                continue
            life = found["life"]
            rows = {"$gte": item_key(stream, life, merged.start), "$lt": item_key(stream, life, merged.end)}
            items = await self._driver.find(
                "item", {"_id": rows}, fields=("start", "end", "sum", "waits"), sort=(("_id", 1),)
            )
            whole = uncovered(items)
            # By content too: the same rows may have been purged and written anew since they were read.
            if [(item["start"], item["end"], item["sum"]) for item in whole] != list(map(proof_of, parts)):
                return False
            waiting = sum(item["waits"] for item in whole)
            entry = compaction_entry(stream, life, head.root, merged, parts, waiting, head.turn + 1)
            won = await self._decide(head, entry)
            if won is not None:
                await self._finisher.finish(won)
                return True

    async def _carry_out(
        self,
        root: str,
        start: int,
        token: str,
        draw_up: DrawUp,
        *,
        known: Known | None = None,
        claims: bool = False,
    ) -> Head:
        """Write an entry at row `start` of the journal, and all that it says. Gives the head at the commit point, without the entry
        where only its token was found in the journal. `claims` says that other trees may want the same. Raises Conflict."""
        tried = False
        deadline = time.monotonic() + _PATIENCE_SECONDS
        pause = 0.0
        while True:
            if pause:
                await asyncio.sleep(random.uniform(0, pause))
            head = await self.settled(root) if known is None else known.head
            try:
                if head.n != start:
                    raise Conflict(f"the journal of {root} ends at {head.n}, not at {start}")
                entry = await draw_up(head, known)
            except Conflict:
                if known is not None:
                    known = None  # and what it conflicts with may not be there any more
                    continue
                if not tried:
                    raise
                # What was sent before may have been carried out, and be what it conflicts with.
                now = await self.settled(root)
                if now.n == start and now.turn != head.turn:
                    continue
                if now.n != start and await self._is_mine(root, start, token):
                    return now
                raise
            try:
                won = None if entry is None else await self._decide(head, entry, n=head.n + 1)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                tried, won, pause = True, None, _LONGEST_PAUSE
            if won is not None:
                await self._finisher.finish(won)
                return won
            if claims:
                # Trees that want the same run move each other's heads on: one of them has to come first.
                pause = min(2 * pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            known = None

    async def _decide(
        self, head: Head, entry: Document, *, n: int | None = None, floor: int | None = None
    ) -> Head | None:
        """The commit point. None when the head has moved on; StoreUnavailable when it is not known what happened."""
        n = head.n if n is None else n
        # A tree that is purged begins with the entry that says so.
        floor = head.n if entry.get("whole") else head.floor if floor is None else floor
        change = {"$set": {"n": n, "turn": head.turn + 1, "floor": floor, "entry": entry}}
        if not await self._driver.change("tree", {"_id": head.root, "turn": head.turn}, change, again=False):
            return None
        return Head(head.root, n, head.applied, head.turn + 1, floor, entry)

    async def _is_mine(self, root: str, start: int, token: str) -> bool:
        """The entry of which no answer came is in the journal."""
        key = item_key(journal_of(root), 0, start)
        found = await self._driver.find_one("item", {"_id": key}, fields=("token",))
        if found is None:
            raise StoreUnavailable(f"it cannot be found out whether {root} was written to")
        return bool(found["token"] == token)

    def _remember(self, known: Known, head: Head, batch: Batch, entry: Document) -> None:
        known.learn(head, batch, entry)
        if len(known.records) <= _KNOWN_RECORDS:
            self._known[head.root] = known
        while len(self._known) > _KNOWN_TREES:
            self._known.popitem(last=False)


def uncovered(items: Sequence[Document]) -> list[Document]:
    """Items in order of their rows without those that a wider one before them covers: an entry that was applied late puts an
    item beside the one it was merged into."""
    whole: list[Document] = []
    for item in items:
        if not whole or item["end"] > whole[-1]["end"]:
            whole.append(item)
    return whole
