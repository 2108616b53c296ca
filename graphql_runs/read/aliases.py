"""Runs that are one: the aliases of a run, and what belongs to all of them as one list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Attribute, AttributeField, Compare, Key, Op, Order
from graphql_runs.model.run import Run
from graphql_runs.store.port import FoundRun, Store

T = TypeVar("T")
Fetch = Callable[[Run, Key | None, int], Awaitable[Sequence[T]]]
"""Gives the first so many things of a run, after a key."""

_PAGE = 500
_BY_NUMBER = (Order(AttributeField(Attribute.NUMBER)),)


async def aliases_of(store: Store, runs: Sequence[str]) -> list[tuple[Run, ...]]:
    """The aliases of each of some runs, by server id, in order of their numbers."""
    where = Compare(AttributeField(Attribute.ALIAS_OF), Op.IN, tuple(runs))
    page: Sequence[FoundRun] = ()
    found: dict[str | None, list[Run]] = defaultdict(list)
    while True:
        page = await store.find_runs(where, _BY_NUMBER, after=page[-1].key if page else None, first=_PAGE)
        for entry in page:
            found[entry.run.alias_of].append(entry.run)
        if len(page) < _PAGE:
            return [tuple(found[run]) for run in runs]


async def joined(members: Sequence[Run], after: Key | None, first: int, fetch: Fetch[T]) -> list[T]:
    """The first things of the runs after a key, all of the first run's, then all of the next one's. The id in the key is that of a
    thing of one of them. Raises InvalidInput (field after) when it is not."""
    rest = list(members)
    if after is not None:
        owner = None if ids.kind_of(after.id) is None else ids.run_of(after.id)
        while rest and rest[0].id != owner:
            rest.pop(0)
        if not rest:
            raise InvalidInput("after is not a cursor of this list", field="after")
    found: list[T] = []
    for run in rest:
        found += await fetch(run, after, first - len(found))
        after = None
        if len(found) >= first:
            break
    return found
