"""Comparing both sides of a copy, tree by tree."""

from __future__ import annotations

import asyncio
from dataclasses import fields

from graphql_runs.maintain.digest import TreeSum, sum_tree
from graphql_runs.maintain.mark import read_mark
from graphql_runs.maintain.pieces import Damage
from graphql_runs.maintain.tree import Moved
from graphql_runs.maintain.walk import scan
from graphql_runs.model.errors import RunsError
from graphql_runs.store.port import Loose, Store, journal_of


class Difference(RunsError):
    """A tree of the target is not what the source holds."""


async def verify_tree(source: Store, target: Store, root: str) -> None:
    """Compare counts and checksums of a tree. Raises Difference naming the tree, Moved when the source was written to."""
    mark = await read_mark(target, root)
    try:
        ours, theirs = await asyncio.gather(sum_tree(source, root), sum_tree(target, root))
        problem = _difference(ours, theirs)
    except Damage as error:
        problem = error.message
    [n] = await source.ends([journal_of(root)])
    if mark is None or mark.n != n:
        raise Moved(f"the tree {root} was written to since it was copied")
    if problem is not None:
        raise Difference(f"{root}: {problem}")


async def verify_standing(source: Store, target: Store, kind: type[Loose]) -> list[str]:
    """What differs among the records of a kind that belongs to no tree."""
    problems = []
    async for page in scan(source, kind):
        held = await target.get(kind, [record.id for record in page])
        problems += [
            f"{record.id}: differs in the target"
            for record, copy in zip(page, held, strict=True)
            if record != copy
        ]
    async for page in scan(target, kind):
        held = await source.get(kind, [record.id for record in page])
        problems += [
            f"{record.id}: the source does not have it"
            for record, origin in zip(page, held, strict=True)
            if origin is None
        ]
    return problems


def _difference(source: TreeSum, target: TreeSum) -> str | None:
    for field in fields(TreeSum):
        one, other = getattr(source, field.name), getattr(target, field.name)
        if one != other:
            if field.name == "digest":
                return "the checksums differ, although all counts agree"
            return f"{one} {field.name.replace('_', ' ')} in the source, {other} in the target"
    return None
