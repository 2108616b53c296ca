"""The run table by column: a row for each run, or for each group of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphql_runs.model.errors import LimitExceeded
from graphql_runs.model.filter import (
    Attribute,
    AttributeField,
    Field,
    Key,
    MetricField,
    Order,
    RunFilter,
    Stat,
)
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.read.groups import Grouping, Groups, grouped, merged
from graphql_runs.read.values import Value, Values, ValueType, values_of
from graphql_runs.read.where import spelled
from graphql_runs.store.port import Store

_NEWEST_FIRST = (Order(AttributeField(Attribute.CREATED_AT), descending=True),)
_BLOCK = 1000


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table. `values` and `spread` (None: the values are of single runs or no numbers) have one entry for each row."""

    key: str
    label: str
    type: ValueType
    values: Sequence[Value]
    spread: list[float | None] | None = None

    def cut(self, rows: slice) -> TableColumn:
        """Some rows of it."""
        spread = None if self.spread is None else self.spread[rows]
        return replace(self, values=self.values[rows], spread=spread)


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Groups as rows: the ids of the runs of each, the first run's first, and the columns."""

    groups: list[list[str]]
    columns: list[TableColumn]


async def run_columns(
    store: Store, runs: Sequence[Run], fields: Sequence[Field], now: Micros
) -> list[TableColumn]:
    """The columns of a table with one row for each run."""
    found = await values_of(store, runs, fields, now)
    return [_column(field, values) for field, values in zip(fields, found, strict=True)]


async def group_table(
    store: Store,
    runs: Sequence[Run],
    fields: Sequence[Field],
    grouping: Grouping,
    order: Sequence[Order],
    now: Micros,
) -> GroupTable:
    """The table of the groups of some runs: the columns they are told apart by, then the other fields, merged (`groups.merged`).

    Groups are in the order of what their values come to, by `order`; with none, in that of their first runs.
    """
    groups = await grouped(store, runs, grouping, now)
    fields = [field for field in fields if field not in groups.fields]
    asked = list(dict.fromkeys([*fields, *(by.field for by in order)]))
    values = dict(zip(asked, await values_of(store, runs, asked, now), strict=True))
    rows = _sorted(groups, values, order)
    members = [groups.members[row] for row in rows]
    keys = [
        _column(field, Values(column.type, [column.values[row] for row in rows]))
        for field, column in zip(groups.fields, groups.keys, strict=True)
    ]
    columns = []
    for field in fields:
        of_groups, spread = merged(values[field], members)
        columns.append(_column(field, Values(values[field].type, of_groups), spread))
    return GroupTable([[runs[place].id for place in places] for places in members], [*keys, *columns])


def _sorted(groups: Groups, values: dict[Field, Values], order: Sequence[Order]) -> list[int]:
    rows = list(range(len(groups.members)))
    # Sorting is stable, so the last criterion goes first.
    for by in reversed(order):
        found, _ = merged(values[by.field], groups.members)
        missing = [row for row in rows if found[row] is None or found[row] != found[row]]
        lacking = set(missing)
        given = [row for row in rows if row not in lacking]
        given.sort(key=lambda row: found[row], reverse=by.descending)  # type: ignore[arg-type,return-value]  # of one type
        rows = [*missing, *given] if by.nulls_first else [*given, *missing]
    return rows


def _column(field: Field, values: Values, spread: list[float | None] | None = None) -> TableColumn:
    return TableColumn(spelled(field), label(field), values.type, values.values, spread)


def label(field: Field) -> str:
    """A field for the head of a column."""
    match field:
        case AttributeField(Attribute.STALE_AT):
            return "stale"
        case AttributeField(attribute):
            return attribute.value.replace("_", " ")
        case MetricField(name, stat):
            return name if stat is Stat.LAST else f"{name} ({stat.value.replace('_', ' ')})"
    return field.key


async def every_run(store: Store, where: RunFilter, *, limit: int, field: str) -> list[Run]:
    """All runs that match, the newest first. Raises LimitExceeded naming the argument when there are more than `limit`."""
    found: list[Run] = []
    after: Key | None = None
    while True:
        page = await store.find_runs(
            where, _NEWEST_FIRST, after=after, first=min(_BLOCK, limit + 1 - len(found))
        )
        found += [entry.run for entry in page]
        if len(found) > limit:
            raise LimitExceeded(
                f"{field} would look at more than {limit} runs: narrow the filter", field=field
            )
        if len(page) < _BLOCK:
            return found
        after = page[-1].key
