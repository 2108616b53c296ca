"""One curve of one metric: any x, any range, exact or reduced to its extrema."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.points import Points
from graphql_runs.model.records import ColumnType, Metric
from graphql_runs.model.time import Micros
from graphql_runs.read.downsample import kept_rows
from graphql_runs.read.points import read_points
from graphql_runs.store import segment
from graphql_runs.store.port import Store

ROWS = 50_000_000
"""The most rows that one call looks at; a curve over more needs a range of INDEX."""
LEAST_POINTS = 4


class XAxis(StrEnum):
    """What a curve is drawn over."""

    STEP = "STEP"
    INDEX = "INDEX"
    TIME = "TIME"
    RELATIVE_TIME = "RELATIVE_TIME"


@dataclass(frozen=True, slots=True)
class SeriesData:
    """A curve, in the order of x (stable: equal x stay in the order written).

    x:          shape (k,), float64 or int64. Steps and rows as they are, times in Unix seconds, relative times in seconds.
    y:          shape (k,), float64, int64 or bool.
    at:         shape (k,), int64 microseconds, when each point was logged.
    exact:      every row in the range is here.
    total:      how many rows are in the range.
    restart_at: shape (r,), int64, ascending: rows of the metric whose step is lower than that of the row before.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    at: NDArray[np.int64]
    exact: bool
    total: int
    restart_at: NDArray[np.int64]


async def series(
    store: Store,
    metric: Metric,
    x: XAxis | str = XAxis.STEP,
    column: str | None = None,
    *,
    points: int,
    from_: float | None = None,
    to: float | None = None,
    origin: Micros | None = None,
) -> SeriesData:
    """The curve of a numeric column (the first one unless named) over an axis, or over another column by name.

    At most `points` points (at least 4): all rows with `from_ <= x <= to`, or by `downsample.kept_rows` over them. A row
    without a step has its row number for one. `origin` is where RELATIVE_TIME starts, unless the first point is earlier.
    Rows without a value in the column, or in x, are left out; rows whose x is NaN come last, and are in no range.

    Raises InvalidInput (field y, x, points or from) and LimitExceeded for more than `ROWS` rows.
    """
    if points < LEAST_POINTS:
        raise InvalidInput(f"points must be at least {LEAST_POINTS}, {points} was given", field="points")
    if from_ is not None and to is not None and not from_ <= to:
        raise InvalidInput(f"from ({from_}) is greater than to ({to})", field="from")
    y_name = _numeric(metric, column, "y")
    x_name = None if isinstance(x, XAxis) else _numeric(metric, x, "x")
    start, end = _rows(metric, x, from_, to)
    if end - start > ROWS:
        raise LimitExceeded(
            f"{end - start} rows are more than one curve may look at ({ROWS}); give a range of INDEX", field="points"
        )
    rows = await read_points(store, metric.id, start, end)
    if y_name is None or not len(rows):
        nothing = np.empty(0, dtype=np.int64)
        return SeriesData(np.empty(0), np.empty(0), nothing, True, 0, nothing)
    steps, given = _steps(rows)
    restarts = _restarts(rows.start, steps, given)
    y, present = _values(rows, y_name)
    at = rows.at
    if x_name is not None:
        xs, x_present = _values(rows, x_name)
        present = x_present if present is None else present if x_present is None else present & x_present
    elif x is XAxis.STEP:
        xs = steps
    elif x is XAxis.INDEX:
        xs = np.arange(rows.start, rows.end)
    else:
        xs = (at - _base(x, at, origin)) / 1e6
    if present is not None:
        xs, y, at = xs[present], y[present], at[present]
    order = _order(xs, from_, to)
    if order is not None:
        xs, y, at = xs[order], y[order], at[order]
    kept = kept_rows(y, points)
    exact = len(kept) == len(y)
    if exact:
        return SeriesData(xs, y, at, True, len(y), restarts)
    return SeriesData(xs[kept], y[kept], at[kept], False, len(y), restarts)


def steps_or_rows(points: Points) -> NDArray[Any]:
    """The step of every point, its row number where none was given; shape (n,)."""
    return _steps(points)[0]


def first_values(metric: Metric, points: Points) -> NDArray[Any]:
    """The points' values in the metric's first numeric column, NaN where there is none; shape (n,)."""
    name = _numeric(metric, None, "y")
    return np.full(len(points), np.nan) if name is None else _values(points, name)[0]


def _numeric(metric: Metric, name: str | None, field: str) -> str | None:
    """The column of that name, or the first numeric one. Raises InvalidInput when it is unknown or holds texts."""
    for column in metric.columns:
        if column.name == name or (name is None and column.type is not ColumnType.TEXT):
            if column.type is ColumnType.TEXT:
                raise InvalidInput(f"column {name!r} of metric {metric.name!r} holds texts", field=field)
            return column.name
    if name is None:
        return None
    names = ", ".join(repr(column.name) for column in metric.columns[:20]) or "none yet"
    raise InvalidInput(f"metric {metric.name!r} has no column {name[:80]!r}; it has {names}", field=field)


def _rows(metric: Metric, x: XAxis | str, from_: float | None, to: float | None) -> tuple[int, int]:
    """The rows to read: a range of INDEX is known before reading."""
    if x is not XAxis.INDEX:
        return 0, metric.count
    start = 0 if from_ is None or from_ <= 0 else math.ceil(min(from_, metric.count))
    end = metric.count if to is None or to >= metric.count else math.floor(max(to, -1.0)) + 1
    return start, end


def _base(x: XAxis | str, at: NDArray[np.int64], origin: Micros | None) -> int:
    """The microsecond that a time axis counts from."""
    if x is not XAxis.RELATIVE_TIME:
        return 0
    first = int(at.min())
    return first if origin is None else min(first, origin)


def _steps(rows: Points) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The step of every row, its row number where none was given, and which were given (None: all)."""
    numbers = np.arange(rows.start, rows.end)
    if rows.steps is None:
        return numbers, np.zeros(len(rows), dtype=bool)
    missing = segment.step_missing(rows.steps)
    if not missing.any():
        return rows.steps, None
    return np.where(missing, numbers, rows.steps), ~missing


def _restarts(start: int, steps: NDArray[Any], given: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    rows = None if given is None else np.flatnonzero(given)
    kept = steps if rows is None else steps[rows]
    back = np.flatnonzero(kept[1:] < kept[:-1]) + 1
    return (back if rows is None else rows[back]) + start


def _values(rows: Points, name: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """A numeric column, and which rows have a value in it (None: all)."""
    values = rows.columns.get(name)
    if values is None:
        return np.full(len(rows), np.nan), np.zeros(len(rows), dtype=bool)
    if values.dtype != object:
        return values, None
    # A column that is missing from some rows, or that changed its type.
    found = values.tolist()
    present = np.array([value is not None for value in found], dtype=bool)
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64), present


def _order(xs: NDArray[Any], from_: float | None, to: float | None) -> NDArray[Any] | None:
    """The rows in range, sorted stably by x; None when that is all rows as they stand."""
    ascending = bool((xs[1:] >= xs[:-1]).all())
    if from_ is None and to is None:
        return None if ascending else np.argsort(xs, kind="stable")
    inside = np.ones(len(xs), dtype=bool)
    if from_ is not None:
        inside &= xs >= from_
    if to is not None:
        inside &= xs <= to
    rows = np.flatnonzero(inside)
    return rows if ascending else rows[np.argsort(xs[rows], kind="stable")]
