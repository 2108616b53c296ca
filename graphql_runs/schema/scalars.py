"""Scalars of the API: numbers without loss, columns of them at the speed of arrays, and exact times.

In JSON a number that is not finite is the text `NaN`, `Infinity` or `-Infinity` (the mapping of Protocol Buffers), and an
integer that a double would not hold exactly (beyond ±2⁵³) is a text of its digits. Null is "no value", never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NewType

import numpy as np
import orjson
import strawberry
from graphql import GraphQLError, ValueNode, value_from_ast_untyped
from numpy.typing import NDArray
from strawberry.types.scalar import ScalarDefinition

from graphql_runs.model import time

EXACT = 2**53
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LATEST = 253402300799
"""The last second of the year 9999, the last one that RFC 3339 can write."""

FloatColumn = NewType("FloatColumn", NDArray[Any])
Column = NewType("Column", list[Any])
TimeColumn = NewType("TimeColumn", NDArray[np.int64])
Number = NewType("Number", float)
DateTime = NewType("DateTime", int)
JSON = NewType("JSON", object)


def encode_json(value: object) -> bytes:
    """The JSON of a result, numpy arrays included."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def decode_json(data: str | bytes) -> Any:
    """A JSON text. Raises ValueError (json.JSONDecodeError) when it is not one."""
    return orjson.loads(data)


# Out


def number_out(value: float | int | None) -> float | int | str | None:
    """One number as JSON has it."""
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else str(value)
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def column_out(values: NDArray[Any] | Sequence[Any]) -> Any:
    """A column as JSON has it. An array that orjson writes right as it is passes untouched."""
    if not isinstance(values, np.ndarray):
        return [value if isinstance(value, bool | str) else number_out(value) for value in values]
    kind = values.dtype.kind
    if kind == "f":
        if np.isfinite(values).all():
            return np.ascontiguousarray(values)
        return [number_out(value) for value in values.tolist()]
    if kind in "iu":
        if len(values) == 0 or (int(values.min()) >= -EXACT and int(values.max()) <= EXACT):
            return np.ascontiguousarray(values)
        return [number_out(value) for value in values.tolist()]
    if kind == "b":
        return np.ascontiguousarray(values)
    return [value if isinstance(value, bool | str) else number_out(value) for value in values.tolist()]


def times_out(at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Microseconds as Unix seconds; a double tells microseconds apart until the year 2242."""
    return np.asarray(at) / 1e6


# In


def floats_in(value: object) -> NDArray[Any]:
    """Shape (n,), float64, or int64 when all are integers. Null is an error that names its place."""
    if not isinstance(value, list):
        raise GraphQLError("a list of numbers is wanted")
    kinds = set(map(type, value))
    if kinds == {float}:
        return np.array(value, dtype=np.float64)
    if kinds == {int}:
        return _integers(value)
    found = [_number_at(item, index) for index, item in enumerate(value)]
    if found and all(type(item) is int for item in found):
        return _integers(found)
    return np.array(found, dtype=np.float64)


def _integers(value: list[Any]) -> NDArray[Any]:
    try:
        return np.array(value, dtype=np.int64)
    except OverflowError:
        index = next(i for i, item in enumerate(value) if not -(2**63) <= item < 2**63)
        raise GraphQLError(f"index {index}: the integer does not fit 64 bits") from None


def _number_at(item: object, index: int) -> float | int:
    if isinstance(item, int | float) and not isinstance(item, bool):
        return item
    if item is None:
        raise GraphQLError(f'index {index}: null is no number; write NaN as "NaN"')
    if isinstance(item, str):
        try:
            return _SPECIAL[item] if item in _SPECIAL else int(item)
        except ValueError:
            pass
    raise GraphQLError(f"index {index}: {str(item)[:40]!r} is not a number, NaN, Infinity or -Infinity")


def times_in(value: object) -> NDArray[np.int64]:
    """Unix seconds as int64 microseconds, rounded to the nearest."""
    seconds = floats_in(value).astype(np.float64)
    bad = np.flatnonzero(~(np.abs(seconds) <= _LATEST))
    if len(bad):
        raise GraphQLError(f"index {int(bad[0])}: not a time in Unix seconds before the year 10000")
    whole = np.floor(seconds)
    # Multiplying the whole number of seconds and their fraction apart loses nothing.
    return whole.astype(np.int64) * 1_000_000 + np.rint((seconds - whole) * 1e6).astype(np.int64)


def column_in(value: object) -> list[Any]:
    """A list of numbers, of booleans, or of texts; null has no value. Texts that stand for numbers become them only in a
    column of numbers."""
    if not isinstance(value, list):
        raise GraphQLError("a list is wanted")
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, str | bool | int | float):
            raise GraphQLError(f"index {index}: a number, text, boolean or null is wanted")
    numeric = any(isinstance(item, int | float) and not isinstance(item, bool) for item in value)
    if not numeric and any(isinstance(item, str) and item not in _SPECIAL for item in value):
        return value
    if not numeric and not any(isinstance(item, str) for item in value):
        return value
    return [None if item is None else _number_at(item, index) for index, item in enumerate(value)]


def _number_in(value: object) -> float | int:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise GraphQLError("a number, NaN, Infinity or -Infinity is wanted")


def _time_in(value: object) -> int:
    if not isinstance(value, str):
        raise GraphQLError("a time as RFC 3339 text is wanted, such as 2026-01-31T12:00:00.5Z")
    try:
        return time.from_text(value)
    except (ValueError, OverflowError) as error:
        raise GraphQLError(f"not a time as RFC 3339 has it: {value[:40]!r}") from error


def _scalar(
    name: str,
    description: str,
    out: Callable[[Any], Any],
    parse: Callable[[Any], Any],
    specified_by: str | None = None,
) -> ScalarDefinition:
    def literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
        try:
            return parse(value_from_ast_untyped(node, variables))
        except GraphQLError as error:
            raise GraphQLError(f"{name}: {error.message}", node) from None

    return strawberry.scalar(
        name=name,
        description=description,
        specified_by_url=specified_by,
        serialize=out,
        parse_value=parse,
        parse_literal=literal,
    )


def _same(value: Any) -> Any:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    FloatColumn: _scalar(
        "FloatColumn",
        "A column of numbers as one JSON array. NaN and infinities are the texts `NaN`, `Infinity` and `-Infinity`; an integer "
        "beyond ±2⁵³ is a text of its digits; null is no value.",
        column_out,
        floats_in,
    ),
    Column: _scalar(
        "Column",
        "A column as one JSON array of numbers (as in FloatColumn), texts or booleans; null is no value.",
        column_out,
        column_in,
    ),
    TimeColumn: _scalar(
        "TimeColumn",
        "A column of times as one JSON array of Unix seconds, exact to the microsecond.",
        times_out,
        times_in,
    ),
    Number: _scalar(
        "Number",
        "A JSON number, or one of the texts `NaN`, `Infinity` and `-Infinity`.",
        number_out,
        _number_in,
    ),
    DateTime: _scalar(
        "DateTime",
        "A time as RFC 3339 writes it, in UTC with microseconds: `2026-01-31T12:00:00.500000Z`.",
        time.to_text,
        _time_in,
        "https://datatracker.ietf.org/doc/html/rfc3339",
    ),
    JSON: _scalar("JSON", "Any JSON value.", _same, _same, "https://datatracker.ietf.org/doc/html/rfc8259"),
}
