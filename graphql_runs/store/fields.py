"""The values that filters and orders compare: the same rules for every store.

The value of a tag, param or property is its text; next to a number operand it is the number that the text spells, if it
spells one. Sorted by, texts that spell a number come first, by number, then the others by code point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter

from graphql_runs.model.check import ESCAPE, is_number
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Attribute, BagField, Field, Key, Order, SortValue
from graphql_runs.model.run import Run

_COMPUTED = (Attribute.STATUS_CLASS, Attribute.DURATION)
ATTRIBUTES = (*(name for name in Attribute if name not in _COMPUTED), *_COMPUTED)
"""All attributes, in the order that `attributes` gives their values."""
_PLAIN = attrgetter(*(name.value for name in ATTRIBUTES[: -len(_COMPUTED)]))

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


def _sorts(field: Field, value: SortValue) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or (isinstance(value, float) and value != value):
        return False
    text = isinstance(value, str)
    return isinstance(field, BagField) or text != is_number(field)
