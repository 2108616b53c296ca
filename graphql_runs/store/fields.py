"""What a filter and an order may say about a run, and the values they compare: the same rules for every store.

The value of a tag, param or property is its text; next to a number operand it is the number that the text spells, if it
spells one. Sorted by, texts that spell a number come first, by number, then the others by code point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    BagField,
    Compare,
    Field,
    Key,
    MetricField,
    Not,
    Op,
    Or,
    Order,
    RunFilter,
    SortValue,
    Under,
)
from graphql_runs.model.run import Run

NUMERIC = frozenset(
    {
        Attribute.NUMBER,
        Attribute.CREATED_AT,
        Attribute.STARTED_AT,
        Attribute.ENDED_AT,
        Attribute.DURATION,
        Attribute.DEPTH,
    }
)
"""Attributes that are numbers; the others are texts."""

_COMPUTED = (Attribute.STATUS_CLASS, Attribute.DURATION)
ATTRIBUTES = (*(name for name in Attribute if name not in _COMPUTED), *_COMPUTED)
"""All attributes, in the order that `attributes` gives their values."""
_PLAIN = attrgetter(*(name.value for name in ATTRIBUTES[: -len(_COMPUTED)]))

ESCAPE = "\\"
TEXT_OPS = frozenset({Op.LIKE, Op.ILIKE, Op.CONTAINS})
_NUMBER = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity))", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_INT64 = 1 << 63


def attributes(run: Run) -> tuple[str | int | float | None, ...]:
    """The values of ATTRIBUTES: texts, integers, and a float for the duration (seconds); None when one is missing."""
    duration = None if run.ended_at is None else (run.ended_at - run.created_at) / 1e6
    return (*_PLAIN(run), run.status.status_class, duration)


def number_of(text: str) -> int | float | None:
    """The number that a text spells in ASCII decimal notation, or an infinity; None for any other text, NaN included."""
    if not _NUMBER.fullmatch(text):
        return None
    if _INTEGER.fullmatch(text) and -_INT64 <= (exact := int(text)) < _INT64:
        return exact
    return float(text)


def stored(number: float) -> int | float:
    """A number as stores hold it: integers beyond 64 bits become floats."""
    if isinstance(number, int) and not -_INT64 <= number < _INT64:
        return (
            float("inf") if number > 1 << 1023 else float("-inf") if number < -(1 << 1023) else float(number)
        )
    return number


def check_filter(where: RunFilter | None) -> None:
    """Raises InvalidInput when an operand does not fit its field or operator."""
    match where:
        case And(parts) | Or(parts):
            for part in parts:
                check_filter(part)
        case Not(part):
            check_filter(part)
        case Compare():
            _check_compare(where)
        case Under() | None:
            pass


def check_after(order: Sequence[Order], after: Key | None) -> None:
    """Raises InvalidInput when a key is not one of this order."""
    if after is None:
        return
    if len(after.values) != len(order) or not all(
        _sorts(one.field, value) for one, value in zip(order, after.values, strict=True)
    ):
        raise InvalidInput("after does not belong to this order", field="after")


def pattern(text: str) -> list[str | None]:
    """A LIKE pattern as its pieces: `%` is the empty text, `_` is None, everything else a literal text."""
    pieces: list[str | None] = []
    literal: list[str] = []
    letters = iter(text)
    for letter in letters:
        if letter == ESCAPE:
            literal.append(next(letters, ESCAPE))
        elif letter in "%_":
            if literal:
                pieces.append("".join(literal))
                literal.clear()
            pieces.append("" if letter == "%" else None)
        else:
            literal.append(letter)
    if literal:
        pieces.append("".join(literal))
    return pieces


def name_of(field: Field) -> str:
    """A field for people, as error messages name it."""
    match field:
        case AttributeField(attribute):
            return attribute.value
        case BagField(bag, key):
            return f"{bag.value} {key!r}"
        case MetricField(name, stat):
            return f"metric {name!r} ({stat.value})"


def _check_compare(where: Compare) -> None:
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
        _require(texts and not _is_number(field), f"{name}: {op.value} compares texts", name)
    if op in (Op.LIKE, Op.ILIKE):
        _require(_ends_well(str(operand)), f"{name}: the pattern ends with its escape character", name)
    if not isinstance(field, BagField):
        wanted = numbers if _is_number(field) else texts
        kind = "numbers" if _is_number(field) else "texts"
        _require(wanted, f"{name} is compared with {kind}", name)


def _require(holds: bool, message: str, field: str) -> None:
    if not holds:
        raise InvalidInput(message, field=field)


def _is_number(field: Field) -> bool:
    return isinstance(field, MetricField) or (
        isinstance(field, AttributeField) and field.attribute in NUMERIC
    )


def _ends_well(text: str) -> bool:
    """An even number of escape characters at the end: the last one escapes nothing otherwise."""
    return (len(text) - len(text.rstrip(ESCAPE))) % 2 == 0


def _sorts(field: Field, value: SortValue) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or (isinstance(value, float) and value != value):
        return False
    text = isinstance(value, str)
    return isinstance(field, BagField) or text != _is_number(field)
