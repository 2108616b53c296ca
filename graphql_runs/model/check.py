"""What a condition may say about a run: the same rules wherever conditions are read or carried out."""

from __future__ import annotations

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    BagField,
    Child,
    Compare,
    Field,
    MetricField,
    Not,
    Op,
    Or,
    RunFilter,
    Under,
)
from graphql_runs.model.regex import compiled

NUMERIC = frozenset(
    {
        Attribute.NUMBER,
        Attribute.CREATED_AT,
        Attribute.STARTED_AT,
        Attribute.ENDED_AT,
        Attribute.DURATION,
        Attribute.DEPTH,
        Attribute.TRASHED_AT,
        Attribute.STALE_AT,
    }
)
"""Attributes that are numbers; the others are texts."""

TEXT_OPS = frozenset({Op.LIKE, Op.ILIKE, Op.CONTAINS, Op.REGEX})
"""Operators that look into a text."""

ESCAPE = "\\"
"""Takes the next character of a LIKE pattern as it is."""


def check_filter(where: RunFilter | None) -> None:
    """Raises InvalidInput when an operand does not fit its field or operator."""
    match where:
        case And(parts) | Or(parts):
            for part in parts:
                check_filter(part)
        case Not(part) | Child(part) | Ancestor(part):
            check_filter(part)
        case Compare():
            check_compare(where)
        case Under() | None:
            pass


def check_compare(where: Compare) -> None:
    """Raises InvalidInput when the operand does not fit the field or the operator."""
    field, op, operand = where.field, where.op, where.operand
    name = name_of(field)
    if op is Op.EXISTS:
        _require(isinstance(operand, bool), f"{name}: exists takes true or false", name)
        return
    if op in (Op.IN, Op.NOT_IN):
        _require(isinstance(operand, tuple), f"{name}: {op.value} takes a list", name)
    else:
        _require(not isinstance(operand, tuple), f"{name}: {op.value} takes one value", name)
    values = operand if isinstance(operand, tuple) else (operand,)
    texts = all(isinstance(value, str) for value in values)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    _require(texts or numbers, f"{name}: {op.value} takes texts or numbers", name)
    if op in TEXT_OPS:
        _require(texts and not is_number(field), f"{name}: {op.value} compares texts", name)
    if op in (Op.LIKE, Op.ILIKE):
        _require(_ends_well(str(operand)), f"{name}: the pattern ends with its escape character", name)
    if op is Op.REGEX:
        compiled(str(operand), name)
    if not isinstance(field, BagField):
        wanted = numbers if is_number(field) else texts
        kind = "numbers" if is_number(field) else "texts"
        _require(wanted, f"{name} is compared with {kind}", name)


def _require(holds: bool, message: str, field: str) -> None:
    if not holds:
        raise InvalidInput(message, field=field)


def _ends_well(text: str) -> bool:
    """An even number of escape characters at the end: the last one escapes nothing otherwise."""
    return (len(text) - len(text.rstrip(ESCAPE))) % 2 == 0


def is_number(field: Field) -> bool:
    """The field is a number; tags, params and properties are texts that may spell one."""
    return isinstance(field, MetricField) or (
        isinstance(field, AttributeField) and field.attribute in NUMERIC
    )


def name_of(field: Field) -> str:
    """A field for people, as error messages name it."""
    match field:
        case AttributeField(attribute):
            return attribute.value
        case BagField(bag, key):
            return f"{bag.value} {key!r}"
        case MetricField(name, stat):
            return f"metric {name!r} ({stat.value})"
