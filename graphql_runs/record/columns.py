"""From what producers give (lists, arrays, mixed numbers) to typed arrays, losslessly or with an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.points import Values
from graphql_runs.model.records import Column, ColumnType, Metric
from graphql_runs.model.time import Micros

_EXACT = 2**53
_TYPES = {"f": ColumnType.FLOAT, "i": ColumnType.INT, "b": ColumnType.BOOL, "O": ColumnType.TEXT}


def column_of(name: str, values: NDArray[Any]) -> Column:
    """Name and type of a normalised column."""
    return Column(name, _TYPES[values.dtype.kind])


def columns_after(metric: Metric, new: Mapping[str, NDArray[Any]]) -> tuple[Column, ...]:
    """The metric's columns after rows with these. Raises InvalidInput when texts and numbers meet in one column."""
    known = {column.name: column for column in metric.columns}
    for name, values in new.items():
        column = column_of(name, values)
        before = known.get(name)
        if before is None or before.type is column.type:
            known[name] = column
        elif {before.type, column.type} == {ColumnType.INT, ColumnType.FLOAT}:
            known[name] = Column(name, ColumnType.FLOAT)
        else:
            raise InvalidInput(
                f"column {name!r} of metric {metric.name!r} is {before.type}, {column.type} was given",
                field="columns",
            )
    found = tuple(known.values())
    return metric.columns if found == metric.columns else found


def numbers(values: Values, field: str) -> NDArray[Any]:
    """Shape (n,), float64; int64 when all are integers and some are beyond ±2⁵³, where float64 is not exact.

    Raises InvalidInput naming `field` and the index when something is not a number, or an integer does not fit 64 bits.
    """
    found = _array(values, field)
    if found.dtype.kind == "f":
        return found if found.dtype == np.float64 else found.astype(np.float64)
    if found.dtype.kind == "b":
        return found.astype(np.float64)
    if found.dtype.kind in "iu":
        return _integers(found, field)
    return _mixed(values, field)


def column(values: Values, field: str) -> NDArray[Any]:
    """A column of a row or table: numbers as `numbers` gives them, booleans as bool, everything else as texts and None.

    Numbers with None among them become float64 with NaN. Raises InvalidInput for other types.
    """
    found = _array(values, field)
    if found.dtype.kind == "b":
        return found
    if found.dtype.kind in "fiu":
        return numbers(found, field)
    given: Sequence[object] = found.tolist() if isinstance(values, np.ndarray) else list(values)
    present = [value for value in given if value is not None]
    if present and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return numbers(np.array([np.nan if value is None else value for value in given]), field)
    for index, value in enumerate(given):
        if value is not None and not isinstance(value, str | bool | int | float):
            raise InvalidInput(f"{field}[{index}] is a {type(value).__name__}", field=f"{field}[{index}]")
    texts = [value if value is None or isinstance(value, str) else str(value) for value in given]
    return np.array([*texts, None], dtype=object)[:-1]


def steps(values: Values | None, n: int, field: str) -> NDArray[Any] | None:
    """Shape (n,), int64 or float64, or None. Integral floats within ±2⁵³ become int64, so that steps compare as such.

    Raises InvalidInput for a wrong length, a step that is not a finite number, or an integer beyond 64 bits.
    """
    if values is None:
        return None
    found = _array(values, field)
    if len(found) != n:
        raise InvalidInput(f"{field} has {len(found)} entries for {n} points", field=field)
    if found.dtype.kind in "iu" or found.dtype == object:
        return _whole(found if found.dtype != object else _mixed(values, field), field)
    if found.dtype.kind != "f":
        raise InvalidInput(f"{field} must be numbers", field=field)
    if not np.isfinite(found).all():
        index = int(np.flatnonzero(~np.isfinite(found))[0])
        raise InvalidInput(f"{field}[{index}] is not a finite number", field=f"{field}[{index}]")
    return _whole(found, field)


def times(values: Values | None, n: int, arrival: Micros, field: str) -> NDArray[np.int64]:
    """Shape (n,), int64 microseconds; the time of arrival where none is given. Raises InvalidInput for a wrong length."""
    if values is None:
        return np.full(n, arrival, dtype=np.int64)
    found = _array(values, field)
    if len(found) != n:
        raise InvalidInput(f"{field} has {len(found)} entries for {n} points", field=field)
    if found.dtype.kind not in "iu":
        raise InvalidInput(f"{field} must be integers (microseconds)", field=field)
    return found.astype(np.int64, copy=False)


def _array(values: Values, field: str) -> NDArray[Any]:
    try:
        found = np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"{field} is not a column of values: {error}", field=field) from error
    if found.ndim != 1 or len(found) == 0:
        raise InvalidInput(f"{field} must be a list of at least one value", field=field)
    return found


def _integers(found: NDArray[Any], field: str) -> NDArray[Any]:
    low, high = int(found.min()), int(found.max())
    if low >= -_EXACT and high <= _EXACT:
        return found.astype(np.float64)
    if high >= 2**63:
        raise InvalidInput(f"{field} holds an integer beyond 64 bits", field=field)
    return found.astype(np.int64)


def _whole(found: NDArray[Any], field: str) -> NDArray[Any]:
    if found.dtype.kind == "u" and int(found.max()) >= 2**63:
        raise InvalidInput(f"{field} holds an integer beyond 64 bits", field=field)
    if found.dtype.kind in "iu":
        return found.astype(np.int64, copy=False)
    found = found.astype(np.float64, copy=False)
    if (found == np.floor(found)).all() and np.abs(found).max() <= _EXACT:
        return found.astype(np.int64)
    return found


def _mixed(values: Values, field: str) -> NDArray[Any]:
    """Python objects that numpy did not take for one numeric type."""
    for index, value in enumerate(values):
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
            shown = "null" if value is None else repr(value)[:40]
            raise InvalidInput(f"{field}[{index}] is not a number: {shown}", field=f"{field}[{index}]")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InvalidInput(f"{field}[{index}] is an integer beyond 64 bits", field=f"{field}[{index}]")
    if all(isinstance(value, int | np.integer) for value in values):
        return np.array(values, dtype=np.int64)
    return np.array(values, dtype=np.float64)
