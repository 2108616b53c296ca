"""From rows to operations: consecutive rows become one array per metric.

Names keep the kind they first had (a scalar, a list, a text); the kinds are part of the checkpoint, so that a restart decides
the same. A value of another kind is left out and reported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.ingest.api import Limits, Skipped
from graphql_runs.model.operation import Annotate, LogPoints, LogRows, RunOperation, SetStatus
from graphql_runs.model.records import MetricKind
from graphql_runs.model.status import RunStatus, status_from
from graphql_runs_tabular.keys import Kinds, Layout, Names
from graphql_runs_tabular.values import is_blank, moment, number, shown, step

PARAMS = ("config", "params", "hparams", "hyperparameters")
STATUS = "status"
_NAMES_BYTES = 1 << 20
_DEPTH = 16
_SKIPS = 100
"""Reports of one batch; more of them say nothing new."""


@dataclass(slots=True)
class _Column:
    values: list[Any] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    kind: str = "s"


@dataclass(slots=True)
class _Group:
    """Rows that have both, one or none of step and time."""

    steps: list[float | int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    count: int = 0
    columns: dict[str, _Column] = field(default_factory=dict)
    scalars: dict[str, _Column] = field(default_factory=dict)
    """Those of `columns` that a number goes to without a question."""


class Full(Exception):
    """The row does not fit with those before it into one delivery; nothing of it was taken."""


class Batch:
    """Rows of one file on their way to one delivery."""

    def __init__(
        self,
        run_id: str,
        path: str,
        prefix: str,
        kinds: Kinds,
        names: Names,
        status: str | None,
        limits: Limits,
        skips: int = _SKIPS,
    ) -> None:
        self.status = status
        """The last word in the key `status`."""
        self.skipped: list[Skipped] = []
        self._run_id = run_id
        self._path = path
        self._prefix = prefix
        self._kinds = kinds
        self._names = names
        self._limits = limits
        self._skips = skips
        self._groups: dict[tuple[bool, bool], _Group] = {}
        self._homes: dict[str, _Group] = {}
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._bad: set[str] = set()
        self._other: list[RunOperation] = []
        self._unreported = 0

    @property
    def empty(self) -> bool:
        """Nothing was taken."""
        return not self._groups and not self._other and not self.skipped

    def skip(self, reason: str, line: int | None) -> None:
        """Report something that is left out."""
        if len(self.skipped) < self._skips:
            self.skipped.append(Skipped(self._path, reason, line))
        else:
            self._unreported += 1

    def row(self, row: Mapping[str, Any], line: int | None, omit: frozenset[str] = frozenset()) -> None:
        """Take a row of values by key; keys in `omit` were taken before. Raises Full."""
        before = len(self._other), len(self.skipped), self._unreported, self.status
        types = set(map(type, row.values()))
        if dict in types:
            row = self._unfold(row, line)
        if STATUS in row and str in types:
            row = self._take_status(row, line)
        keys = tuple(row)
        layout = self._layouts.get(keys)
        if layout is None:
            layout = self._layouts[keys] = self._names.layout(keys)
        step_key, step_value = _first(row, layout.steps, step)
        time_key, at = _first(row, layout.times, moment)
        used = (step_key, time_key)
        try:
            group = self._group(row, step_value is not None, at is not None, used)
        except Full:
            del self._other[before[0] :], self.skipped[before[1] :]
            _, _, self._unreported, self.status = before
            raise
        index = group.count
        scalars = group.scalars
        if omit:
            row = {key: value for key, value in row.items() if key not in omit}
        for key, value in row.items():
            if key in used:
                continue
            kind = type(value)
            if kind is float or kind is int:
                column = scalars.get(key)
                if column is not None:
                    column.values.append(value)
                    column.rows.append(index)
                    continue
            if value is not None:
                self._slow(group, key, value, index, line)
        group.count += 1
        if step_value is not None:
            group.steps.append(step_value)
        if at is not None:
            group.at.append(at)

    def properties(self, values: Mapping[str, Any]) -> None:
        """Take properties of the run, given with names that are known to be valid."""
        found = {name: _text(value) for name, value in values.items() if value is not None}
        if found:
            self._other.append(Annotate(self._run_id, properties=found))

    def operations(self) -> list[RunOperation]:
        """All that was taken."""
        if self._unreported:
            self.skipped.append(
                Skipped(self._path, f"{self._unreported} more values or lines like those before")
            )
            self._unreported = 0
        found: list[RunOperation] = []
        for (has_step, has_at), group in self._groups.items():
            steps = _array(group.steps) if has_step else None
            at = np.array(group.at, dtype=np.int64) if has_at else None
            for key, column in group.columns.items():
                if column.values:
                    found.append(self._metric(key, column, group.count, steps, at))
        return found + self._other

    # Where a row belongs

    def _group(
        self, row: Mapping[str, Any], has_step: bool, has_at: bool, used: tuple[str | None, str | None]
    ) -> _Group:
        group = self._groups.get((has_step, has_at))
        if group is None:
            group = self._groups[has_step, has_at] = _Group()
        if len(self._groups) > 1:
            # Points of one metric with and without steps cannot be in one batch.
            homes = self._homes
            for key in row:
                if homes.get(key, group) is not group and key not in used:
                    raise Full
        return group

    def _unfold(self, row: Mapping[str, Any], line: int | None) -> dict[str, Any]:
        """A flat row: keys of nested objects are joined by `/`; hyperparameters are taken out."""
        flat: dict[str, Any] = {}
        for key, value in row.items():
            if not isinstance(value, dict):
                flat[key] = value
            elif key.lower() in PARAMS:
                self._take_params(value, line)
            else:
                flat.update(self._flatten(key, value, line))
        return flat

    def _flatten(
        self, prefix: str, value: Mapping[str, Any], line: int | None, depth: int = 1
    ) -> Iterator[tuple[str, Any]]:
        if depth > _DEPTH:
            self.skip(f"{shown(prefix)} is nested more than {_DEPTH} objects deep", line)
            return
        for key, inner in value.items():
            name = f"{prefix}/{key}"
            if isinstance(inner, dict):
                yield from self._flatten(name, inner, line, depth + 1)
            else:
                yield name, inner

    def _take_params(self, value: Mapping[str, Any], line: int | None) -> None:
        params: dict[str, str] = {}
        for key, inner in self._flatten("", value, line):
            name = key.removeprefix("/")
            if problem := self._problem(name):
                self.skip(f"the parameter {shown(name)} is left out: {problem}", line)
            elif inner is not None:
                params[name] = _text(inner)
        if params:
            self._other.append(Annotate(self._run_id, params=params))

    def _take_status(self, row: Mapping[str, Any], line: int | None) -> Mapping[str, Any]:
        word = row[STATUS]
        if not isinstance(word, str):
            return row
        status = status_from(word)
        if status is RunStatus.UNKNOWN and word.strip().lower() != "unknown":
            return row
        rest = {key: value for key, value in row.items() if key != STATUS}
        if word != self.status:
            self.status = word
            _, at = _first(rest, self._names.layout(tuple(rest)).times, moment)
            original = None if word == status else word
            where = self._path if line is None else f"{self._path}:{line}"
            self._other.append(SetStatus(self._run_id, status, where, at, original=original))
        return rest

    # Values that are no plain numbers, and names that are new

    def _slow(self, group: _Group, key: str, value: Any, index: int, line: int | None) -> None:
        if key in self._bad:
            return
        match value:
            case bool():
                value = int(value)
            case str():
                found = number(value)
                if found is not None:
                    value = found
                elif is_blank(value):
                    return
            case list():
                if not value:
                    return
                numbers = [_element(one) for one in value]
                value = _json(value) if any(one is None for one in numbers) else numbers
        kind = "t" if isinstance(value, str) else "l" if isinstance(value, list) else "s"
        column = group.columns.get(key)
        if column is None:
            column = self._new(group, key, kind, line)
            if column is None:
                return
        if column.kind == "t" and kind != "t":
            value = str(value) if kind == "s" else _json(value)
        elif column.kind == "l" and kind == "s":
            value = [value]
        elif column.kind != kind:
            had = {"s": "numbers", "l": "lists of numbers"}[column.kind]
            self.skip(f"{shown(key)} has {had}, here it is {shown(value)}", line)
            return
        if column.kind == "l":
            column.values.extend(value)
            column.rows.extend([index] * len(value))
        elif column.kind == "t" and not value.isascii():
            column.values.append(_text(value))
            column.rows.append(index)
        else:
            column.values.append(value)
            column.rows.append(index)

    def _new(self, group: _Group, key: str, kind: str, line: int | None) -> _Column | None:
        name = self._prefix + key
        known = self._kinds.kinds.get(name)
        if known is None:
            problem = self._problem(name)
            if problem is None and (
                len(self._kinds.kinds) >= self._limits.metrics_per_run or self._kinds.size > _NAMES_BYTES
            ):
                problem = f"the file has more than {len(self._kinds.kinds)} metrics"
            if problem is not None:
                self._bad.add(key)
                self.skip(f"the metric {shown(name)} is left out: {problem}", line)
                return None
            self._kinds.add(name, kind)
            known = kind
        column = group.columns[key] = _Column(kind=known)
        self._homes[key] = group
        if known == "s":
            group.scalars[key] = column
        return column

    def _problem(self, name: str) -> str | None:
        """Why something cannot be called so."""
        if not name.strip():
            return "it has no name"
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            return "its name is not valid Unicode"
        if size > self._limits.name_bytes:
            return f"its name has {size} bytes, the limit is {self._limits.name_bytes}"
        if not name.isprintable() and any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
            return "its name holds a control character"
        return None

    def _metric(
        self, key: str, column: _Column, count: int, steps: NDArray[Any] | None, at: NDArray[np.int64] | None
    ) -> RunOperation:
        rows = column.rows
        if len(rows) == count and column.kind != "l":
            mine_steps, mine_at = steps, at
        else:
            chosen = np.array(rows, dtype=np.intp)
            mine_steps = None if steps is None else steps[chosen]
            mine_at = None if at is None else at[chosen]
        name = self._prefix + key
        if column.kind == "t":
            return LogRows(self._run_id, name, {"text": column.values}, mine_steps, mine_at, MetricKind.TEXT)
        kind = MetricKind.LIST if column.kind == "l" else MetricKind.SCALAR
        return LogPoints(self._run_id, name, _array(column.values), mine_steps, mine_at, kind)


def _first(row: Mapping[str, Any], keys: Sequence[str], read: Any) -> tuple[str | None, Any]:
    for key in keys:
        value = read(row[key])
        if value is not None:
            return key, value
    return None, None


def _element(value: object) -> float | int | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    return number(value) if isinstance(value, str) else None


def _array(values: Sequence[float | int]) -> NDArray[Any]:
    """int64 when all are integers that fit, else float64 (an integer beyond its range becomes infinite, as in JSON)."""
    try:
        found = np.array(values)
    except OverflowError:
        found = np.array([], dtype=object)
    if found.dtype.kind in "if":
        return found
    return np.array([_float(value) for value in values], dtype=np.float64)


def _float(value: float | int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _text(value: Any) -> str:
    """A text as it is, anything else as JSON. JSON may hold halves of surrogate pairs, which are no text."""
    text = value if isinstance(value, str) else _json(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
