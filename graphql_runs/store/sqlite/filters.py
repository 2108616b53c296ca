"""Filters as SQL. Every value of a caller's is a parameter; the text is made of our own words only.

A condition is about the row `run`. SQL's third truth value stands for false in a WHERE clause, so only `Not` has to turn it into
false first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw

from graphql_runs.model.check import ESCAPE
from graphql_runs.model.errors import LimitExceeded
from graphql_runs.model.filter import (
    Ancestor,
    And,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    Field,
    MetricField,
    Not,
    Op,
    Operand,
    Or,
    RunFilter,
    Under,
)
from graphql_runs.store.fields import pattern, stored
from graphql_runs.store.sqlite.connection import MATCHES, Row, rows
from graphql_runs.store.sqlite.schema import DATED, ORDERED, SPARSE

_MOST_PARAMETERS = 32_000
"""SQLite takes 32766."""
TERM = "(SELECT key FROM term WHERE text = ?)"
INDEXED_STATS = frozenset({"last", "min", "max"})

_COMPARE = {Op.EQ: "=", Op.NE: "<>", Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
_NARROWING = frozenset({Op.EQ, Op.IN, Op.LT, Op.LTE, Op.GT, Op.GTE})


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL with its parameters."""

    text: str
    parameters: tuple[apsw.SQLiteValue, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(self.text + other.text, self.parameters + other.parameters)

    def inside(self, before: str, after: str) -> Sql:
        """The same between two texts."""
        return Sql(f"{before}{self.text}{after}", self.parameters)

    def run(self, cursor: apsw.Cursor) -> list[Row]:
        """All rows. Raises LimitExceeded for more parameters than SQLite takes."""
        if len(self.parameters) > _MOST_PARAMETERS:
            raise LimitExceeded(f"the filter has more than {_MOST_PARAMETERS} values", field="filter")
        return rows(cursor, self.text, self.parameters)


TRUE, FALSE = Sql("1"), Sql("0")


def all_of(parts: Sequence[Sql]) -> Sql:
    """All hold."""
    return _joined(parts, "AND") if parts else TRUE


def any_of(parts: Sequence[Sql]) -> Sql:
    """One holds at least."""
    return _joined(parts, "OR") if parts else FALSE


def condition(where: RunFilter, *, row: str = "run", listed: bool = False) -> Sql:
    """The condition on a row of `run`, which has that name in the query.

    listed: look values up in a list made once for the whole query, which pays when most runs are looked at; else by each run.
    """
    match where:
        case And(parts):
            return all_of([condition(part, row=row, listed=listed) for part in parts])
        case Or(parts):
            return any_of([condition(part, row=row, listed=listed) for part in parts])
        case Not(part):
            return condition(part, row=row, listed=listed).inside("NOT ((", ") IS TRUE)")
        case Under():
            return below(where).inside(f"{row}.key IN (", ")")
        case Child(part):
            return _has_child(part, row, listed)
        case Ancestor(part):
            return _has_ancestor(part, row, listed)
        case Compare():
            pass
    if listed and not isinstance(where.field, AttributeField) and (source := narrow(where)) is not None:
        return source.inside(f"{row}.key IN (", ")")
    match where.field:
        case AttributeField(attribute):
            return compared(f"{row}.{attribute.value}", where.op, where.operand)
        case BagField() | MetricField():
            return _looked_up(where.field, where.op, where.operand, row)


def narrow(where: RunFilter) -> Sql | None:
    """The keys of the runs for which a condition holds, each once, read from an index; None when none serves it."""
    match where:
        case Under():
            return below(where)
        case Compare(AttributeField(attribute), op, operand):
            few = attribute in SPARSE and op is Op.EXISTS and operand is True
            if few or (op in _NARROWING and attribute in (*DATED, *ORDERED, *SPARSE)):
                return compared(f"run.{attribute.value}", op, operand).inside(
                    "SELECT run.key FROM run WHERE ", ""
                )
        case Compare(BagField() as field, op, operand):
            if op in _NARROWING or (op is Op.EXISTS and operand is True):
                return _held(field, op, operand).inside("SELECT bag.run FROM bag WHERE ", "")
        case Compare(MetricField(_, stat) as field, op, operand):
            if stat.value in INDEXED_STATS and (op in _NARROWING or (op is Op.EXISTS and operand is True)):
                index = f"metric_by_{stat.value}"
                return _held(field, op, operand).inside(
                    f"SELECT metric.owner FROM metric INDEXED BY {index} WHERE ", ""
                )
    return None


def related(where: Child | Ancestor, source: Sql, rest: Sequence[RunFilter]) -> Sql:
    """The keys of the runs above (below) those few of a source for which the rest holds, each once."""
    few = source.inside("WITH RECURSIVE few(key) AS (", ")")
    held = all_of([condition(part, row="other") for part in rest])
    others = " FROM few CROSS JOIN run AS other ON other.key = few.key CROSS JOIN run AS next ON"
    if isinstance(where, Child):
        return few + held.inside(f" SELECT DISTINCT next.key{others} next.id = other.parent WHERE ", "")
    return few + held.inside(
        f", beneath(id, key) AS (SELECT next.id, next.key{others} next.parent = other.id WHERE ",
        " UNION SELECT next.id, next.key FROM beneath JOIN run AS next ON next.parent = beneath.id)"
        " SELECT key FROM beneath",
    )


def below(where: Under) -> Sql:
    """The keys of the runs below a run."""
    return Sql(
        "WITH RECURSIVE below(id, key) AS (SELECT id, key FROM run WHERE root = ? AND parent = ?"
        " UNION SELECT child.id, child.key FROM below JOIN run AS child ON child.parent = below.id"
        " WHERE child.root = ?) SELECT key FROM below",
        (where.root, where.run, where.root),
    )


def _has_child(part: RunFilter, row: str, listed: bool) -> Sql:
    """A direct child of the row is as the part says."""
    child = f"{row}_child"
    held = condition(part, row=child, listed=listed)
    if listed:
        lists = (
            f"{row}.id IN (SELECT {child}.parent FROM run AS {child} WHERE {child}.parent IS NOT NULL AND "
        )
        return held.inside(lists, ")")
    return held.inside(f"EXISTS (SELECT 1 FROM run AS {child} WHERE {child}.parent = {row}.id AND ", ")")


def _has_ancestor(part: RunFilter, row: str, listed: bool) -> Sql:
    """A run above the row is as the part says."""
    above = f"{row}_above"
    held = condition(part, row=above, listed=listed)
    # UNION, so that damaged parents cannot make it endless.
    if listed:
        return held.inside(
            f"{row}.id IN (WITH RECURSIVE beneath(id) AS (SELECT next.id FROM run AS {above} JOIN run AS next"
            f" ON next.parent = {above}.id WHERE ",
            " UNION SELECT next.id FROM beneath JOIN run AS next ON next.parent = beneath.id) SELECT id FROM beneath)",
        )
    return held.inside(
        f"EXISTS (WITH RECURSIVE over(id) AS (SELECT {row}.parent UNION SELECT next.parent FROM over"
        f" CROSS JOIN run AS next ON next.id = over.id) SELECT 1 FROM over CROSS JOIN run AS {above}"
        f" ON {above}.id = over.id WHERE ",
        ")",
    )


def value(field: Field) -> Sql:
    """The value of a field for the row `run`, NULL when it is missing."""
    match field:
        case AttributeField(attribute):
            return Sql(f"run.{attribute.value}")
        case BagField():
            return key_of(field).inside("(SELECT bag.sort FROM bag WHERE bag.run = run.key AND ", ")")
        case MetricField(_, stat):
            return key_of(field).inside(
                f"(SELECT metric.{stat.value} FROM metric WHERE metric.owner = run.key AND ", ")"
            )


def compared(column: str, op: Op, operand: Operand) -> Sql:
    """A column against an operand; NULL or 0 when it is missing. Numbers fail texts and the other way round only where the
    column holds one type, so bags choose their column by the operand."""
    if op is Op.EXISTS:
        return Sql(f"{column} IS {'NOT ' if operand else ''}NULL")
    if isinstance(operand, tuple):
        if op is Op.IN:
            return Sql(f"{column} IN ({', '.join('?' * len(operand))})", _bound(operand))
        # NULL NOT IN () would be true.
        missing = f"{column} IS NOT NULL AND " if not operand else ""
        return Sql(f"{missing}{column} NOT IN ({', '.join('?' * len(operand))})", _bound(operand))
    match op:
        case Op.LIKE:
            return Sql(f"{column} GLOB ?", (glob(str(operand)),))
        case Op.ILIKE:
            return Sql(f"{column} LIKE ? ESCAPE '{ESCAPE}'", (str(operand),))
        case Op.CONTAINS:
            return containing(column, str(operand))
        case Op.REGEX:
            return Sql(f"{MATCHES}(?, {column})", (str(operand),))
    return Sql(f"{column} {_COMPARE[op]} ?", _bound((operand,)))


def containing(column: str, text: str) -> Sql:
    """The column contains a text; the case of ASCII letters does not matter."""
    for letter in (ESCAPE, "%", "_"):
        text = text.replace(letter, ESCAPE + letter)
    return Sql(f"{column} LIKE ? ESCAPE '{ESCAPE}'", (f"%{text}%",))


def starting(column: str, text: str) -> Sql:
    """The column starts with a text."""
    return Sql(f"{column} GLOB ?", (_literal(text) + "*",))


def glob(like: str) -> str:
    """A LIKE pattern for GLOB, which minds the case of letters."""
    return "".join("?" if piece is None else _literal(piece) if piece else "*" for piece in pattern(like))


def _looked_up(field: BagField | MetricField, op: Op, operand: Operand, row: str) -> Sql:
    table, run = ("bag", "bag.run") if isinstance(field, BagField) else ("metric", "metric.owner")
    if op is Op.EXISTS and not operand:
        return _held(field, Op.EXISTS, True).inside(
            f"NOT EXISTS (SELECT 1 FROM {table} WHERE {run} = {row}.key AND ", ")"
        )
    return _held(field, op, operand).inside(
        f"EXISTS (SELECT 1 FROM {table} WHERE {run} = {row}.key AND ", ")"
    )


def _held(field: BagField | MetricField, op: Op, operand: Operand) -> Sql:
    """The rows of `bag` or `metric` that hold a field of which a condition is true."""
    return key_of(field) + held(field, op, operand).inside(" AND ", "")


def held(field: BagField | MetricField, op: Op, operand: Operand) -> Sql:
    """A condition on a row of `bag` or `metric` that holds the field."""
    if isinstance(field, MetricField):
        return compared(f"metric.{field.stat.value}", op, operand)
    first = operand[0] if isinstance(operand, tuple) and operand else operand
    if op is Op.EXISTS:
        return TRUE if operand else FALSE
    if isinstance(first, str | tuple):
        return compared("bag.text", op, operand)
    # Numbers come before all texts in `sort`, which has the index.
    return compared("bag.sort", op, operand) + Sql(" AND bag.number IS NOT NULL")


def key_of(field: BagField | MetricField) -> Sql:
    """The rows of `bag` or `metric` that hold a field."""
    if isinstance(field, BagField):
        return Sql(f"bag.key = {TERM}", (bag_term(field.bag, field.key),))
    return Sql("metric.name = ?", (field.name,))


def bag_term(bag: Bag, key: str) -> str:
    """The term of a tag, param or property."""
    return f"{bag.value}:{key}"


def _bound(operands: Iterable[str | float]) -> tuple[apsw.SQLiteValue, ...]:
    return tuple(one if isinstance(one, str) else stored(one) for one in operands)


def _literal(text: str) -> str:
    """A text in a GLOB pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _joined(parts: Sequence[Sql], word: str) -> Sql:
    """As a balanced tree: SQLite refuses expressions that are a thousand levels deep."""
    if len(parts) == 1:
        return parts[0].inside("(", ")")
    middle = len(parts) // 2
    left, right = _joined(parts[:middle], word), _joined(parts[middle:], word)
    return (left + right.inside(f" {word} ", "")).inside("(", ")")
