"""What a metric's points and a log file's text say about their records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from graphql_runs.maintain.pieces import Damage
from graphql_runs.maintain.walk import read_items, read_points
from graphql_runs.model.points import Points
from graphql_runs.model.records import Column, ColumnType, LogFile, Metric
from graphql_runs.record.columns import column_of
from graphql_runs.record.summary import carry_on
from graphql_runs.store.port import Item, Store

_SUMMARY = (
    "columns", "count", "finite", "last", "last_at", "min", "min_step", "max", "max_step", "first_step", "last_step",
    "non_finite", "first_non_finite_step",
)  # fmt: skip
_ROUNDING = 1e-9
"""Of the sum of absolute values: sums of the same numbers differ by the order in which they were added."""


S = TypeVar("S", Metric, LogFile)


class Recount(Protocol[S]):
    """What the rows of a stream say about its record, computed anew as they are read."""

    @property
    def rows(self) -> int:
        """How far it was read."""
        ...

    async def read(self, store: Store, end: int) -> None:
        """Go on to row `end`. Raises Damage where rows are missing or cannot be read."""
        ...

    def differences(self, record: S) -> list[str]:
        """The fields of the record that say something else, with both values."""
        ...

    def mended(self, record: S) -> S:
        """The record with what the rows say."""
        ...


def rows_of(record: Metric | LogFile) -> int:
    """How many rows a record counts."""
    return record.count if isinstance(record, Metric) else record.size


class MetricRecount:
    """The summary of a metric's points, computed anew as they are read."""

    def __init__(self, metric: Metric) -> None:
        self.metric = Metric(
            metric.id, metric.run, metric.root, metric.workspace, metric.experiment, metric.name, metric.kind
        )
        self._absolute = 0.0

    @property
    def rows(self) -> int:
        """See `Recount`."""
        return self.metric.count

    async def read(self, store: Store, end: int) -> None:
        """See `Recount`."""
        async for points in read_points(store, self.metric.id, self.metric.count, end):
            self._add(points)

    def _add(self, points: Points) -> None:
        columns = _columns(self.metric.columns, points)
        self.metric = replace(self.metric, columns=columns)
        values = next(
            (
                points.columns[c.name]
                for c in columns
                if c.type is not ColumnType.TEXT and c.name in points.columns
            ),
            None,
        )
        if values is not None:
            self._absolute += _absolute(values)
        self.metric = carry_on(self.metric, values, points.steps, points.at)

    def differences(self, record: Metric) -> list[str]:
        """See `Recount`."""
        ours = self.metric
        wrong = [name for name in _SUMMARY if not _same(getattr(record, name), getattr(ours, name))]
        # Where the sum may overflow, it depends on the order altogether.
        most = _ROUNDING * self._absolute
        if math.isfinite(most) and not math.isclose(record.total, ours.total, rel_tol=0, abs_tol=most):
            wrong.append("total")
        return [f"{name} is {_shown(record, name)}, its points say {_shown(ours, name)}" for name in wrong]

    def mended(self, record: Metric) -> Metric:
        """See `Recount`."""
        values = {name: getattr(self.metric, name) for name in _SUMMARY}
        return replace(record, total=self.metric.total, **values)


class LogRecount:
    """Size and lines of a log file's text, counted anew as it is read."""

    def __init__(self, log: LogFile) -> None:
        self.log = replace(log, size=0, lines=0, ends_open=False)
        self.wrong_marks: list[int] = []
        """Rows of items whose mark is not the number of line feeds before them."""

    @property
    def rows(self) -> int:
        """See `Recount`."""
        return self.log.size

    async def read(self, store: Store, end: int) -> None:
        """See `Recount`."""
        async for item in read_items(store, self.log.id, self.log.size, end):
            if len(item.data) != item.end - item.start:
                raise Damage(
                    self.log.id, item.start, f"{len(item.data)} bytes for rows [{item.start}, {item.end})"
                )
            self._add(item)

    def _add(self, item: Item) -> None:
        if item.mark != self.log.lines:
            self.wrong_marks.append(item.start)
        self.log = replace(
            self.log,
            size=item.end,
            lines=self.log.lines + item.data.count(b"\n"),
            ends_open=not item.data.endswith(b"\n"),
        )

    def differences(self, record: LogFile) -> list[str]:
        """See `Recount`."""
        return [
            f"{name} is {_shown(record, name)}, its text says {_shown(self.log, name)}"
            for name in ("size", "lines", "ends_open")
            if getattr(record, name) != getattr(self.log, name)
        ]

    def mended(self, record: LogFile) -> LogFile:
        """See `Recount`."""
        return replace(record, size=self.log.size, lines=self.log.lines, ends_open=self.log.ends_open)


def _columns(known: Sequence[Column], points: Points) -> tuple[Column, ...]:
    """Columns in the order they first came; one that held whole numbers and others is of numbers."""
    found = {column.name: column for column in known}
    for name, values in points.columns.items():
        column = column_of(name, values)
        before = found.get(name, column)
        if {before.type, column.type} == {ColumnType.INT, ColumnType.FLOAT}:
            column = Column(name, ColumnType.FLOAT)
        found[name] = column
    return tuple(found.values())


def _absolute(values: NDArray[Any]) -> float:
    numbers = np.abs(values.astype(np.float64))
    with np.errstate(over="ignore"):
        return float(numbers[np.isfinite(numbers)].sum())


def _same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)


def _shown(record: Metric | LogFile, name: str) -> str:
    value = getattr(record, name)
    if name == "columns":
        return "(" + ", ".join(f"{column.name} {column.type}" for column in value) + ")"
    return str(value)
