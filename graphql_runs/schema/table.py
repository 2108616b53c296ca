"""The run table by column: as many rows as a screen has, without an object for each cell."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import strawberry

from graphql_runs.model import records
from graphql_runs.model.cursor import encode_page
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.filter import Attribute, Field, Key
from graphql_runs.model.filter import RunFilter as Condition
from graphql_runs.model.time import now
from graphql_runs.read import table
from graphql_runs.read.jump import key_of_row
from graphql_runs.read.records import count_runs, page_runs
from graphql_runs.read.values import ValueType
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import After, PageInfo, place
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.enums import describe
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.filters import RunColumn, RunFilter, RunOrder, run_field
from graphql_runs.schema.grouping import GroupBy, grouping
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.runs import Filter, OrderBy, RunList, Where, cursor_of_list, equals, run_list
from graphql_runs.schema.scalars import Column

Columns = Annotated[list[RunColumn], argument("What the table shows of each run, in this order.")]
Grouped = Annotated[GroupBy | None, argument("One row for each group of runs instead of one for each run.")]
Rows = Annotated[int, argument("How many rows the page has at most.")]
Offset = Annotated[
    int,
    argument(
        "Begin at the row of this number, from 0: a jump into the middle, found by counting and not by reading what is before it. "
        "To go on from a page, `after` is quicker."
    ),
]

describe(
    ValueType,
    "What the values of a column are.",
    {
        "NUMBER": "Numbers.",
        "TEXT": "Texts.",
        "BOOLEAN": "True or false.",
        "TIME": "Times, in Unix seconds.",
        "STATUS": "Statuses of runs.",
    },
    name="ColumnType",
)


@strawberry.type(name="TableColumn", description="One column of a table: a value for each row.")
class TableColumn:
    key: str = field("What it shows, as a filter's text names it; unique in the table.")
    label: str = field("A short heading.")
    type: ValueType = field("What its values are.")
    values: Column = field(
        "A value for each row; null where there is none. Of a group: the mean of the finite numbers, the latest time, or the "
        "value that all of its runs share."
    )
    spread: Column | None = field(
        "Of groups: the sample standard deviation of the numbers of each, null for fewer than two. Null where values are of "
        "single runs, and for what is no number."
    )


@dataclass(frozen=True, slots=True)
class Table:
    """A page of a table. `cursor` is that of the row of an index."""

    context: Context
    workspace: str | None
    ids: Sequence[str]
    groups: Sequence[Sequence[str]] | None
    columns: Sequence[table.TableColumn]
    cursor: Callable[[int], str]
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]]
    start: str | None = None
    end: str | None = None

    @property
    def nodes(self) -> Sequence[str]:
        """The rows, as PageInfo counts them."""
        return self.ids


async def _live_cursor(root: strawberry.Parent[Table]) -> str:
    return await cursor_of_list(root.context, root.workspace)


async def _total(root: strawberry.Parent[Table]) -> int:
    return await root.count()


@strawberry.type(
    description="Runs by column: one row for each run or group, one column for each thing asked for."
)
class RunTable:
    ids: list[strawberry.ID] = field("The run of each row; of a group, its newest one.")
    groups: list[list[strawberry.ID]] | None = field(
        "The runs of each row's group, the newest first; null if runs are not grouped."
    )
    columns: list[TableColumn] = field(
        "The columns. Those that groups are told apart by come before those asked for; by `allParamsExcept` that are the params "
        "which not all groups have the same value of."
    )
    total_count: int = field("How many rows the whole table has; counted only when asked for.", _total)
    page_info: PageInfo = field("Where this page lies in the table.", of=lambda found: found)
    live_cursor: str = field(
        "The table as of this page: what changes in its workspace later can be followed from here.",
        _live_cursor,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The arguments that say which columns and rows."""

    columns: Sequence[RunColumn]
    group_by: GroupBy | None
    first: int
    after: str | None
    offset: int


async def run_table(
    info: Info,
    columns: Columns,
    group_by: Grouped = None,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: Rows = 100,
    after: After = None,
    offset: Offset = 0,
) -> Table:
    """The table of runs of all workspaces."""
    return await _table(info, _Asked(columns, group_by, first, after, offset), filter, where, order_by)


