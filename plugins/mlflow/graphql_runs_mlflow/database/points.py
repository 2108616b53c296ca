"""Rows of the table `metrics` as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphql_runs.model.operation import LogPoints
from graphql_runs_mlflow.database.opening import Row
from graphql_runs_mlflow.points import MILLIS, log_points

_TOLD = 5
"""Rows of a page that are named when they are no points."""


@dataclass(frozen=True, slots=True)
class Last:
    """The row that was read last: its number, and what makes it unique whatever number it has; `key` is None for a row that is no
    point."""

    row: int
    key: str | None = None
    timestamp: int = 0
    step: int = 0
    value: float = 0.0
    nan: int = 0

    @staticmethod
    def of(row: Row) -> Last:
        """Of a row of key, value, time, step, NaN and number."""
        key, value, timestamp, step, nan, number = row
        if _reason(row) is not None:
            return Last(number)
        return Last(number, key.decode(), timestamp, step, value, nan)

    def to_json(self) -> dict[str, object]:
        """For a checkpoint."""
        return {"row": self.row, "last": [self.key, self.timestamp, self.step, self.value.hex(), self.nan]}

    @staticmethod
    def from_json(checkpoint: Mapping[str, object] | None) -> Last | None:
        """From a checkpoint; None when no point was read."""
        match checkpoint:
            case {
                "row": int(row),
                "last": [str() | None as key, int(timestamp), int(step), str(value), int(nan)],
            }:
                return Last(row, key, timestamp, step, float.fromhex(value), nan)
        return None


def points_of(run_id: str, rows: Sequence[Row]) -> tuple[list[LogPoints], list[str]]:
    """The points of a page, an array for each metric in the order of rows; and what is wrong with rows that are no points."""
    problems: list[str] = []
    if not _sound(rows):
        reasons = [(row, reason) for row in rows if (reason := _reason(row)) is not None]
        problems = [f"run {run_id}: row {row[-1]} of metrics {reason}" for row, reason in reasons[:_TOLD]]
        if len(reasons) > _TOLD:
            problems.append(f"run {run_id}: {len(reasons) - _TOLD} more rows of metrics that are no points")
        rows = [row for row in rows if _reason(row) is None]
    if not rows:
        return [], problems
    keys, values, timestamps, steps, nans, _ = zip(*rows, strict=True)
    value = np.array(values, dtype=np.float64)
    value[np.array(nans, dtype=np.bool_)] = np.nan
    step, millis = np.array(steps, dtype=np.int64), np.array(timestamps, dtype=np.int64)
    numbers: dict[bytes, int] = {}
    which = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which))
    parts = np.split(order, ends[:-1])
    return [
        log_points(run_id, key.decode(), value[part], step[part], millis[part])
        for key, part in zip(numbers, parts, strict=True)
    ], problems


def _sound(rows: Sequence[Row]) -> bool:
    """Whether all rows are points, without looking at each: SQLite keeps in a column what it is given."""
    if not rows:
        return True
    keys, values, timestamps, steps, nans, _ = zip(*rows, strict=True)
    kinds = tuple({type(value) for value in column} for column in (keys, values, timestamps, steps, nans))
    return (
        kinds == ({bytes}, {float}, {int}, {int}, {int})
        and min(timestamps) > -MILLIS
        and max(timestamps) < MILLIS
        and set(nans) <= {0, 1}
        and all(map(_is_text, set(keys)))
    )


def _reason(row: Row) -> str | None:
    """Why a row is no point."""
    key, value, timestamp, step, nan, _ = row
    if not isinstance(key, bytes) or not _is_text(key):
        return "has no name"
    if not isinstance(value, float):
        return "has no value"
    if not isinstance(timestamp, int) or abs(timestamp) >= MILLIS:
        return "has no time"
    if not isinstance(step, int):
        return "has no step"
    return None if nan in {0, 1} and isinstance(nan, int) else "is neither a number nor NaN"


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
