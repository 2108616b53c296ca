"""Records by id and by owner, counters, and the records that stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql_runs.model.errors import Conflict
from graphql_runs.model.run import Run
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.filters import containing, starting
from graphql_runs.store.mongo.heads import Heads
from graphql_runs.store.mongo.layout import (
    COLLECTIONS,
    LIVE,
    decoded,
    position_key,
    positions_of,
    standalone_document,
)
from graphql_runs.store.mongo.operations import Query
from graphql_runs.store.port import Loose, Named, Position, R

_AT_ONCE = 10_000
"""Ids in one query."""


class Records:
    """All records of a store."""

    def __init__(self, driver: Driver, heads: Heads) -> None:
        self._driver = driver
        self._heads = heads

    async def get(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """See `Store.get`."""
        unique = list(dict.fromkeys(ids))
        known: dict[str, R] = {}
        for start in range(0, len(unique), _AT_ONCE):
            query = {"_id": {"$in": unique[start : start + _AT_ONCE]}, "doc": {"$exists": True}}
            for document in await self._driver.find(COLLECTIONS[kind], query, fields=("doc",)):
                known[document["_id"]] = decoded(kind, document)
        return [known.get(id) for id in ids]

    async def list_named(
        self,
        kind: type[Named],
        owner: str,
        *,
        after: str | None,
        first: int,
        contains: str | None,
        prefix: str | None,
        descending: bool,
    ) -> list[Named]:
        """See `Store.list_named`."""
        if first <= 0:
            return []
        query = _named(owner, contains, prefix)
        if after is not None:
            query["$and"].append({"name": {"$lt" if descending else "$gt": after}})
        sort = (("name", -1 if descending else 1),)
        found = await self._driver.find(COLLECTIONS[kind], query, fields=("doc",), sort=sort, limit=first)
        return [decoded(kind, document) for document in found]

    async def count(self, kind: type[Named], owner: str, contains: str | None, prefix: str | None) -> int:
        """See `Store.count`."""
        return await self._driver.count(COLLECTIONS[kind], _named(owner, contains, prefix))

    async def tree_runs(self, root: str) -> list[Run]:
        """See `Store.tree_runs`."""
        query = {"root": root, **LIVE}
        found = await self._driver.find("run", query, fields=("doc",), sort=(("depth", 1), ("_id", 1)))
        return [decoded(Run, document) for document in found]

    async def upsert(self, record: Loose, was: Loose | None) -> None:
        """See `Store.upsert`."""
        kind, document = type(record), standalone_document(record)
        collection = COLLECTIONS[kind]
        now = await self._driver.find_one(collection, {"_id": record.id})
        if (None if now is None else decoded(kind, now)) != was:
            raise Conflict(f"{record.id} was changed by somebody else")
        if now is None:
            done = not await self._driver.insert(collection, [document])
        else:
            done = await self._driver.replace(collection, {"_id": record.id, "doc": now["doc"]}, document)
        # It may have been carried out although the answer got lost, and repeated in vain.
        mine = {"_id": record.id, "token": document["token"]}
        if not done and await self._driver.find_one(collection, mine, fields=("_id",)) is None:
            raise Conflict(
                f"{record.id} was written by somebody else, or there is another {collection} of that name"
            )

    async def scan(self, kind: type[R], after: str | None, first: int) -> list[R]:
        """See `Store.scan`."""
        if first <= 0:
            return []
        query = {"_id": {"$gt": after or ""}, "doc": {"$exists": True}}
        sort = (("_id", 1),)
        found = await self._driver.find(COLLECTIONS[kind], query, fields=("doc",), sort=sort, limit=first)
        return [decoded(kind, document) for document in found]

    async def next_number(self, counter: str) -> int:
        """See `Store.next_number`."""
        found = await self._driver.take("counter", {"_id": counter}, {"$inc": {"n": 1}}, fields=("n",))
        return int(found["n"])

    async def raise_number(self, counter: str, least: int) -> None:
        """See `Store.raise_number`."""
        await self._driver.take("counter", {"_id": counter}, {"$max": {"n": least}}, fields=("n",))

    async def positions(self, root: str, writers: Sequence[str]) -> list[Position | None]:
        """See `Store.positions`."""
        keys = [position_key(root, writer) for writer in set(writers)]
        found = await self._positions(root, {"_id": {"$in": keys}}, len(keys))
        known = {position.writer: position for position in found}
        return [known.get(writer) for writer in writers]

    async def all_positions(self, root: str, after: str | None, first: int) -> list[Position]:
        """See `Store.all_positions`."""
        return await self._positions(root, {"_id": positions_of(root, after or "")}, first)

    async def _positions(self, root: str, query: Query, first: int) -> list[Position]:
        if first <= 0:
            return []
        found = await self._driver.find("position", {**query, **LIVE}, sort=(("_id", 1),), limit=first)
        # Afterwards: what was read may be of an entry that is being applied just now.
        await self._heads.settle(root)
        return [
            Position(document["writer"], document["sequence"], document["digest"], document.get("note"))
            for document in found
        ]


def _named(owner: str, contains: str | None, prefix: str | None) -> dict[str, Any]:
    conditions: list[Query] = [{"owner": owner}]
    if contains is not None:
        conditions.append({"name": containing(contains)})
    if prefix is not None:
        conditions.append({"name": starting(prefix)})
    return {"$and": conditions}
