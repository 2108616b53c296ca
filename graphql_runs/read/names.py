"""Filters by name: people write names of workspaces, experiments and clusters, and producers' ids of runs; stores compare
server ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Child,
    Compare,
    Not,
    Op,
    Or,
    RunFilter,
    Under,
)
from graphql_runs.model.records import Cluster, Experiment, Workspace
from graphql_runs.model.regex import compiled
from graphql_runs.read.records import every
from graphql_runs.read.text import fold, like
from graphql_runs.store.port import Store

MATCHES = 10_000
"""A text comparison of names may match so many experiments or clusters."""

_NAMED = {
    Attribute.WORKSPACE: "workspace",
    Attribute.EXPERIMENT: "experiment",
    Attribute.CLUSTER: "cluster",
    Attribute.PARENT: "run",
    Attribute.ROOT: "run",
    Attribute.ALIAS_OF: "run",
}


async def resolve(store: Store, where: RunFilter, workspace: str | None) -> RunFilter:
    """The same filter with server ids for names. `workspace` is the id of the only workspace looked at, None for all.

    Raises InvalidInput for a text comparison with a run's parent or root, LimitExceeded when one matches too many names.
    """
    if not _mentions(where):
        return where
    homes = [workspace] if workspace else [home.id for home in await every(store, Workspace, "")]
    return await _resolve(store, where, homes)


def _mentions(where: RunFilter) -> bool:
    match where:
        case And(parts) | Or(parts):
            return any(map(_mentions, parts))
        case Not(part) | Child(part) | Ancestor(part):
            return _mentions(part)
        case Compare(AttributeField(attribute), op, _):
            return attribute in _NAMED and op is not Op.EXISTS
        case Compare() | Under():
            return False


async def _resolve(store: Store, where: RunFilter, homes: Sequence[str]) -> RunFilter:
    match where:
        case And(parts):
            return And(tuple([await _resolve(store, part, homes) for part in parts]))
        case Or(parts):
            return Or(tuple([await _resolve(store, part, homes) for part in parts]))
        case Not(part) | Child(part) | Ancestor(part):
            return type(where)(await _resolve(store, part, homes))
        case Compare(AttributeField(attribute) as field, op, operand) if (
            attribute in _NAMED and op is not Op.EXISTS
        ):
            found = await _ids(store, attribute, op, operand, homes)
            if op in (Op.NE, Op.NOT_IN):
                return Compare(field, Op.NOT_IN, found) if found else Compare(field, Op.EXISTS, True)
            return Compare(field, Op.IN, found) if found else Or(())
    return where


async def _ids(
    store: Store, attribute: Attribute, op: Op, operand: object, homes: Sequence[str]
) -> tuple[str, ...]:
    kind = _NAMED[attribute]
    if op in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN):
        names = operand if isinstance(operand, tuple) else (operand,)
        return tuple(dict.fromkeys(id for name in names for id in _of_name(kind, str(name), homes)))
    if kind == "run":
        raise InvalidInput(
            f"{attribute} is compared with ids: use eq, ne, in, notIn or exists, not {op}",
            field=str(attribute),
        )
    matches = _matcher(op, str(operand))
    found: list[str] = []
    if kind == "workspace":
        found = [home.id for home in await every(store, Workspace, "") if matches(home.name)]
    for home in homes if kind != "workspace" else ():
        named = (
            await every(store, Experiment, home)
            if kind == "experiment"
            else await every(store, Cluster, home)
        )
        found += [record.id for record in named if matches(record.name)]
    if len(found) > MATCHES:
        raise LimitExceeded(
            f"{attribute} {op} {str(operand)[:80]!r} matches {len(found)} names, the limit is {MATCHES}",
            field=str(attribute),
        )
    return tuple(found)


def _of_name(kind: str, name: str, homes: Sequence[str]) -> list[str]:
    if ids.kind_of(name) == kind:
        return [name]
    match kind:
        case "workspace":
            return [ids.workspace_id(name)]
        case "experiment":
            return [ids.experiment_id(home, name) for home in homes]
        case "cluster":
            return [ids.cluster_id(home, name) for home in homes]
    return [ids.run_id(home, name) for home in homes]


def _matcher(op: Op, pattern: str) -> Callable[[str], bool]:
    """LIKE, ILIKE, CONTAINS and REGEX as `model.filter` defines them."""
    if op is Op.CONTAINS:
        return lambda name: fold(pattern) in fold(name)
    if op is Op.LIKE:
        return lambda name: like(name, pattern)
    if op is Op.ILIKE:
        return lambda name: like(fold(name), fold(pattern))
    if op is Op.REGEX:
        return compiled(pattern).matches
    return _ordered(op, pattern)


def _ordered(op: Op, bound: str) -> Callable[[str], bool]:
    compare: dict[Op, Callable[[str], bool]] = {
        Op.LT: lambda name: name < bound,
        Op.LTE: lambda name: name <= bound,
        Op.GT: lambda name: name > bound,
        Op.GTE: lambda name: name >= bound,
    }
    return compare[op]
