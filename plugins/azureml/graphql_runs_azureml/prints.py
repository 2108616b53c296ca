"""Metrics that a script logged while it was not connected to the service: the SDK's offline run prints them.

`Attempted to log scalar metric loss:` and the value on the next line (azureml-core 1.61, `core/run.py::_OfflineRun._emit`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphql_runs.model.operation import LogPoints, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs_azureml.literal import NotLiteral, literal
from graphql_runs_azureml.numbers import number
from graphql_runs_azureml.series import Misfit, Row, Shape, operations

Header = re.Match[str]
HEADER = re.compile(r"Attempted to log (\w{1,64}) metric (.{1,4096}):")
METRICS = 1000
"""Names of metrics that are taken from one log, because each is kept in its checkpoint."""


def printed(run_id: str, header: Header, value: str, shapes: dict[str, Shape]) -> list[LogPoints | LogRows]:
    """The metric of a header line and the line after it. Raises Misfit when it cannot be taken."""
    kind, metric = header[1], header[2]
    if metric not in shapes and len(shapes) >= METRICS:
        raise Misfit(f"more than {METRICS} metrics are printed in this log")
    match kind:
        case "scalar":
            return _scalar(run_id, metric, value, shapes)
        case "list":
            items = _read(metric, value)
            if not isinstance(items, list):
                raise Misfit(f"the list {metric!r} is no list")
            return operations(
                run_id, metric, MetricKind.LIST, [Row({"value": item}) for item in items], shapes
            )
        case "row":
            return operations(run_id, metric, MetricKind.ROW, [Row(_object(metric, value))], shapes)
        case "table":
            return operations(
                run_id, metric, MetricKind.TABLE, _table(metric, _object(metric, value)), shapes
            )
    raise Misfit(f"metrics of the kind {kind} are not read yet")


def _scalar(run_id: str, metric: str, value: str, shapes: dict[str, Shape]) -> list[LogPoints | LogRows]:
    found: object = number(value)
    if found is None:
        try:
            found = literal(value)
        except NotLiteral:
            found = value.strip()
        if isinstance(found, list):
            found = found[0] if len(found) == 1 else value.strip()
    return operations(run_id, metric, MetricKind.SCALAR, [Row({"value": found})], shapes)


def _table(metric: str, columns: Mapping[str, object]) -> list[Row]:
    """Columns may be lists of one length or single values, as `log_table` takes them."""
    lists = {name: column if isinstance(column, list) else [column] for name, column in columns.items()}
    sizes = {len(column) for column in lists.values()}
    if len(sizes) > 1:
        raise Misfit(f"the columns of the table {metric!r} differ in length")
    return [Row(dict(zip(lists, values, strict=True))) for values in zip(*lists.values(), strict=True)]


def _object(metric: str, value: str) -> Mapping[str, object]:
    found = _read(metric, value)
    if not isinstance(found, dict):
        raise Misfit(f"the value of {metric!r} names no columns")
    return found


def _read(metric: str, value: str) -> object:
    try:
        return literal(value)
    except NotLiteral as error:
        raise Misfit(f"the value of {metric!r} is {error}") from error
