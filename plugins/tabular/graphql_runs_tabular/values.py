"""Single values of a table: numbers in whatever way they are written, times, and words that mean nothing."""

from __future__ import annotations

import math
from datetime import datetime

from graphql_runs.model.time import from_text, from_unix

_BLANK = frozenset({"", "n/a", "na", "null", "none", "-"})
_TRUTH = {"true": 1, "false": 0}
_EXACT_DIGITS = 15
"""Integers of more digits may not be exact as a float."""


def is_blank(text: str) -> bool:
    """Whether a text stands for no value."""
    return text.strip().lower() in _BLANK


def number(text: str) -> float | int | None:
    """The number a text is (`0.5`, `1e-3`, `NaN`, `-Infinity`, `true`), None when it is none. Integers stay exact."""
    try:
        value = float(text)
    except ValueError:
        return _TRUTH.get(text.strip().lower())
    if "_" in text:
        return None  # Python's own notation, but a name in a table
    if len(text) > _EXACT_DIGITS and text.strip().lstrip("+-").isdecimal():
        return int(text)
    return value


def step(value: object) -> float | int | None:
    """A finite number for a step, None when it is none."""
    if isinstance(value, str):
        value = number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    # Tables of floats write whole steps as 3.0.
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53 else value


def moment(value: object) -> int | None:
    """Microseconds since the epoch: from Unix seconds, milli-, micro- or nanoseconds (told by their size) or ISO 8601."""
    if isinstance(value, str):
        found = number(value)
        if found is None:
            return _from_iso(value)
        value = found
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return from_unix(value)


def _from_iso(text: str) -> int | None:
    # fromisoformat also takes bare dates and week numbers; a time has a date and a clock.
    if len(text) < 16 or text[4:5] != "-":
        return None
    try:
        return from_text(text.replace(",", "."))
    except (ValueError, OverflowError):
        return None


def shown(moment: datetime | object) -> str:
    """A value for a message, cut where it is long."""
    text = repr(moment)
    return text if len(text) <= 80 else f"{text[:77]}..."
