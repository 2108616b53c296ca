"""The commit protocol: one head document per tree decides, anybody may apply (docs/decisions/0007-mongodb-commit-protocol.md).

    tree  {_id: root, n, applied, turn, entry?}

`turn` grows with every change of the head, `n` with every entry of the journal. A change is decided when the head takes its
`entry`, and only if the head still is at the turn under which the preconditions were checked. Then the entry is applied: every
write of that is harmless to repeat, by whatever process and however late. `tests/store/model` runs the same steps through
random histories.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from graphql_runs.model.errors import Conflict, StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.entry import StreamState, batch_entry, check_batch, compaction_entry
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.hints import UNSAID, Hints
from graphql_runs.store.mongo.layout import COLLECTIONS, check_names, item_key
from graphql_runs.store.mongo.operations import Change, Document, Drop, Query, Replace
from graphql_runs.store.mongo.reservations import Reservations
from graphql_runs.store.port import Batch, Item, TreeRecord, journal_of

_PATIENCE_SECONDS = 15.0
"""How long a commit goes on to find out what became of it."""
_PAUSE = 0.05
_KNOWN_TREES = 256
_KNOWN_RECORDS = 20_000
_PENDING: Query = {"entry.kind": {"$exists": True}}


@dataclass(slots=True)
class _Known:
    """A tree as this process left it: true as long as the head still is at that turn, which the commit point finds out."""

    head: Head
    streams: dict[str, StreamState]
    records: set[str]


class Heads:
    """All trees of a store."""

    def __init__(self, driver: Driver, hints: Hints) -> None:
        self._driver = driver
        self._hints = hints
        self.reservations = Reservations(driver, self.get, self.settled)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # Reading

    async def get(self, roots: Sequence[str]) -> dict[str, Head]:
        """The heads that there are, by root, without what is in their entries."""
        fields = ("n", "applied", "turn", "entry.kind")
        found = await self._driver.find("tree", {"_id": {"$in": list(roots)}}, fields=fields)
        return {document["_id"]: Head.of(document) for document in found}

    async def settle(self, root: str) -> None:
        """Finish what is pending in a tree, if anything."""
        document = await self._driver.find_one("tree", {"_id": root, **_PENDING})
        if document is not None:
            await self.finish(Head.of(document))

    async def pending(self) -> list[tuple[str, int]]:
        """Root and turn of every tree with a pending entry."""
        found = await self._driver.find("tree", _PENDING, fields=("turn",), limit=1000)
        return [(document["_id"], document["turn"]) for document in found]

    # Deciding

    def _lock(self, root: str) -> asyncio.Lock:
        """Whoever waits longest is next, so that calls of this process are carried out in their order."""
        return self._locks.setdefault(root, asyncio.Lock())

    async def commit(self, batch: Batch) -> int:
        """See `Store.commit`; gives the turn of the head. Batches of one tree are taken one after the other."""
        check_batch(batch)
        check_names(batch.root, (append.stream for append in batch.appends))
        async with self._lock(batch.root):
            return await self._commit(batch)

    async def _commit(self, batch: Batch) -> int:
        token = secrets.token_hex(12)
        tried = False
        deadline = time.monotonic() + _PATIENCE_SECONDS
        known = self._known.pop(batch.root, None)
        while True:
            head = await self.settled(batch.root) if known is None else known.head
            try:
                if head.n != batch.entry.start:
                    raise Conflict(
                        f"the journal of {batch.root} ends at {head.n}, not at {batch.entry.start}"
                    )
                entry = await self._draw_up(head, batch, token, known)
            except Conflict:
                if known is not None:
                    known = None  # and what it conflicts with may not be there any more
                    continue
                if not tried:
                    raise
                # What was sent before may have been carried out, and be what it conflicts with.
                now = await self.settled(batch.root)
                if now.n == batch.entry.start and now.turn != head.turn:
                    continue
                if now.n != batch.entry.start and await self._is_mine(batch, token):
                    return now.turn
                raise
            try:
                won = None if entry is None else await self._decide(head, entry, n=head.n + 1)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                tried, won = True, None
                await asyncio.sleep(_PAUSE)
            if won is not None and entry is not None:
                await self.finish(won)
                self._remember(won, known, batch, entry)
                return won.turn
            known = None

    async def compact(self, stream: str, merged: Item, parts: Sequence[tuple[int, int]]) -> bool:
        """See `Store.compact`."""
        while True:
            found = await self._driver.find_one("stream", {"_id": stream}, fields=("root",))
            if found is None or not parts or (parts[0][0], parts[-1][1]) != (merged.start, merged.end):
                return False
            head = await self.settled(found["root"])
            # Again, as of that turn.
            state = (await self._streams([stream]))[stream]
            items = await self._driver.find(
                "item",
                {
                    "_id": {
                        "$gte": item_key(stream, state.life, merged.start),
                        "$lt": item_key(stream, state.life, merged.end),
                    }
                },
                fields=("start", "end", "waits"),
                sort=(("_id", 1),),
            )
            whole = uncovered(items)
            if [(item["start"], item["end"]) for item in whole] != [tuple(part) for part in parts]:
                return False
            waiting = sum(item["waits"] for item in whole)
            entry = compaction_entry(stream, state.life, head.root, merged, parts, waiting, head.turn + 1)
            won = await self._decide(head, entry, n=head.n)
            if won is not None:
                await self.finish(won)
                return True

    async def settled(self, root: str) -> Head:
        """The head of a tree with nothing pending, made if missing."""
        while True:
            document = await self._driver.find_one("tree", {"_id": root})
            if document is None:
                await self._driver.insert("tree", [{"_id": root, "n": 0, "applied": 0, "turn": 0}])
            elif "entry" in document:
                await self.finish(Head.of(document))
            else:
                return Head.of(document)

    async def _decide(self, head: Head, entry: Document, *, n: int) -> Head | None:
        """The commit point. None when the head has moved on; StoreUnavailable when it is not known what happened."""
        change = {"$set": {"n": n, "turn": head.turn + 1, "entry": entry}}
        if not await self._driver.change("tree", {"_id": head.root, "turn": head.turn}, change, again=False):
            return None
        return Head(head.root, n, head.applied, head.turn + 1, entry)

    async def _is_mine(self, batch: Batch, token: str) -> bool:
        """A batch of which no answer came is in the journal."""
        key = item_key(journal_of(batch.root), 0, batch.entry.start)
        found = await self._driver.find_one("item", {"_id": key}, fields=("token",))
        if found is None:
            raise StoreUnavailable(f"it cannot be found out whether a batch of {batch.root} was written")
        return bool(found["token"] == token)

    async def _draw_up(self, head: Head, batch: Batch, token: str, known: _Known | None) -> Document | None:
        """The entry, with the preconditions checked. None when the head has moved on meanwhile. Raises Conflict."""
        turn = head.turn + 1
        streams = {} if known is None else known.streams
        records = set() if known is None else known.records
        missing = [append.stream for append in batch.appends if append.stream not in streams]
        unknown = [record for record in batch.replaces if record.id not in records]
        found, _ = await asyncio.gather(self._streams(missing), self._check_records(batch, unknown))
        states = {append.stream: StreamState(life=turn) for append in batch.appends} | streams | found
        for append in batch.appends:
            state = states[append.stream]
            if state.end != append.item.start:
                raise Conflict(f"{append.stream} ends at row {state.end}, not at {append.item.start}")
        entry = batch_entry(batch, states, turn, token)
        runs = [record.id for record in batch.creates if isinstance(record, Run)]
        return entry if not runs or await self.reservations.make(runs, head) else None

    async def _streams(self, streams: Sequence[str]) -> dict[str, StreamState]:
        if not streams:
            return {}
        fields = ("end", "life", "since")
        found = await self._driver.find("stream", {"_id": {"$in": list(streams)}}, fields=fields)
        return {one["_id"]: StreamState(one["end"], one["life"], one["since"]) for one in found}

    async def _check_records(self, batch: Batch, replaces: Sequence[TreeRecord]) -> None:
        """Raises Conflict unless these are there, and those that the batch creates are not."""

        async def check(collection: str, ids: list[str], there: bool) -> None:
            query = {"_id": {"$in": ids}, "reserved": {"$exists": False}}
            query |= {"root": batch.root} if there else {}
            found = {
                document["_id"] for document in await self._driver.find(collection, query, fields=("_id",))
            }
            if there and (missing := set(ids) - found):
                raise Conflict(f"{min(missing)} does not exist in {batch.root}")
            if not there and found:
                raise Conflict(f"{min(found)} exists already")

        await asyncio.gather(
            *(check(collection, ids, True) for collection, ids in by_collection(replaces).items()),
            *(check(collection, ids, False) for collection, ids in by_collection(batch.creates).items()),
        )

    def _remember(self, won: Head, known: _Known | None, batch: Batch, entry: Document) -> None:
        """What is known of the tree as long as nobody else changes its head."""
        head = Head(won.root, won.n, won.n, won.turn)
        new = known or _Known(head, {}, set())
        new.head = head
        for state in entry["streams"]:
            new.streams[state["_id"]] = StreamState(
                state["set"]["end"], state["set"]["life"], state["set"]["since"]
            )
        new.records.update(record.id for record in (*batch.creates, *batch.replaces))
        if len(new.records) <= _KNOWN_RECORDS:
            self._known[won.root] = new
        while len(self._known) > _KNOWN_TREES:
            self._known.popitem(last=False)

    # Applying

    async def finish(self, head: Head) -> None:
        """Apply the pending entry of a head. Any process may, at any time, any number of times."""
        entry = head.entry
        assert entry is not None
        if entry["kind"] == "batch":
            await self._apply_batch(head, entry)
        else:
            await self._apply_compaction(head, entry)
        # The whole document, so that change streams tell this change from the commit point's.
        await self._driver.replace(
            "tree",
            {"_id": head.root, "turn": head.turn, **_PENDING},
            {"_id": head.root, "n": head.n, "applied": head.n, "turn": head.turn},
        )

    async def _apply_batch(self, head: Head, entry: Document) -> None:
        older = {"root": head.root, "turn": {"$lt": head.turn}}
        # Items first, so that nothing speaks of rows that are not there.
        await self._driver.insert("item", entry["items"])
        await self._driver.apply(
            "stream",
            [
                Change(
                    {"_id": state["_id"], **older},
                    # Counted once: the turn is compared in the same step.
                    {"$set": {"turn": head.turn, **state["set"]}, "$inc": {"waiting": state["waits"]}},
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
        # Last, so that who hears of a run finds it as it is now; while pending, so that none gets lost.
        await self._hints.give(entry["hints"] or [[UNSAID, "", head.root, 0]])

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


def by_collection(records: Sequence[TreeRecord]) -> dict[str, list[str]]:
    """Ids by the collection they are in."""
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(COLLECTIONS[type(record)], []).append(record.id)
    return found


def uncovered(items: Sequence[Document]) -> list[Document]:
    """Items in order of their rows without those that a wider one before them covers: an entry that was applied late puts an
    item beside the one it was merged into."""
    whole: list[Document] = []
    for item in items:
        if not whole or item["end"] > whole[-1]["end"]:
            whole.append(item)
    return whole
