"""One curve of one metric: any x, any range, exact or reduced to its extrema."""

from __future__ import annotations

import math
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.errors import InvalidInput, LimitExceeded, NotFound
from graphql_runs.model.points import Points
from graphql_runs.model.records import ColumnType, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.read.downsample import Thinner, kept_rows
from graphql_runs.read.points import pieces, read_points
from graphql_runs.store import segment
from graphql_runs.store.port import Store

ROWS = 50_000_000
"""The most rows that are sorted or selected by x in one call. Rows that are in order as they stand have no limit."""
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


@dataclass(frozen=True, slots=True)
class _Axes:
    """What is drawn over what: `x` is an axis, the name of a column or the values of another metric, `y` the name of a column."""

    x: XAxis | str | _Joined
    y: str
    origin: Micros | None


@dataclass(frozen=True, slots=True)
class _Joined:
    """The values of another metric by step: steps ascending, each once, with the value that was written there last."""

    steps: NDArray[Any]
    values: NDArray[Any]

    def has(self, steps: NDArray[Any]) -> NDArray[np.bool_]:
        """Which steps have a value; shape (n,)."""
        return np.isin(steps, self.steps)

    def at(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """The value at each step, NaN where there is none; shape (n,)."""
        found = np.full(len(steps), np.nan)
        known = self.has(steps)
        found[known] = self.values[np.searchsorted(self.steps, steps[known])]
        return found


async def series(
    store: Store,
    metric: Metric,
    x: XAxis | str | Metric = XAxis.STEP,
    column: str | None = None,
    *,
    points: int,
    from_: float | None = None,
    to: float | None = None,
    around: bool = False,
    origin: Micros | None = None,
) -> SeriesData:
    """The curve of a numeric column (the first one unless named) over an axis, over another column by name, or over another metric.

    At most `points` points (at least 4): all rows with `from_ <= x <= to`, or by `downsample.kept_rows` over them; with `around`
    those just before and just after that range too. A row without a step has its row number for one. `origin` is where
    RELATIVE_TIME starts, unless the first point is earlier. A row without a value in a column has NaN there; rows whose x is NaN
    come last, and are in no range. Over another metric, a row's x is what that metric has at the same step (the last one written
    there); rows at whose step it has nothing are left out.

    Raises InvalidInput (field y, x, points or from) and LimitExceeded for more than `ROWS` rows that have to be sorted.
    """
    if points < LEAST_POINTS:
        raise InvalidInput(f"points must be at least {LEAST_POINTS}, {points} was given", field="points")
    if from_ is not None and to is not None and not from_ <= to:
        raise InvalidInput(f"from ({from_}) is greater than to ({to})", field="from")
    y = _numeric(metric, column, "y")
    if isinstance(x, str) and not isinstance(x, XAxis):
        _numeric(metric, x, "x")
    start, end = 0, metric.count
    if x is XAxis.INDEX:
        # A range of rows is known before reading.
        start, end = _rows(end, from_, to)
        if around:
            start, end = max(0, start - 1), min(metric.count, end + 1)
        from_ = to = None
    if y is None or start >= end:
        nothing = np.empty(0, dtype=np.int64)
        return SeriesData(np.empty(0), np.empty(0), nothing, True, 0, nothing)
    axes = _Axes(await _joined(store, x) if isinstance(x, Metric) else x, y, origin)
    if end - start > points and from_ is None and to is None and not isinstance(x, Metric):
        thinned = await _thinned(store, metric, axes, start, end, points)
        if thinned is not None:
            return thinned
    rows = await _whole(store, metric, start, end)
    return _sorted(rows, axes, (from_, to), around, points)


async def _whole(store: Store, metric: Metric, start: int, end: int) -> Points:
    if end - start > ROWS:
        raise LimitExceeded(
            f"{end - start} rows are more than can be sorted by x ({ROWS}); take x by INDEX, with a range",
            field="points",
        )
    rows = await read_points(store, metric.id, start, end)
    if len(rows) < end - start:
        raise _purged(metric)
    return rows


async def _joined(store: Store, metric: Metric) -> _Joined:
    name = _numeric(metric, None, "x")
    if name is None or not metric.count:
        return _Joined(np.empty(0), np.empty(0))
    rows = await _whole(store, metric, 0, metric.count)
    # Of equal steps the first one is kept, so they are looked at from behind.
    steps, places = np.unique(_steps(rows)[0][::-1], return_index=True)
    return _Joined(steps, _values(rows, name)[::-1][places])


def origin_of(run: Run) -> Micros:
    """Where a run's relative times start."""
    return run.created_at if run.started_at is None else run.started_at


def steps_or_rows(points: Points) -> NDArray[Any]:
    """The step of every point, its row number where none was given; shape (n,)."""
    return _steps(points)[0]


def first_values(metric: Metric, points: Points) -> NDArray[Any]:
    """The points' values in the metric's first numeric column, NaN where there is none; shape (n,)."""
    name = _numeric(metric, None, "y")
    return np.full(len(points), np.nan) if name is None else _values(points, name)


async def _thinned(
    store: Store, metric: Metric, axes: _Axes, start: int, end: int, points: int
) -> SeriesData | None:
    """The curve of rows that are in order of x as they stand, in one pass; None when some are not."""
    thinner = Thinner(end - start, points)
    restarts: list[NDArray[np.int64]] = []
    last_x: Any = None
    last_step: Any = None
    base: int | None = None
    rows = 0
    async with aclosing(pieces(store, metric.id, start, end)) as found:
        async for piece in found:
            if base is None:
                base = _base(axes, piece.at)
            xs = _xs(piece, axes, base)
            if not _ascending(xs, last_x):
                return None
            last_x = xs[-1]
            if axes.x is not XAxis.STEP:
                back, last_step = _restarts(piece, last_step)
                restarts.append(back)
            thinner.add(_values(piece, axes.y), xs, piece.at)
            rows += len(piece)
    if rows < end - start:
        raise _purged(metric)
    y, x, at = thinner.finish()
    # Steps in ascending order never went back.
    back = np.concatenate(restarts) if restarts else np.empty(0, dtype=np.int64)
    return SeriesData(x, y, at, False, end - start, back)


def _purged(metric: Metric) -> NotFound:
    return NotFound(f"metric {metric.name!r} was purged while it was read")


def _sorted(
    rows: Points, axes: _Axes, bounds: tuple[float | None, float | None], around: bool, points: int
) -> SeriesData:
    """The curve of any rows."""
    at = rows.at
    xs, ys = _xs(rows, axes, _base(axes, at)), _values(rows, axes.y)
    inside = _inside(rows, axes, xs, (None, None) if around else bounds)
    if not inside.all():
        xs, ys, at = xs[inside], ys[inside], at[inside]
    if not _ascending(xs, None):
        order = np.argsort(xs, kind="stable")
        xs, ys, at = xs[order], ys[order], at[order]
    if around:
        near = _near(xs, *bounds)
        xs, ys, at = xs[near], ys[near], at[near]
    total = len(ys)
    if total > points:
        kept = kept_rows(ys, points)
        xs, ys, at = xs[kept], ys[kept], at[kept]
    return SeriesData(xs, ys, at, len(ys) == total, total, _restarts(rows, None)[0])


def _inside(
    rows: Points, axes: _Axes, xs: NDArray[Any], bounds: tuple[float | None, float | None]
) -> NDArray[np.bool_]:
    """The rows that have an x within bounds; shape (n,)."""
    inside = axes.x.has(_steps(rows)[0]) if isinstance(axes.x, _Joined) else np.ones(len(rows), dtype=bool)
    from_, to = bounds
    if from_ is not None:
        inside &= xs >= from_
    if to is not None:
        inside &= xs <= to
    return inside


def _near(xs: NDArray[Any], from_: float | None, to: float | None) -> slice:
    """The rows within bounds, the one before them, and all that share the next x after them; `xs` ascends, NaN last."""
    known = len(xs) - int(np.isnan(xs).sum())
    start = 0 if from_ is None else max(0, int(np.searchsorted(xs[:known], from_)) - 1)
    end = known if to is None else int(np.searchsorted(xs[:known], to, side="right"))
    if end < known:
        end = int(np.searchsorted(xs[:known], xs[end], side="right"))
    return slice(start, end)


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


def _rows(count: int, from_: float | None, to: float | None) -> tuple[int, int]:
    start = 0 if from_ is None or from_ <= 0 else math.ceil(min(from_, count))
    end = count if to is None or to >= count else math.floor(max(to, -1.0)) + 1
    return start, end


def _base(axes: _Axes, at: NDArray[np.int64]) -> int:
    """The microsecond that a time axis counts from. In a first piece its first row stands for all: later ones come after
    it, or the rows are not in order."""
    if axes.x is not XAxis.RELATIVE_TIME:
        return 0
    first = int(at.min())
    return first if axes.origin is None else min(first, axes.origin)


def _xs(points: Points, axes: _Axes, base: int) -> NDArray[Any]:
    """The x of every row; shape (n,)."""
    match axes.x:
        case XAxis.STEP:
            return _steps(points)[0]
        case XAxis.INDEX:
            return np.arange(points.start, points.end)
        case XAxis.TIME | XAxis.RELATIVE_TIME:
            return (points.at - base) / 1e6
        case _Joined():
            return axes.x.at(_steps(points)[0])
    return _values(points, axes.x)


def _ascending(xs: NDArray[Any], before: Any) -> bool:
    """Nothing is less than what comes before it; NaN is in no order."""
    return bool((xs[1:] >= xs[:-1]).all()) and (before is None or not len(xs) or bool(xs[0] >= before))


def _steps(points: Points) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The step of every row, its row number where none was given, and which were given (None: all)."""
    if points.steps is None:
        return np.arange(points.start, points.end), np.zeros(len(points), dtype=bool)
    missing = segment.step_missing(points.steps)
    if not missing.any():
        return points.steps, None
    return np.where(missing, np.arange(points.start, points.end), points.steps), ~missing


def _restarts(points: Points, before: Any) -> tuple[NDArray[np.int64], Any]:
    """Rows whose step is lower than the last one given before them, and the last step given."""
    steps, given = _steps(points)
    rows = np.arange(len(steps)) if given is None else np.flatnonzero(given)
    if not len(rows):
        return rows, before
    kept = steps if given is None else steps[rows]
    back = rows[1:][kept[1:] < kept[:-1]]
    if before is not None and kept[0] < before:
        back = np.concatenate([rows[:1], back])
    return back + points.start, kept[-1]


def _values(points: Points, name: str) -> NDArray[Any]:
    """A numeric column, NaN where a row has no value; shape (n,)."""
    values = points.columns.get(name)
    if values is None:
        return np.full(len(points), np.nan)
    if values.dtype != object:
        return values
    # Booleans with holes, or a column that changed its type.
    return np.array([np.nan if value is None else value for value in values.tolist()], dtype=np.float64)
