"""What has to hold for a batch or a purge, looked up under the head that it is to change; the entry is drawn up with it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphql_runs.model.errors import Conflict
from graphql_runs.model.run import Run
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.entry import StreamState, batch_entry, purge_entry
from graphql_runs.store.mongo.head import Head
from graphql_runs.store.mongo.layout import COLLECTIONS, LIVE
from graphql_runs.store.mongo.operations import Document
from graphql_runs.store.mongo.reservations import Reservations
from graphql_runs.store.port import Batch, Purge, TreeRecord

_LIFE_BITS = 48


@dataclass(slots=True)
class Known:
    """A tree as this process left it: true as long as the head still is at that turn, which the commit point finds out."""

    head: Head
    streams: dict[str, StreamState]
    records: set[str]

    def learn(self, head: Head, batch: Batch, entry: Document) -> None:
        """A batch was written, and is applied."""
        self.head = replace(head, applied=head.n, entry=None)
        for state in entry["streams"]:
            ends = state["set"]
            self.streams[state["_id"]] = StreamState(ends["life"], ends["end"], ends["since"])
        self.records.update(record.id for record in (*batch.creates, *batch.replaces))


class Preconditions:
    """For all trees of a store."""

    def __init__(self, driver: Driver, reservations: Reservations) -> None:
        self._driver = driver
        self._reservations = reservations

    async def batch(self, head: Head, batch: Batch, token: str, known: Known | None) -> Document | None:
        """The entry of a batch. None when the head has moved on meanwhile. Raises Conflict."""
        runs = [record.id for record in batch.creates if isinstance(record, Run)]
        # Before anything of theirs is looked at: from then on no other tree can have, or have had, any of it.
        if runs and not await self._reservations.make(runs, head):
            return None
        streams = {} if known is None else known.streams
        records = set() if known is None else known.records
        missing = [append.stream for append in batch.appends if append.stream not in streams]
        unknown = [record for record in batch.replaces if record.id not in records]
        found, left, _ = await asyncio.gather(
            self._find_streams(missing, head),
            self._check_creates(batch),
            self._check_replaces(batch.root, unknown),
        )
        for collection, ids in {**left, "stream": found.left}.items():
            if ids and not await self._reservations.claim(collection, ids, head):
                return None
        states = streams | found.states
        for append in batch.appends:
            state = states[append.stream]
            if state.end != append.item.start:
                raise Conflict(f"{append.stream} ends at row {state.end}, not at {append.item.start}")
        return batch_entry(batch, states, head.turn + 1, token)

    async def purge(self, head: Head, purge: Purge, token: str) -> Document:
        """The entry of a purge."""
        runs = dict.fromkeys(purge.runs)
        if purge.root in runs:
            found = await self._driver.find("run", {"root": purge.root, **LIVE}, fields=("_id",))
            runs |= dict.fromkeys(document["_id"] for document in found)
        return purge_entry(purge, list(runs), head.turn + 1, token)

    async def _find_streams(self, streams: Sequence[str], head: Head) -> _Streams:
        if not streams:
            return _Streams({}, [])
        fields = ("root", "reserved", "end", "life", "since")
        documents = await self._driver.find("stream", {"_id": {"$in": list(streams)}}, fields=fields)
        # Nobody knows an item of a life that begins now.
        states = {stream: StreamState(secrets.randbits(_LIFE_BITS)) for stream in streams}
        left = []
        for document in documents:
            if "reserved" in document:
                left.append(document["_id"])
            elif document["root"] != head.root:
                raise Conflict(f"{document['_id']} lies in {document['root']}")
            else:
                states[document["_id"]] = StreamState(document["life"], document["end"], document["since"])
        return _Streams(states, left)

    async def _check_replaces(self, root: str, records: Sequence[TreeRecord]) -> None:
        """Raises Conflict unless these are there."""
        for collection, ids in by_collection(records).items():
            query = {"_id": {"$in": ids}, "root": root, **LIVE}
            found = await self._driver.find(collection, query, fields=("_id",))
            if missing := set(ids) - {document["_id"] for document in found}:
                raise Conflict(f"{min(missing)} does not exist in {root}")

    async def _check_creates(self, batch: Batch) -> dict[str, list[str]]:
        """Raises Conflict when one that the batch creates is there; gives the places that were left of them."""
        left: dict[str, list[str]] = {}
        for collection, ids in by_collection(batch.creates).items():
            found = await self._driver.find(collection, {"_id": {"$in": ids}}, fields=("reserved",))
            if there := [document["_id"] for document in found if "reserved" not in document]:
                raise Conflict(f"{min(there)} exists already")
            if collection != "run":
                left[collection] = [document["_id"] for document in found]
        return left


@dataclass(frozen=True, slots=True)
class _Streams:
    states: dict[str, StreamState]
    left: list[str]
    """Those of which only a place is left."""


def by_collection(records: Sequence[TreeRecord]) -> dict[str, list[str]]:
    """Ids by the collection they are in."""
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(COLLECTIONS[type(record)], []).append(record.id)
    return found
