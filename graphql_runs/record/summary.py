"""A metric's summary, carried on by new points. min, max and mean are over finite values; the rest counts everything."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.records import Metric
from graphql_runs.model.time import Micros

Step = float | int | None


def carry_on(
    metric: Metric, values: NDArray[Any] | None, steps: NDArray[Any] | None, at: NDArray[np.int64]
) -> Metric:
    """The metric after these further points.

    Shapes: (n,) each, n >= 1. `values` is the first numeric column, None when the metric has none; `steps` has no missing entries.
    """
    n = len(at)
    last_at = int(at[-1])
    if values is None:
        return replace(
            metric,
            count=metric.count + n,
            last_at=last_at,
            first_step=_first(metric, steps),
            last_step=_step(steps, n - 1, metric.count),
        )
    if n == 1:
        return _one(metric, float(values[0]), _step(steps, 0, metric.count), last_at)
    return _many(metric, values, steps, last_at)


def _one(metric: Metric, value: float, step: float | int, last_at: Micros) -> Metric:
    finite = math.isfinite(value)
    lower = finite and (metric.min is None or value < metric.min)
    higher = finite and (metric.max is None or value > metric.max)
    return replace(
        metric,
        count=metric.count + 1,
        finite=metric.finite + finite,
        total=metric.total + value if finite else metric.total,
        last=value,
        last_at=last_at,
        min=value if lower else metric.min,
        min_step=step if lower else metric.min_step,
        max=value if higher else metric.max,
        max_step=step if higher else metric.max_step,
        first_step=step if metric.count == 0 else metric.first_step,
        last_step=step,
        non_finite=metric.non_finite + (not finite),
        first_non_finite_step=(
            step if not finite and metric.first_non_finite_step is None else metric.first_non_finite_step
        ),
    )


def _many(metric: Metric, values: NDArray[Any], steps: NDArray[Any] | None, last_at: Micros) -> Metric:
    values = values.astype(np.float64, copy=False)
    n = len(values)
    good = np.isfinite(values)
    finite = int(good.sum())
    changes: dict[str, Any] = {}
    if finite:
        # Positions among all rows, so that steps can be looked up.
        low = int(np.argmin(np.where(good, values, np.inf)))
        high = int(np.argmax(np.where(good, values, -np.inf)))
        if metric.min is None or values[low] < metric.min:
            changes |= {"min": float(values[low]), "min_step": _step(steps, low, metric.count)}
        if metric.max is None or values[high] > metric.max:
            changes |= {"max": float(values[high]), "max_step": _step(steps, high, metric.count)}
        with np.errstate(over="ignore"):
            changes["total"] = metric.total + float(values.sum() if finite == n else values[good].sum())
    if finite < n and metric.first_non_finite_step is None:
        changes["first_non_finite_step"] = _step(steps, int(np.argmin(good)), metric.count)
    return replace(
        metric,
        count=metric.count + n,
        finite=metric.finite + finite,
        last=float(values[-1]),
        last_at=last_at,
        first_step=_first(metric, steps),
        last_step=_step(steps, n - 1, metric.count),
        non_finite=metric.non_finite + n - finite,
        **changes,
    )


def _first(metric: Metric, steps: NDArray[Any] | None) -> Step:
    return _step(steps, 0, 0) if metric.count == 0 else metric.first_step


def _step(steps: NDArray[Any] | None, index: int, before: int) -> float | int:
    """The step of a row, or its row number where none was given."""
    if steps is None:
        return before + index
    step: float | int = steps[index].item()
    return step
