"""Lists of runs: filtered, sorted, paged, counted."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import strawberry

from graphql_runs.model.cursor import decode_page, encode_page
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    Key,
    Op,
    Order,
    SortValue,
    conjuncts,
)
from graphql_runs.model.filter import RunFilter as Condition
from graphql_runs.model.ids import kind_of, metric_id, workspace_id
from graphql_runs.model.records import Metric, Workspace
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.model.status import RunStatus
from graphql_runs.read import names, records
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import Connection, Page
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.filters import RunFilter, RunOrder, run_filter, run_order
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import cursor_of_workspace, settled
from graphql_runs.schema.selection import selects, texts

_RUNS = (("nodes",), ("edges", "node"))
"""The ways from a connection to its runs."""
Filter = Annotated[RunFilter | None, argument("Only runs that match.")]
Where = Annotated[
    str | None,
    argument(
        "The same as a text, in MLflow's search grammar with OR, NOT and parentheses (docs/filters.md): "
        "`metrics.loss < 0.1 AND (params.lr = '0.01' OR tags.team LIKE 'vis%')`. With a filter both have to hold."
    ),
]
OrderBy = Annotated[list[RunOrder] | None, argument("How to sort; the newest first unless given.")]


@strawberry.type(description="How many runs are in a status.")
class StatusCount:
    status: RunStatus = field("The status.", of=lambda pair: pair[0])
    count: int = field("How many runs are in it.", of=lambda pair: pair[1])


@dataclass(slots=True)
class RunPage(Page[RunRecord]):
    """A page of runs with what it is a page of."""

    context: Context | None = None
    where: Condition | None = None
    workspace: str | None = None


async def _status_counts(root: strawberry.Parent[RunPage]) -> list[tuple[RunStatus, int]]:
    assert root.context is not None
    found = await records.count_statuses(root.context.store, root.where)
    return [(status, found[status]) for status in RunStatus if status in found]


async def _live_cursor(root: strawberry.Parent[RunPage]) -> str:
    assert root.context is not None
    return await cursor_of_list(root.context, root.workspace)


async def cursor_of_list(context: Context, workspace: str | None) -> str:
    """The live cursor of a list of runs. Raises InvalidInput when it is not of one workspace."""
    if workspace is None:
        raise InvalidInput(
            "liveCursor is of one workspace: ask `workspace(name:) { runs { liveCursor } }`, or filter by one workspace",
            field="liveCursor",
        )
    return await cursor_of_workspace(context, workspace)


@strawberry.type(description="A page of a list of runs.")
class RunConnection(Connection[RunRef]):
    status_counts: list[StatusCount] = field(
        "How many runs of the whole list are in each status; counted only when asked for.", _status_counts
    )
    live_cursor: str = field(
        "The list as of this page: what changes in its workspace later can be followed from here.",
        _live_cursor,
    )


def equals(attribute: Attribute, value: str) -> Condition:
    """The condition that an attribute has a value."""
    return Compare(AttributeField(attribute), Op.EQ, value)


@dataclass(frozen=True, slots=True)
class RunList:
    """A list of runs that an operation asks for.

    where:     its conditions, names resolved.
    workspace: the id of the only workspace it can be of, if known.
    name:      tells it and its order from other lists in cursors.
    """

    where: Condition
    order: tuple[Order, ...]
    workspace: str | None
    name: str

    def cursor(self, key: Key) -> str:
        """The cursor of the run with a key."""
        return encode_page(self.name, _written(key))

    def key(self, cursor: str | None) -> Key | None:
        """The key in a cursor. Raises InvalidInput (field after) when it is not one of this list."""
        return None if cursor is None else _read(decode_page(self.name, cursor), self.order)


async def run_list(
    info: Info,
    given: RunFilter | None,
    order_by: Sequence[RunOrder] | None,
    *,
    where: str | None = None,
    scope: Condition | None = None,
    workspace: str | None = None,
) -> RunList:
    """The list of the runs in a scope that match. Its live cursor is taken now, if the operation selects it: before the list is read.
    `workspace` is the id of the only workspace they can be in, if known."""
    context = info.context
    order = run_order(order_by)
    name = f"runs:{hashlib.blake2b(repr((scope, order)).encode(), digest_size=6).hexdigest()}"
    asked = run_filter(given, where, bounds=context.limits.filters)
    condition = await names.resolve(context.store, asked, workspace)
    if scope is not None:
        condition = And((scope, condition))
    home = workspace
    if selects(info, "liveCursor") and (home := workspace or await _only_workspace(context, asked)):
        await cursor_of_workspace(context, home)
    return RunList(condition, order, home, name)


async def run_page(
    info: Info,
    first: int,
    after: str | None,
    given: RunFilter | None,
    order_by: Sequence[RunOrder] | None,
    *,
    where: str | None = None,
    scope: Condition | None = None,
    workspace: str | None = None,
) -> RunPage:
    """A page of the runs in a scope that match; see `run_list`."""
    context = info.context
    bounded(first, context.limits.page, "first")
    listed = await run_list(info, given, order_by, where=where, scope=scope, workspace=workspace)
    found = await records.page_runs(
        context.store, listed.where, listed.order, after=listed.key(after), first=first + 1
    )
    shown = found[:first]
    runs = await settled(info, [entry.run for entry in shown], *_RUNS)
    await _load_metrics(info, runs)
    return RunPage(
        runs,
        cursor=lambda index: listed.cursor(shown[index].key),
        has_next=len(found) > first,
        has_previous=after is not None,
        count=lambda: records.count_runs(context.store, listed.where),
        context=context,
        where=listed.where,
        workspace=listed.workspace,
    )


async def _load_metrics(info: Info, runs: Sequence[RunRecord]) -> None:
    """Read the metrics that are asked for by name of every run of a page at once, before the runs are shown."""
    named = {name for path in _RUNS for name in texts(info, (*path, "metric"), "name")}
    wanted = [metric_id(run.id, name) for run in runs for name in named]
    if wanted:
        found = await records.get(info.context.store, Metric, wanted)
        info.context.loader(Metric).prime(zip(wanted, found, strict=True))


async def _only_workspace(context: Context, asked: Condition) -> str | None:
    """The one workspace that a list can be of: the one its filter names, or the only one there is."""
    for part in conjuncts(asked):
        match part:
            case Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, str(named)):
                return named if kind_of(named) == "workspace" else workspace_id(named)
    found = await records.page(context.store, Workspace, "", after=None, first=2)
    return found[0].id if len(found) == 1 else None


_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def _written(key: Key) -> Key:
    """A key for a cursor: infinities are words in a list there, since JSON has none, and no other value is a list."""
    if not any(isinstance(value, float) and math.isinf(value) for value in key.values):
        return key
    words = [
        [str(value)] if isinstance(value, float) and math.isinf(value) else value for value in key.values
    ]
    return Key(tuple(words), key.id)  # type: ignore[arg-type]  # on its way to JSON


def _read(key: Key, order: Sequence[Order]) -> Key:
    """The key of a cursor again. Raises InvalidInput when somebody made it up."""
    values: list[SortValue] = []
    found: Sequence[object] = key.values
    for value in found:
        match value:
            case [str(word)] if word in _INFINITE:
                values.append(_INFINITE[word])
            case None | str() | int() | float():
                values.append(value)
    if len(values) != len(order) or len(values) != len(key.values):
        raise InvalidInput("after is not a cursor of this list", field="after")
    return Key(tuple(values), key.id)
