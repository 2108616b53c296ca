"""Points on their way to one delivery: consecutive ones of one metric become one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql_runs.model.operation import LogPoints, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs.model.time import Micros

_SINGLE = frozenset({MetricKind.SCALAR, MetricKind.LIST})
_VALUE = "value"
_POINT_BYTES = 24


@dataclass(slots=True)
class _Series:
    columns: dict[str, list[Any]]
    steps: list[float | int] = field(default_factory=list)
    at: list[Micros] = field(default_factory=list)


class Gathered:
    """Points of one run. `bytes` is about how much was gathered."""

    def __init__(self, run_id: str) -> None:
        self.bytes = 0
        self._run_id = run_id
        self._series: dict[tuple[str, MetricKind, bool, bool, tuple[str, ...]], _Series] = {}

    def __bool__(self) -> bool:
        return bool(self._series)

    def point(
        self,
        metric: str,
        value: float | int,
        step: float | int | None,
        at: Micros | None,
        kind: MetricKind = MetricKind.SCALAR,
    ) -> None:
        """A number of a SCALAR or LIST metric."""
        self.row(metric, {_VALUE: value}, step, at, kind)

    def row(
        self,
        metric: str,
        values: Mapping[str, Any],
        step: float | int | None,
        at: Micros | None,
        kind: MetricKind,
    ) -> None:
        """A row of a metric with named columns."""
        key = metric, kind, step is None, at is None, tuple(values)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series({name: [] for name in values})
        for name, value in values.items():
            series.columns[name].append(value)
            if isinstance(value, str):
                self.bytes += len(value)
        self.bytes += _POINT_BYTES
        if step is not None:
            series.steps.append(step)
        if at is not None:
            series.at.append(at)

    def operations(self) -> list[LogPoints | LogRows]:
        """Everything that was gathered, in the order in which the metrics came."""
        return [
            LogPoints(
                self._run_id, metric, series.columns[_VALUE], series.steps or None, series.at or None, kind
            )
            if kind in _SINGLE
            else LogRows(self._run_id, metric, series.columns, series.steps or None, series.at or None, kind)
            for (metric, kind, *_), series in self._series.items()
        ]