async def workspace_table(
    root: strawberry.Parent[records.Workspace],
    info: Info,
    columns: Columns,
    group_by: Grouped = None,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: Rows = 100,
    after: After = None,
    offset: Offset = 0,
) -> Table:
    """The table of a workspace's runs."""
    asked = _Asked(columns, group_by, first, after, offset)
    scope = equals(Attribute.WORKSPACE, root.id)
    return await _table(info, asked, filter, where, order_by, scope=scope, workspace=root.id)


async def experiment_table(
    root: strawberry.Parent[records.Experiment],
    info: Info,
    columns: Columns,
    group_by: Grouped = None,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: Rows = 100,
    after: After = None,
    offset: Offset = 0,
) -> Table:
    """The table of an experiment's runs."""
    asked = _Asked(columns, group_by, first, after, offset)
    scope = equals(Attribute.EXPERIMENT, root.id)
    return await _table(info, asked, filter, where, order_by, scope=scope, workspace=root.workspace)


async def _table(
    info: Info,
    asked: _Asked,
    given: RunFilter | None,
    where: str | None,
    order_by: Sequence[RunOrder] | None,
    *,
    scope: Condition | None = None,
    workspace: str | None = None,
) -> Table:
    limits = info.context.limits
    bounded(asked.first, limits.table_rows, "first", least=1)
    bounded(len(asked.columns), limits.table_columns, "columns")
    if asked.offset < 0 or (asked.offset and asked.after is not None):
        raise InvalidInput("offset must be 0 or more, and goes without after", field="offset")
    fields = list(dict.fromkeys(run_field(column, "columns") for column in asked.columns))
    listed = await run_list(info, given, order_by, where=where, scope=scope, workspace=workspace)
    if asked.group_by is None:
        return await _of_runs(info.context, listed, asked, fields)
    return await _of_groups(info.context, listed, asked, fields, asked.group_by, sort=bool(order_by))


async def _of_runs(context: Context, listed: RunList, asked: _Asked, fields: Sequence[Field]) -> Table:
    store, after = context.store, listed.key(asked.after)
    beyond = False
    if asked.offset:
        after = await key_of_row(store, listed.where, listed.order, asked.offset - 1)
        beyond = after is None
    found = (
        []
        if beyond
        else await page_runs(store, listed.where, listed.order, after=after, first=asked.first + 1)
    )
    shown = found[: asked.first]
    runs = [entry.run for entry in shown]
    return Table(
        context,
        listed.workspace,
        ids=[run.id for run in runs],
        groups=None,
        columns=await table.run_columns(store, runs, fields, now()),
        cursor=lambda index: listed.cursor(shown[index].key),
        has_next=len(found) > asked.first,
        has_previous=after is not None or beyond,
        count=lambda: count_runs(store, listed.where),
    )


async def _of_groups(
    context: Context,
    listed: RunList,
    asked: _Asked,
    fields: Sequence[Field],
    group_by: GroupBy,
    *,
    sort: bool,
) -> Table:
    store, limits = context.store, context.limits
    by = grouping(group_by, limits)
    digest = hashlib.blake2b(repr((listed.name, by)).encode(), digest_size=6).hexdigest()
    name = f"groups:{digest}"
    last = place(int, name, asked.after)
    start = asked.offset if last is None else max(0, last + 1)
    runs = await table.every_run(store, listed.where, limit=limits.group_runs, field="groupBy")
    order = listed.order if sort else ()
    made = await table.group_table(store, runs, fields, by, order, now())
    if len(made.columns) > limits.table_columns:
        raise LimitExceeded(
            f"the table would have {len(made.columns)} columns, the limit is {limits.table_columns}: leave more params aside",
            field="groupBy",
        )
    page = slice(start, start + asked.first)

    async def count() -> int:
        return len(made.groups)

    return Table(
        context,
        listed.workspace,
        ids=[ids[0] for ids in made.groups[page]],
        groups=made.groups[page],
        columns=[column.cut(page) for column in made.columns],
        cursor=lambda index: encode_page(name, Key((start + index,), "")),
        has_next=len(made.groups) > start + asked.first,
        has_previous=start > 0,
        count=count,
    )
