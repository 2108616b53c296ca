"""Values of a metric on their way to typed columns.

A metric keeps its kind and the types of its columns once it has some, and the server refuses rows that do not fit. What was
written before is therefore kept in the checkpoint, and rows that do not fit are told instead of sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from graphql_runs.model.operation import LogPoints, LogRows
from graphql_runs.model.points import Values
from graphql_runs.model.records import MetricKind
from graphql_runs.model.time import Micros
from graphql_runs_azureml.numbers import number
from graphql_runs_azureml.text import VALUE_BYTES, as_text, clean, cut, name_problem, shown

COLUMNS = 256
_SINGLE = (MetricKind.SCALAR, MetricKind.LIST)
_VALUE = "value"
_NUMBER, _BOOL, _TEXT = "number", "bool", "text"
_INT64 = 2**63


class Misfit(Exception):
    """Values cannot be written; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value of a metric: its columns, its step and time where it has them."""

    data: Mapping[str, object]
    step: int | float | None = None
    at: Micros | None = None


@dataclass(slots=True)
class Shape:
    """Kind of a metric and types of its columns."""

    kind: MetricKind
    columns: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> list[object]:
        """For a checkpoint."""
        return [str(self.kind), self.columns]

    @staticmethod
    def from_json(value: object) -> Shape:
        """From a checkpoint. Raises ValueError when it is none of ours."""
        match value:
            case [str(kind), {**columns}]:
                return Shape(MetricKind(kind), {str(name): str(type_) for name, type_ in columns.items()})
        raise ValueError(f"not the shape of a metric: {value!r}")


def operations(
    run_id: str, metric: str, kind: MetricKind, rows: Sequence[Row], shapes: dict[str, Shape]
) -> list[LogPoints | LogRows]:
    """Operations that write the rows in their order; `shapes` learns the metric's shape. Of scalars and lists the one
    column may have any name.

    Raises Misfit when the metric has another kind or a column another type than before; then nothing has changed.
    """
    metric = clean(metric)
    if problem := name_problem(metric):
        raise Misfit(f"metric {shown(metric)} {problem}")
    if not rows:
        return []
    columns = _columns(kind, rows)
    types = {name: _type(values) for name, values in columns.items()}
    if kind in _SINGLE and types[_VALUE] == _TEXT:
        kind = MetricKind.TEXT
    before = shapes.get(metric)
    if before is not None and before.kind is not kind:
        raise Misfit(f"metric {shown(metric)} was {before.kind.lower()} before and is {kind.lower()} now")
    shape = Shape(kind, dict(before.columns) if before is not None else {})
    arrays: dict[str, Values] = {}
    for name, values in columns.items():
        known = shape.columns.get(name)
        type_ = types[name] if known is None else known
        if type_ is None:
            continue  # nothing but nulls so far
        arrays[name] = _array(metric, name, values, types[name], type_)
        shape.columns[name] = type_
    if len(shape.columns) > COLUMNS:
        raise Misfit(f"metric {shown(metric)} has {len(shape.columns)} columns, the limit is {COLUMNS}")
    if not arrays:
        raise Misfit(f"metric {shown(metric)} holds no value")
    shapes[metric] = shape
    return [_operation(run_id, metric, kind, arrays, rows, start, end) for start, end in _pieces(rows)]


def _columns(kind: MetricKind, rows: Sequence[Row]) -> dict[str, list[object]]:
    if kind in _SINGLE:
        return {_VALUE: [next(iter(row.data.values()), None) for row in rows]}
    names: dict[str, str] = {}
    for row in rows:
        for name in row.data:
            if name not in names:
                names[name] = clean(name)
                if problem := name_problem(names[name]):
                    raise Misfit(f"column {shown(name)} {problem}")
    return {names[name]: [row.data.get(name) for row in rows] for name in names}


def _type(values: Sequence[object]) -> str | None:
    """Numbers when every value is one or reads as one, else booleans or texts; None when all are null."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    if all(isinstance(value, bool) for value in present):
        return _BOOL if len(present) == len(values) else _TEXT
    if all(
        isinstance(value, int | float) or (isinstance(value, str) and number(value) is not None)
        for value in present
    ):
        return _NUMBER
    return _TEXT


def _array(metric: str, name: str, values: Sequence[object], found: str | None, wanted: str) -> Values:
    if wanted == _TEXT:
        return [None if value is None else cut(as_text(value), VALUE_BYTES) for value in values]
    if wanted == _BOOL and found == _BOOL:
        return np.array(values, dtype=np.bool_)
    if wanted == _NUMBER and (found in (_NUMBER, _BOOL, None)):
        return _numbers(values)
    was = {_NUMBER: "numbers", _BOOL: "booleans"}[wanted]
    raise Misfit(f"column {shown(name)} of metric {shown(metric)} held {was} before and does not now")


def _numbers(values: Sequence[object]) -> Values:
    read = [_number(value) for value in values]
    if all(isinstance(value, int) for value in read):
        return np.array(read, dtype=np.int64)
    return np.array([float("nan") if value is None else value for value in read], dtype=np.float64)


def _number(value: object) -> int | float | None:
    found = number(value) if isinstance(value, str) else value
    if isinstance(found, bool):
        return int(found)
    if isinstance(found, int) and not -_INT64 <= found < _INT64:
        try:
            return float(found)
        except OverflowError:
            return float("inf") if found > 0 else float("-inf")
    return found if isinstance(found, int | float) else None


def _pieces(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Stretches of rows that all have a step or none, and likewise a time."""
    found, start = [], 0
    for _, stretch in groupby(rows, key=lambda row: (row.step is None, row.at is None)):
        end = start + sum(1 for _ in stretch)
        found.append((start, end))
        start = end
    return found


def _operation(
    run_id: str,
    metric: str,
    kind: MetricKind,
    arrays: Mapping[str, Values],
    rows: Sequence[Row],
    start: int,
    end: int,
) -> LogPoints | LogRows:
    some = rows[start:end]
    steps: Values | None = None
    if some[0].step is not None:
        steps = np.array([row.step for row in some])
    at: Values | None = None
    if some[0].at is not None:
        at = np.array([row.at for row in some], dtype=np.int64)
    if kind in _SINGLE:
        return LogPoints(run_id, metric, arrays[_VALUE][start:end], steps, at, kind)
    return LogRows(
        run_id, metric, {name: values[start:end] for name, values in arrays.items()}, steps, at, kind
    )
