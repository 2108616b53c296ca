"""Metrics in Azure's JSON form, as the service gives them, and as `Run.get_metrics()` does.

The service: `{name, columns{column: type}, value[{metricId, createdUtc, step, data{column: value}}], properties{uxMetricType}}`,
one object or a list of them (azureml-core 1.61, `_restclient/models/metric_v2_dto.py`). `get_metrics()`: names with a number,
a list of numbers, a row or columns, without steps and times. Values that are artifacts are in `payloads`.

Such files are rewritten whole. The checkpoint holds for each metric how many values were taken and the id of the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unit, Unreadable
from graphql_runs.model.operation import RunOperation
from graphql_runs.model.records import MetricKind
from graphql_runs_azureml.document import Document, load
from graphql_runs_azureml.fields import Fields, kind
from graphql_runs_azureml.numbers import number
from graphql_runs_azureml.payloads import KINDS as ARTIFACT_KINDS
from graphql_runs_azureml.payloads import Absent, Artifacts, is_document, is_place
from graphql_runs_azureml.series import Misfit, Row, Shape, operations
from graphql_runs_azureml.text import shown

_KINDS = {
    "azureml.v1.scalar": MetricKind.SCALAR,
    "azureml.v1.list": MetricKind.LIST,
    "azureml.v1.row": MetricKind.ROW,
    "azureml.v1.table": MetricKind.TABLE,
}
_FLOATS = ("float", "double")
_ROWS = 20_000
"""Values of one delivery."""
_PROBLEMS = 100


def may_hold_metrics(head: bytes) -> bool:
    """Does a file that begins like this look like metrics of the service?"""
    return b'"metricId"' in head or b'"uxMetricType"' in head or (b'"columns"' in head and b'"value"' in head)


def may_be_dumped(head: bytes) -> bool:
    """The same for `metrics.json`, which may also be what `get_metrics()` gave."""
    return may_hold_metrics(head) or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or b"\0" in head[:4]


@dataclass(slots=True)
class _Taken:
    """What was taken of a metric: so many values, the last of them with this id."""

    count: int = 0
    last: str | None = None


@dataclass(slots=True)
class _State:
    """`waiting`: metrics with a value whose file is not there."""

    digest: str = ""
    waiting: set[str] = field(default_factory=set)
    taken: dict[str, _Taken] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        metrics = {
            name: [taken.count, taken.last, self.shapes[name].to_json() if name in self.shapes else None]
            for name, taken in self.taken.items()
        }
        waiting = {"waiting": sorted(self.waiting)} if self.waiting else {}
        return {"digest": self.digest, "metrics": metrics, **waiting}

    @staticmethod
    def from_json(value: Mapping[str, object] | None) -> _State:
        """Raises ValueError when it is none of ours."""
        if value is None:
            return _State()
        waiting = value.get("waiting")
        state = _State(
            str(value.get("digest", "")), set(map(str, waiting)) if isinstance(waiting, list) else set()
        )
        metrics = value.get("metrics")
        for name, entry in (metrics if isinstance(metrics, dict) else {}).items():
            match entry:
                case [int(count), str() | None as last, shape]:
                    state.taken[name] = _Taken(count, last)
                    if shape is not None:
                        state.shapes[name] = Shape.from_json(shape)
                case _:
                    raise ValueError(f"not a checkpoint of metrics: {entry!r}")
        return state


@dataclass(frozen=True, slots=True)
class _Metric:
    """A metric of a document.

    floats: names of columns of doubles.
    plain:  the values are the data itself, without ids, steps and times.
    kept:   the values are artifacts, or documents that could be some. Their kind is None where only the artifact tells it.
    """

    name: str
    kind: MetricKind | None
    values: Sequence[object]
    floats: frozenset[str] = frozenset()
    plain: bool = False
    kept: bool = False


def read_metrics(
    unit: Unit,
    run_id: str,
    folders: Sequence[PurePosixPath],
    checkpoint: Mapping[str, object] | None,
    context: Context,
    first: list[RunOperation],
) -> Iterator[Delivery]:
    """Values that were added since the checkpoint, and those whose files have come meanwhile; `folders` are the run's. `first`
    goes before all else when there is no checkpoint.

    Raises Unreadable when the file is no JSON or holds no metrics.
    """
    path = unit.files[0]
    document = load(context.tree.folder, path, context.limits.json_bytes)
    state = _State.from_json(checkpoint)
    digest = document.digest.hex()
    if digest == state.digest and not state.waiting:
        return
    artifacts = Artifacts(run_id, context.tree, folders, context.limits.json_bytes)
    problems: list[str] = []
    before = list(first) if checkpoint is None else []
    for metric in _metrics(document, problems):
        if metric.name not in state.taken and len(state.taken) >= context.limits.metrics_per_run:
            problems.append(f"metrics after the first {context.limits.metrics_per_run} were left out")
            break
        for made in (
            _kept(artifacts, metric, state, problems)
            if metric.kept
            else _new(run_id, metric, state, problems)
        ):
            yield Delivery(state.to_json(), [*before, *made], skipped=_skipped(path, problems))
            before, problems[:] = [], []
    state.digest = digest
    yield Delivery(state.to_json(), before, skipped=_skipped(path, problems))


def _skipped(path: PurePosixPath, problems: Sequence[str]) -> list[Skipped]:
    found = [Skipped(str(path), problem) for problem in dict.fromkeys(problems)]
    if len(found) <= _PROBLEMS:
        return found
    return [*found[:_PROBLEMS], Skipped(str(path), f"{len(found) - _PROBLEMS} further values were left out")]


def _kept(
    artifacts: Artifacts, metric: _Metric, state: _State, problems: list[str]
) -> Iterator[list[RunOperation]]:
    """One value at a time, each refused alone; none after one whose file is not there."""
    taken = state.taken.get(metric.name, _Taken())
    for place in range(_start(metric, taken, problems), len(metric.values)):
        made: list[RunOperation] = []
        if (row := _row(metric, place, problems)) is not None:
            try:
                made = artifacts.operations(metric.name, metric.kind, row, state.shapes)
            except Absent as problem:
                if metric.name not in state.waiting:
                    problems.append(str(problem))
                state.waiting.add(metric.name)
                return
            except Misfit as problem:
                problems.append(str(problem))
        state.taken[metric.name] = _Taken(place + 1, _id(metric, place))
        if place + 1 == len(metric.values):
            state.waiting.discard(metric.name)
        if made:
            yield made


def _new(run_id: str, metric: _Metric, state: _State, problems: list[str]) -> Iterator[list[RunOperation]]:
    assert metric.kind is not None
    taken = state.taken.get(metric.name, _Taken())
    start = _start(metric, taken, problems)
    values = iter(range(start, len(metric.values)))
    while places := list(islice(values, _ROWS)):
        rows = [row for place in places if (row := _row(metric, place, problems)) is not None]
        state.taken[metric.name] = _Taken(places[-1] + 1, _id(metric, places[-1]))
        try:
            made: list[RunOperation] = list(operations(run_id, metric.name, metric.kind, rows, state.shapes))
        except Misfit as problem:
            problems.append(str(problem))
            continue
        if made:
            yield made


def _start(metric: _Metric, taken: _Taken, problems: list[str]) -> int:
    """The first value that was not taken."""
    if taken.count == 0:
        return 0
    if taken.count <= len(metric.values) and (
        taken.last is None or _id(metric, taken.count - 1) == taken.last
    ):
        return taken.count
    # Values before the last one may have gone; it is looked for by its id.
    if taken.last is not None:
        for place in range(len(metric.values) - 1, -1, -1):
            if _id(metric, place) == taken.last:
                return place + 1
    problems.append(
        f"metric {shown(metric.name)} was replaced by other values; those that were read before stay"
    )
    return len(metric.values)


def _id(metric: _Metric, place: int) -> str | None:
    value = metric.values[place]
    found = value.get("metricId") if isinstance(value, dict) and not metric.plain else None
    return found if isinstance(found, str) else None


def _row(metric: _Metric, place: int, problems: list[str]) -> Row | None:
    value = metric.values[place]
    if metric.plain:
        return Row(value if isinstance(value, dict) and not metric.kept else {"value": value})
    where = f"{shown(metric.name)}.value[{place}]"
    if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
        problems.append(f"{where} has no data")
        return None
    fields = Fields(value, f"{where}.", problems)
    step = value.get("step")
    if (
        isinstance(step, bool)
        or not isinstance(step, int | float | None)
        or (step is not None and not abs(step) < 2**63)
    ):
        fields.note("step", f"is {kind(step)}, not a step")
        step = None
    data = {name: _cell(name, cell, metric) for name, cell in value["data"].items()}
    return Row(data, step, fields.time("createdUtc"))


def _cell(name: str, cell: object, metric: _Metric) -> object:
    # JSON has no NaN, so the service writes doubles as texts where it must.
    if isinstance(cell, str) and name in metric.floats:
        found = number(cell)
        return cell if found is None else float(found)
    return cell


# Documents


def _metrics(document: Document, problems: list[str]) -> Iterator[_Metric]:
    value = document.value
    if isinstance(value, dict) and not _is_metric(value):
        yield from _dumped(value, problems)
        return
    for entry in value if isinstance(value, list) else [value]:
        if not isinstance(entry, dict) or not _is_metric(entry):
            raise Unreadable("holds no metrics in Azure's form", path=str(document.path))
        yield from _described(entry, problems)


def _is_metric(entry: Mapping[str, object]) -> bool:
    return isinstance(entry.get("name"), str) and isinstance(entry.get("value"), list)


def _described(entry: Mapping[str, object], problems: list[str]) -> Iterator[_Metric]:
    name, values = entry["name"], entry["value"]
    assert isinstance(name, str)
    assert isinstance(values, list)
    fields = Fields(entry, f"{shown(name)}.", problems)
    columns = fields.texts("columns")
    ux = fields.nested("properties").text("uxMetricType")
    if ux is None:
        kind_: MetricKind = MetricKind.SCALAR if list(columns) == [name] else MetricKind.TABLE
    elif ux in _KINDS:
        kind_ = _KINDS[ux]
    elif ux in ARTIFACT_KINDS:
        kind_ = ARTIFACT_KINDS[ux]
    else:
        problems.append(f"metric {shown(name)} is of the type {shown(ux)}, which is not read yet")
        return
    if entry.get("continuationToken"):
        problems.append(f"metric {shown(name)} is a page of its values only; there are more")
    yield _Metric(
        name,
        kind_,
        values,
        frozenset(key for key, type_ in columns.items() if type_.lower() in _FLOATS),
        kept=ux in ARTIFACT_KINDS,
    )


def _dumped(value: Mapping[str, object], problems: list[str]) -> Iterator[_Metric]:
    for name, entry in value.items():
        some = entry if isinstance(entry, list) else [entry]
        if some and (all(map(is_place, some)) or all(map(is_document, some))):
            yield _Metric(name, None, some, plain=True, kept=True)
        elif isinstance(entry, dict):
            columns = {key: column if isinstance(column, list) else [column] for key, column in entry.items()}
            if (
                not columns
                or len({len(column) for column in columns.values()}) > 1
                or not _plain(columns.values())
            ):
                problems.append(f"{shown(name)} is no metric: its columns are no values, or differ in length")
                continue
            rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
            yield _Metric(name, MetricKind.TABLE, rows, plain=True)
        elif _plain([entry if isinstance(entry, list) else [entry]]):
            yield _Metric(name, MetricKind.SCALAR, entry if isinstance(entry, list) else [entry], plain=True)
        else:
            problems.append(f"{shown(name)} is no metric: it is {kind(entry)}")


def _plain(columns: Iterable[Sequence[object]]) -> bool:
    """Are all cells numbers, texts, booleans or null?"""
    return all(cell is None or isinstance(cell, str | int | float) for column in columns for cell in column)
