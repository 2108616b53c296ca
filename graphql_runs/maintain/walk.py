"""Walking through a store page by page, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

from graphql_runs.maintain.pieces import Damage, cut, decoded
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.points import Points
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.read.records import name_of
from graphql_runs.store.port import Extent, Item, Position, R, Store

PAGE = 500
"""Records of one read."""
_AT_ONCE = 2 << 20
"""Bytes of a stream that are asked for in one read."""

T = TypeVar("T")
Owned = TypeVar("Owned", Metric, LogFile, Artifact)


async def scan(store: Store, kind: type[R]) -> AsyncGenerator[list[R]]:
    """All records of a kind in pages, in order of their ids."""
    after = None
    while page := await store.scan(kind, after=after, first=PAGE):
        yield page
        after = page[-1].id


async def owned(store: Store, kind: type[Owned], run: str) -> AsyncGenerator[list[Owned]]:
    """What belongs to a run in pages, in order of names."""
    after = None
    while page := await store.list_named(kind, run, after=after, first=PAGE):
        yield page
        if len(page) < PAGE:
            return
        after = name_of(page[-1])


async def streams(store: Store, after: str | None = None) -> AsyncGenerator[list[Extent]]:
    """All streams in pages, in order of their names, after a name."""
    while page := await store.streams(after=after, first=PAGE):
        yield page
        after = page[-1].stream


async def all_positions(store: Store, root: str) -> list[Position]:
    """Where every writer of a tree stands, in order of their names."""
    found: list[Position] = []
    while True:
        page = await store.all_positions(root, after=found[-1].writer if found else None, first=PAGE)
        found += page
        if len(page) < PAGE:
            return found


async def read_items(store: Store, stream: str, start: int, end: int) -> AsyncGenerator[Item]:
    """Rows `[start, end)` of a stream as items that follow each other exactly, cut where they reach beyond.

    Raises Damage where rows are missing or cannot be read, StoreUnavailable when the store as a whole cannot answer.
    """
    row = start
    while row < end:
        try:
            items = await store.read(stream, row, end=end, limit=_AT_ONCE)
        except StoreUnavailable as error:
            # What the store says of one damaged page it also says when it is not there at all.
            await store.check()
            raise Damage(stream, row, f"from row {row} on: {error.message}") from error
        if not items:
            raise Damage(stream, row, f"rows [{row}, {end}) are missing")
        for item in items:
            if item.start > row:
                raise Damage(stream, row, f"rows [{row}, {item.start}) are missing")
            # What was read before may have been merged into an item with what comes now.
            if item.end > row:
                yield cut(stream, item, row, end)
                row = item.end


async def read_points(store: Store, metric: str, start: int, end: int) -> AsyncGenerator[Points]:
    """Rows `[start, end)` of a metric, decoded; raises as `read_items` does."""
    async for item in read_items(store, metric, start, end):
        yield decoded(metric, item)


async def each(items: Iterable[T], do: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Do something for every item, a few at a time. The first error ends it all and is raised."""
    rest = iter(items)

    async def lane() -> None:
        for item in rest:
            await do(item)

    lanes = [asyncio.create_task(lane()) for _ in range(at_once)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for task in lanes:
            task.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
