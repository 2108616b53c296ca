"""Points on their way to one delivery: consecutive ones of one metric become one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql_runs.model.operation import LogPoints, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs.model.time import Micros

_SINGLE = frozenset({MetricKind.SCALAR, MetricKind.LIST})
_VALUE = "value"
_NUMBER = (_VALUE,)
_Key: TypeAlias = tuple[str, MetricKind, bool, bool, tuple[str, ...]]
"""What rows that become one array have in common: metric, kind, without steps, without times, columns."""
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
        self._series: dict[_Key, _Series] = {}

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
        series = self._of((metric, kind, step is None, at is None, _NUMBER))
        series.columns[_VALUE].append(value)
        self._place(series, step, at)

    def row(
        self,
        metric: str,
        values: Mapping[str, Any],
        step: float | int | None,
        at: Micros | None,
        kind: MetricKind,
    ) -> None:
        """A row of a metric with named columns."""
        series = self._of((metric, kind, step is None, at is None, tuple(values)))
        for name, value in values.items():
            series.columns[name].append(value)
            if isinstance(value, str):
                self.bytes += len(value)
        self._place(series, step, at)

    def _of(self, key: _Key) -> _Series:
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series({name: [] for name in key[-1]})
        return series

    def _place(self, series: _Series, step: float | int | None, at: Micros | None) -> None:
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
