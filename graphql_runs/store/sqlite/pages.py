"""Pages of the run table, and counts.

There are two ways to a page. When some condition holds for few runs, those are fetched and sorted. Else the index of the first order
is walked from where the last page ended, and runs are checked one by one until the page is full. With n of N runs matching
the narrowest condition, the first way looks at n runs and the second at about first * N / n, which says which one to take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt

import apsw

from graphql_runs.model.check import check_filter
from graphql_runs.model.filter import (
    Ancestor,
    Attribute,
    AttributeField,
    BagField,
    Child,
    Compare,
    Field,
    Key,
    MetricField,
    Op,
    Order,
    RunFilter,
    conjuncts,
)
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.store.fields import check_after, stored
from graphql_runs.store.port import FoundRun
from graphql_runs.store.sqlite.connection import Row, number, rows_of_each
from graphql_runs.store.sqlite.filters import (
    INDEXED_STATS,
    TERM,
    Sql,
    all_of,
    any_of,
    condition,
    held,
    key_of,
    narrow,
    related,
    value,
)
from graphql_runs.store.sqlite.reads import record
from graphql_runs.store.sqlite.schema import DATED, ORDERED

_FEW_TO_COUNT = 20_000
_LISTED = (
    Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, False),
    Compare(AttributeField(Attribute.ALIAS_OF), Op.EXISTS, False),
)
"""What lists ask for by themselves."""
_COUNT = ("SELECT count(*)", "")
_COUNT_STATUSES = ("SELECT run.status, count(*)", " GROUP BY run.status")


def find(
    cursor: apsw.Cursor, where: RunFilter | None, order: Sequence[Order], after: Key | None, first: int
) -> list[FoundRun]:
    """See `Store.find_runs`."""
    found: list[Row] = []
    for query in _queries(cursor, where, order, after, first):
        found += (query + Sql(" LIMIT ?", (first - len(found),))).run(cursor)
        if len(found) >= first:
            break
    documents = rows_of_each(cursor, "SELECT doc, sum FROM run WHERE key = ?", [(row[0],) for row in found])
    return [
        FoundRun(record(Run, doc, proof), Key(row[2:], row[1]))
        for row, (doc, proof) in zip(found, documents, strict=True)
    ]


def explain(
    cursor: apsw.Cursor, where: RunFilter | None, order: Sequence[Order], after: Key | None, first: int
) -> list[str]:
    """SQLite's words for how `find` would get there."""
    return [
        str(row[3])
        for query in _queries(cursor, where, order, after, first)
        for row in (query.inside("EXPLAIN QUERY PLAN ", " LIMIT ?") + Sql("", (first,))).run(cursor)
    ]


def count(cursor: apsw.Cursor, where: RunFilter | None) -> int:
    """See `Store.count_runs`."""
    if where is None:
        return _runs(cursor)
    [(matching,)] = _all(cursor, where, *_COUNT).run(cursor)
    return int(matching)


def count_statuses(cursor: apsw.Cursor, where: RunFilter | None) -> dict[RunStatus, int]:
    """See `Store.count_statuses`."""
    groups = _all(cursor, where, *_COUNT_STATUSES).run(cursor)
    return {RunStatus(status): runs for status, runs in groups}


def explain_counts(cursor: apsw.Cursor, where: RunFilter) -> list[str]:
    """SQLite's words for how `count` and `count_statuses` would get there."""
    return [
        str(row[3])
        for asked in (_COUNT, _COUNT_STATUSES)
        for row in _all(cursor, where, *asked).inside("EXPLAIN QUERY PLAN ", "").run(cursor)
    ]


