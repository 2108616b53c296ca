"""Curves of several runs on one x, and what they come to there.

A run's value at an x is the one it has there, the last written of several; between two of its own points it lies on the straight line
from one to the other; before its first and after its last point it has none. A value that is not finite is no part of any
aggregate, and so is what lies between it and its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 1_000_000
"""Values that are held at once: as many x as fit, of all runs."""


class Aggregate(StrEnum):
    """What the values of several runs come to."""

    MEAN = "MEAN"
    MEDIAN = "MEDIAN"
    MIN = "MIN"
    MAX = "MAX"
    STD = "STD"
    COUNT = "COUNT"


@dataclass(frozen=True, slots=True)
class Line:
    """A curve as a function: `x` ascends strictly, none is NaN. Shapes: both (n,)."""

    x: Floats
    y: Floats

    @staticmethod
    def of(x: NDArray[Any], y: NDArray[Any]) -> Line:
        """The line through points whose x ascends, NaN last: of equal x the last point counts."""
        xs, ys = x.astype(np.float64), y.astype(np.float64)
        known = len(xs) - int(np.isnan(xs).sum())
        xs, ys = xs[:known], ys[:known]
        last = np.ones(len(xs), dtype=bool)
        np.not_equal(xs[1:], xs[:-1], out=last[:-1])
        return Line(xs[last], ys[last])

    def at(self, x: Floats) -> Floats:
        """The values at some x, NaN where there is none; shape (m,)."""
        found = np.full(len(x), np.nan)
        if not len(self.x):
            return found
        inside = (x >= self.x[0]) & (x <= self.x[-1])
        wanted = x[inside]
        right = np.searchsorted(self.x, wanted)
        left = np.maximum(right - 1, 0)
        own = self.x[right] == wanted
        # Halves do not overflow where the whole difference would.
        width = self.x[right] / 2 - self.x[left] / 2
        share = np.divide(wanted / 2 - self.x[left] / 2, width, out=np.ones(len(wanted)), where=width != 0)
        between = self.y[left] * (1 - share) + self.y[right] * share
        found[inside] = np.where(own, self.y[right], between)
        return found


def union(lines: Sequence[Line], from_: float | None, to: float | None) -> Floats:
    """Every x within bounds that one of the lines has, ascending; shape (m,)."""
    x = np.unique(np.concatenate([line.x for line in lines])) if lines else np.empty(0)
    start = 0 if from_ is None else np.searchsorted(x, from_)
    end = len(x) if to is None else np.searchsorted(x, to, side="right")
    return x[start:end]


def aggregated(lines: Sequence[Line], x: Floats, wanted: Sequence[Aggregate]) -> list[Floats]:
    """What the lines come to at each x, an array of shape (m,) for each aggregate. At least one line has each x.

    COUNT is how many finite values there are. The others are over these, and NaN where there are none; STD is the sample standard
    deviation (n - 1), and NaN for fewer than two.
    """
    found = [np.empty(len(x)) for _ in wanted]
    width = max(1, _BLOCK // max(1, len(lines)))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(x), width):
            block = slice(start, start + width)
            values = np.stack([line.at(x[block]) for line in lines])
            values[~np.isfinite(values)] = np.nan
            count = (~np.isnan(values)).sum(axis=0)
            for out, aggregate in zip(found, wanted, strict=True):
                out[block] = _aggregate(values, count, aggregate)
    return found


def _aggregate(values: Floats, count: NDArray[np.int64], wanted: Aggregate) -> Floats:
    """Of shape (runs, m) to (m,); NaN is no value, `count` how many there are."""
    some = count > 0
    match wanted:
        case Aggregate.COUNT:
            return count.astype(np.float64)
        case Aggregate.MIN:
            return np.where(some, np.where(np.isnan(values), np.inf, values).min(axis=0), np.nan)
        case Aggregate.MAX:
            return np.where(some, np.where(np.isnan(values), -np.inf, values).max(axis=0), np.nan)
        case Aggregate.MEDIAN:
            return _median(values, count)
        case Aggregate.MEAN:
            return _mean(values, count)
        case Aggregate.STD:
            squares = (values - _mean(values, count)) ** 2
            total = np.nansum(squares, axis=0)
            return np.where(count > 1, np.sqrt(total / np.maximum(count - 1, 1)), np.nan)


def _mean(values: Floats, count: NDArray[np.int64]) -> Floats:
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def _median(values: Floats, count: NDArray[np.int64]) -> Floats:
    # NaN sorts last, so the values of each column are its first ones.
    ordered = np.sort(values, axis=0)
    columns = np.arange(values.shape[1])
    low = ordered[np.maximum(count - 1, 0) // 2, columns]
    high = ordered[np.minimum(count // 2, len(values) - 1), columns]
    return np.asarray(low * 0.5 + high * 0.5)
