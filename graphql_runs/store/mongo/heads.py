"""The commit protocol: one head document per tree decides, anybody may apply (docs/decisions/0005-mongodb-commit-protocol.md).

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
from collections.abc import Sequence
from dataclasses import dataclass

from graphql_runs.model.errors import Conflict, StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.mongo.driver import Change, Document, Driver, Drop, Query, Replace
from graphql_runs.store.mongo.entry import StreamState, batch_entry, check_batch, compaction_entry
from graphql_runs.store.mongo.hints import UNSAID, Hints
from graphql_runs.store.mongo.layout import COLLECTIONS, check_names, item_key
from graphql_runs.store.port import Batch, Item, TreeRecord, journal_of

_PATIENCE_SECONDS = 15.0
"""How long a commit goes on to find out what became of it."""
_PAUSE = 0.05
_PENDING: Query = {"entry.kind": {"$exists": True}}


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a tree, as it was read."""

    root: str
    n: int = 0
    applied: int = 0
    turn: int = 0
    entry: Document | None = None

    @staticmethod
    def of(document: Document) -> Head:
        """Of its document."""
        return Head(
            document["_id"], document["n"], document["applied"], document["turn"], document.get("entry")
        )


_NEVER = Head("")


class Heads:
    """All trees of a store."""

    def __init__(self, driver: Driver, hints: Hints) -> None:
        self._driver = driver
        self._hints = hints

    # Reading

    async def get(self, roots: Sequence[str]) -> dict[str, Head]:
        """The heads that there are, by root, without their entries."""
        found = await self._driver.find(
            "tree", {"_id": {"$in": list(roots)}}, fields=("n", "applied", "turn")
        )
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

    async def commit(self, batch: Batch) -> None:
        """See `Store.commit`."""
        check_batch(batch)
        check_names(batch.root, (append.stream for append in batch.appends))
        token = secrets.token_hex(12)
        tried = False
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            head = await self._settled(batch.root)
            if head.n != batch.entry.start:
                if tried and await self._is_mine(batch, token):
                    return
                raise Conflict(f"the journal of {batch.root} ends at {head.n}, not at {batch.entry.start}")
            try:
                entry = await self._draw_up(head, batch, token)
            except Conflict:
                # What was sent before may have been carried out just now, and be what it conflicts with.
                if tried and (await self._settled(batch.root)).turn != head.turn:
                    continue
                raise
            if entry is None:
                continue
            try:
                won = await self._decide(head, entry, n=head.n + 1)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                tried = True
                await asyncio.sleep(_PAUSE)
                continue
            if won is not None:
                await self.finish(won)
                return

    async def compact(self, stream: str, merged: Item, parts: Sequence[tuple[int, int]]) -> bool:
        """See `Store.compact`."""
        while True:
            found = await self._driver.find_one("stream", {"_id": stream}, fields=("root",))
            if found is None or not parts or (parts[0][0], parts[-1][1]) != (merged.start, merged.end):
                return False
            head = await self._settled(found["root"])
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

    async def _settled(self, root: str) -> Head:
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

    async def _draw_up(self, head: Head, batch: Batch, token: str) -> Document | None:
        """The entry, with the preconditions checked. None when the head has moved on meanwhile. Raises Conflict."""
        turn = head.turn + 1
        streams, _, _ = await asyncio.gather(
            self._streams([append.stream for append in batch.appends]),
            self._check_there(batch.root, batch.replaces),
            self._check_absent(batch.creates),
        )
        for append in batch.appends:
            state = streams.setdefault(append.stream, StreamState(0, turn))
            if state.end != append.item.start:
                raise Conflict(f"{append.stream} ends at row {state.end}, not at {append.item.start}")
        entry = batch_entry(batch, streams, turn, token)
        runs = [record.id for record in batch.creates if isinstance(record, Run)]
        return entry if not runs or await self._reserve(runs, head) else None

    async def _streams(self, streams: Sequence[str]) -> dict[str, StreamState]:
        if not streams:
            return {}
        found = await self._driver.find("stream", {"_id": {"$in": list(streams)}}, fields=("end", "life"))
        return {document["_id"]: StreamState(document["end"], document["life"]) for document in found}

    async def _check_there(self, root: str, records: Sequence[TreeRecord]) -> None:
        for collection, ids in by_collection(records).items():
            query = {"_id": {"$in": ids}, "root": root, "reserved": {"$exists": False}}
            found = await self._driver.find(collection, query, fields=("_id",))
            if len(found) < len(set(ids)):
                missing = set(ids) - {document["_id"] for document in found}
                raise Conflict(f"{min(missing)} does not exist in {root}")

    async def _check_absent(self, records: Sequence[TreeRecord]) -> None:
        for collection, ids in by_collection(records).items():
            query = {"_id": {"$in": ids}, "reserved": {"$exists": False}}
            if found := await self._driver.find_one(collection, query, fields=("_id",)):
                raise Conflict(f"{found['_id']} exists already")

    # Reservations: no run in two trees

    async def _reserve(self, runs: Sequence[str], head: Head) -> bool:
        """Make sure that a document waits for each run that is to be made. False when the head has moved on.

        Raises Conflict when there is such a run.
        """
        mine = {"root": head.root, "turn": head.turn, "reserved": True}
        taken = await self._driver.insert("run", [{"_id": run, **mine} for run in runs])
        for place in taken:
            if not await self._reserve_taken(runs[place], head):
                return False
        return True

    async def _reserve_taken(self, run: str, head: Head) -> bool:
        mine = {"root": head.root, "turn": head.turn, "reserved": True}
        while True:
            found = await self._driver.find_one("run", {"_id": run}, fields=("root", "turn", "reserved"))
            if found is None:
                await self._driver.insert("run", [{"_id": run, **mine}])
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
            await self._driver.replace(
                "run", {"_id": run, "root": root, "turn": turn, "reserved": True}, {"_id": run, **mine}
            )

    async def sweep_reservations(self) -> None:
        """Delete reservations whose attempt was decided without them."""
        left = await self._driver.find("run", {"reserved": True}, fields=("root", "turn"), limit=1000)
        heads = await self.get([document["root"] for document in left])
        # Afterwards: what was decided by the turns just read is applied unless it is pending now.
        busy = await self._driver.find("tree", {"_id": {"$in": list(heads)}, **_PENDING}, fields=("_id",))
        for root in (document["_id"] for document in busy):
            del heads[root]
        decided = [
            document for document in left if document["turn"] < heads.get(document["root"], _NEVER).turn
        ]
        await self._driver.apply("run", [Drop({**document, "reserved": True}) for document in decided])

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
                    {
                        "$set": {"turn": head.turn, "end": state["end"], "life": state["life"]},
                        "$inc": {"waiting": state["waits"]},
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
