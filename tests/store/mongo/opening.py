"""How tests, and their child processes, open a MongoDB store: `mock://NAME` is a server inside of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import mongomock.collection
from mongomock_motor import AsyncMongoMockClient

from graphql_runs.store.mongo import MongoStore
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.operations import Document, Query, Sort
from graphql_runs.store.port import Store

T = TypeVar("T")
MOCK = "mock://"


def _accept_sort(name: str) -> None:
    """PyMongo says `sort=None` for each write of a bulk, which mongomock does not know yet."""
    known = getattr(mongomock.collection.BulkOperationBuilder, name)

    def accept(self: object, *arguments: object, sort: None = None, **named: object) -> object:
        return known(self, *arguments, **named)

    setattr(mongomock.collection.BulkOperationBuilder, name, accept)


_accept_sort("add_replace")
_accept_sort("add_update")


@cache
def mock_client(name: str) -> Any:
    """The server of that name."""
    return AsyncMongoMockClient()


class Yielding(Driver):
    """A server in the same process answers without ever letting others go on."""

    async def find(
        self,
        collection: str,
        query: Query,
        *,
        fields: Sequence[str] | None = None,
        sort: Sort | None = None,
        limit: int = 0,
    ) -> list[Document]:
        await asyncio.sleep(0)
        return await super().find(collection, query, fields=fields, sort=sort, limit=limit)

    async def write(self, call: Callable[[], Awaitable[T]], *, again: bool) -> T:
        await asyncio.sleep(0)
        return await super().write(call, again=again)


def connect(target: str, kind: type[Driver] = Driver) -> Driver:
    """A driver for the target."""
    if target.startswith(MOCK):
        return kind(mock_client(target.removeprefix(MOCK)), "runs")
    return kind.connect(target)


async def mongo(target: str) -> Store:
    """The store there."""
    return await MongoStore.open(connect(target, Yielding if target.startswith(MOCK) else Driver))