def _queries(
    cursor: apsw.Cursor, where: RunFilter | None, order: Sequence[Order], after: Key | None, first: int
) -> Iterator[Sql]:
    """The queries whose rows (key, id, values), one after the other, are the page; each lacks its limit only."""
    check_filter(where)
    check_after(order, after)
    parts = conjuncts(where)
    few = _narrowest(cursor, parts, isqrt(first * _runs(cursor) // 2))
    if few is not None:
        source, rest = few
        conditions = [condition(part) for part in rest]
        if after is not None:
            conditions.append(_after(order, after))
        yield (
            source.inside("WITH few(key) AS (", ") ")
            + _select(order)
            + Sql(" FROM few CROSS JOIN run ON run.key = few.key")
            + _where(conditions)
            + Sql(f" ORDER BY {_ordering(order)}")
        )
    elif not order:
        conditions = [condition(part) for part in parts]
        if after is not None:
            conditions.append(Sql("run.id > ?", (after.id,)))
        yield (
            _select(order)
            + Sql(" FROM run INDEXED BY run_by_id")
            + _where(conditions)
            + Sql(" ORDER BY run.id")
        )
    else:
        yield from _walks(parts, order, after)


def _walks(parts: Sequence[RunFilter], order: Sequence[Order], after: Key | None) -> Iterator[Sql]:
    """First the runs that have a value of the first order, then those that lack it, or the other way round."""
    by = order[0]
    lacking = after is not None and after.values[0] is None
    if by.nulls_first:
        if after is None or lacking:
            yield from _walk_lacking(parts, order, after)
        yield _walk(parts, order, None if lacking else after)
    else:
        if not lacking:
            yield _walk(parts, order, after)
        yield from _walk_lacking(parts, order, after if lacking else None)


def _walk(parts: Sequence[RunFilter], order: Sequence[Order], after: Key | None) -> Sql:
    by = order[0]
    source, column, conditions = _index(by.field, parts)
    checked = [_checked(part, by.field) for part in parts]
    if after is None:
        conditions += [Sql(f"{column} IS NOT NULL"), *checked]
    else:
        near = Sql(f"{column} {'<=' if by.descending else '>='} ?", _bound(after.values[0]))
        conditions += [near, _after(order, after), *(_beside(part, column) for part in checked)]
    ordering = ", ".join(["v0 DESC" if by.descending else "v0", _ordering(order, start=1)])
    return _select(order, Sql(column)) + Sql(source) + _where(conditions) + Sql(f" ORDER BY {ordering}")


def _walk_lacking(parts: Sequence[RunFilter], order: Sequence[Order], after: Key | None) -> Iterator[Sql]:
    field = order[0].field
    if any(isinstance(part, Compare) and part.field == field and _needs_value(part) for part in parts):
        return
    conditions = [condition(part) for part in (Compare(field, Op.EXISTS, False), *parts)]
    if after is not None:
        conditions.append(_after(order, after))
    # Many lack it, or a walk would not have been chosen; so the first of them by id are near.
    index = " INDEXED BY run_by_id" if len(order) == 1 else ""
    yield (
        _select(order, Sql("NULL"))
        + Sql(f" FROM run{index}")
        + _where(conditions)
        + Sql(f" ORDER BY {_ordering(order, start=1)}")
    )


def _index(field: Field, parts: Sequence[RunFilter]) -> tuple[str, str, list[Sql]]:
    """What to walk: the FROM clause, the column that it is ordered by, and the conditions that lead to its rows."""
    match field:
        case AttributeField(attribute):
            column = f"run.{attribute.value}"
            index = _run_index(attribute, parts)
            return f" FROM run{f' INDEXED BY {index}' if index else ''}", column, []
        case BagField():
            source = " FROM bag INDEXED BY bag_by_sort CROSS JOIN run ON run.key = bag.run"
            return source, "bag.sort", [key_of(field)]
        case MetricField(_, stat):
            column = f"metric.{stat.value}"
            index = f"metric_by_{stat.value if stat.value in INDEXED_STATS else 'last'}"
            conditions = [key_of(field)]
            # The index has the experiment too, so that runs of others are passed over without a look at them.
            conditions += [
                Sql(f"metric.experiment = {TERM}", (experiment,))
                for experiment in _equals(parts, Attribute.EXPERIMENT)
            ]
            return (
                f" FROM metric INDEXED BY {index} CROSS JOIN run ON run.key = metric.owner",
                column,
                conditions,
            )


def _run_index(attribute: Attribute, parts: Sequence[RunFilter]) -> str | None:
    if attribute is Attribute.CREATED_AT:
        for scope in DATED:
            # Runs without a parent are together in its index, too.
            if any(_equals(parts, scope)) or Compare(AttributeField(scope), Op.EXISTS, False) in parts:
                return f"run_by_{scope.value}"
    return f"run_by_{attribute.value}" if attribute in (Attribute.ID, *DATED, *ORDERED) else None


def _equals(parts: Sequence[RunFilter], attribute: Attribute) -> Iterator[str]:
    for part in parts:
        match part:
            case Compare(AttributeField(name), Op.EQ, str(operand)) if name is attribute:
                yield operand


def _checked(part: RunFilter, walked: Field) -> Sql:
    """A condition on the run; on the walked row itself where that holds the field."""
    match part, walked:
        case Compare(MetricField(name) as field, op, operand), MetricField(other) if name == other:
            return held(field, op, operand)
        case Compare(BagField() as field, op, operand), BagField() if field == walked:
            return held(field, op, operand)
    return condition(part)


def _beside(part: Sql, column: str) -> Sql:
    """A condition that is checked and not searched by. Of two bounds on one column SQLite takes either, and only the key's is
    near the next page; a unary plus decides it."""
    return Sql(part.text.replace(column, f"+{column}"), part.parameters)


def _needs_value(part: Compare) -> bool:
    return part.op is not Op.EXISTS or part.operand is True


def _narrowest(
    cursor: apsw.Cursor, parts: Sequence[RunFilter], most: int
) -> tuple[Sql, list[RunFilter]] | None:
    """The condition that holds for fewest runs, if that are at most so many, and the others."""
    found = None
    for part in parts:
        source = _source(cursor, part, most)
        if source is None:
            continue
        [(runs,)] = (source.inside("SELECT count(*) FROM (", " LIMIT ?)") + Sql("", (most + 1,))).run(cursor)
        if runs <= most:
            found, most = (source, [other for other in parts if other is not part]), runs
    return found


def _source(cursor: apsw.Cursor, part: RunFilter, most: int) -> Sql | None:
    """The keys of the runs for which a condition holds, where they are near at hand."""
    if not isinstance(part, Child | Ancestor):
        return narrow(part)
    few = _narrowest(cursor, conjuncts(part.part), most)
    return None if few is None else related(part, *few)


def _all(cursor: apsw.Cursor, where: RunFilter | None, select: str, group: str) -> Sql:
    """A query over all runs that match."""
    check_filter(where)
    parts = conjuncts(where)
    # Indexes of lists have these columns too: with one condition besides, nothing has to be looked up.
    narrowing = [part for part in parts if part not in _LISTED]
    few = _narrowest(cursor, parts, _FEW_TO_COUNT) if len(narrowing) > 1 else None
    if few is None:
        return (
            Sql(f"{select} FROM run") + _where([condition(part, listed=True) for part in parts]) + Sql(group)
        )
    source, rest = few
    return (
        source.inside("WITH few(key) AS (", f") {select} FROM few CROSS JOIN run ON run.key = few.key")
        + _where([condition(part) for part in rest])
        + Sql(group)
    )


def _select(order: Sequence[Order], first: Sql | None = None) -> Sql:
    selected = Sql("SELECT run.key, run.id")
    for place, by in enumerate(order):
        expression = first if place == 0 and first is not None else value(by.field)
        selected += expression.inside(", ", f" AS v{place}")
    return selected


def _where(conditions: Sequence[Sql]) -> Sql:
    return all_of(conditions).inside(" WHERE ", "")


def _ordering(order: Sequence[Order], *, start: int = 0) -> str:
    terms = [
        f"v{place} {'DESC' if by.descending else 'ASC'} NULLS {'FIRST' if by.nulls_first else 'LAST'}"
        for place, by in enumerate(order)
        if place >= start
    ]
    return ", ".join([*terms, "run.id"])


def _after(order: Sequence[Order], after: Key) -> Sql:
    """The runs that come after a key: equal in the first values, later in the next one."""
    ways: list[Sql] = []
    equal: list[Sql] = []
    for place, (by, mark) in enumerate(zip(order, after.values, strict=True)):
        column = f"v{place}"
        later = [Sql(f"{column} {'<' if by.descending else '>'} ?", _bound(mark))] if mark is not None else []
        if mark is None and by.nulls_first:
            later.append(Sql(f"{column} IS NOT NULL"))
        if mark is not None and not by.nulls_first:
            later.append(Sql(f"{column} IS NULL"))
        if later:
            ways.append(all_of([*equal, any_of(later)]))
        equal.append(Sql(f"{column} IS ?", _bound(mark)))
    return any_of([*ways, all_of([*equal, Sql("run.id > ?", (after.id,))])])


def _bound(mark: apsw.SQLiteValue) -> tuple[apsw.SQLiteValue]:
    return (stored(mark) if isinstance(mark, int | float) else mark,)


def _runs(cursor: apsw.Cursor) -> int:
    return number(cursor, "SELECT value FROM meta WHERE name = 'runs'")
