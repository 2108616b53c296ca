"""Metrics in Azure's JSON form, and in what `get_metrics()` gives."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs.model.operation import LogPoints, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs.model.time import from_text
from plugins.azureml.tests.builder import details, points, put, read, reasons, same


def metric(
    name: str,
    values: Sequence[object],
    type_: str = "double",
    *,
    ux: str = "azureml.v1.scalar",
    first: int = 0,
    **fields: object,
) -> dict[str, object]:
    """A metric with one column, as the service gives it: value k has id `<name>-k`, step k and second k of a minute."""
    return {
        "name": name,
        "columns": {name: type_},
        "value": [
            {
                "metricId": f"{name}-{k}",
                "createdUtc": f"2020-08-04T22:16:{k % 60:02}.1234567Z",
                "step": k,
                "data": {name: value},
            }
            for k, value in enumerate(values, start=first)
        ],
        "properties": {"uxMetricType": ux},
        "continuationToken": None,
        **fields,
    }


def rows(name: str, ux: str, columns: dict[str, str], data: Sequence[dict[str, object]]) -> dict[str, object]:
    value = [
        {"metricId": f"{name}-{k}", "createdUtc": "2020-08-04T22:16:00Z", "step": None, "data": row}
        for k, row in enumerate(data)
    ]
    return {"name": name, "columns": columns, "value": value, "properties": {"uxMetricType": ux}}


def run(folder: Path, **files: object) -> Path:
    return put(folder / "r", {"run_details.json": details("r", "Running"), **files})


def test_scalars_with_steps_and_times(tmp_path: Path) -> None:
    run(
        tmp_path,
        **{"metrics.json": [metric("loss", [0.5, "NaN", "Infinity", 1]), metric("n", [3, 4], "int")]},
    )
    loss, n = read(tmp_path).of(LogPoints)
    assert (loss.run_id, loss.metric, loss.kind) == ("r", "loss", MetricKind.SCALAR)
    assert np.asarray(loss.values).dtype == np.float64
    assert same(loss.values, [0.5, math.nan, math.inf, 1.0])
    assert loss.steps is not None
    assert loss.at is not None
    assert list(loss.steps) == [0, 1, 2, 3]
    assert list(loss.at)[:2] == [
        from_text("2020-08-04T22:16:00.123456Z"),
        from_text("2020-08-04T22:16:01.123456Z"),
    ]
    assert np.asarray(n.values).dtype == np.int64


@pytest.mark.parametrize("written", ["3", "np.int64(3)", "np.uint64(3)", "numpy.int64(3)"])
def test_integers_that_the_sdk_wrote_as_texts(tmp_path: Path, written: str) -> None:
    run(tmp_path, **{"metrics/epoch.json": metric("epoch", [written, written], "string")})
    [epoch] = read(tmp_path).of(LogPoints)
    assert np.asarray(epoch.values).dtype == np.int64
    assert list(epoch.values) == [3, 3]


def test_lists(tmp_path: Path) -> None:
    value = metric("layers", [1, 2, 3], "int", ux="azureml.v1.list")
    for entry in value["value"]:  # type: ignore[attr-defined]  # built above
        entry["step"] = None
    run(tmp_path, **{"metrics.json": value})
    [layers] = read(tmp_path).of(LogPoints)
    assert (layers.kind, list(layers.values), layers.steps) == (MetricKind.LIST, [1, 2, 3], None)


def test_rows_and_tables_have_typed_columns(tmp_path: Path) -> None:
    columns = {"epoch": "int", "loss": "double", "best": "bool", "note": "string", "none": "none"}
    data: list[dict[str, object]] = [
        {"epoch": 1, "loss": 0.5, "best": True, "note": "a", "none": None},
        {"epoch": 2, "loss": None, "best": False, "note": None, "none": None},
    ]
    run(tmp_path, **{"metrics.json": [rows("t", "azureml.v1.table", columns, data)]})
    [table] = read(tmp_path).of(LogRows)
    assert (table.kind, table.metric, table.steps) == (MetricKind.TABLE, "t", None)
    assert {
        name: np.asarray(values).dtype.kind for name, values in table.columns.items() if name != "note"
    } == {
        "epoch": "i",
        "loss": "f",
        "best": "b",
    }
    assert same(table.columns["loss"], [0.5, math.nan])
    assert list(table.columns["note"]) == ["a", None]


def test_texts(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": metric("stage", ["warm-up", "main"], "string")})
    [stage] = read(tmp_path).of(LogRows)
    assert (stage.kind, {name: list(values) for name, values in stage.columns.items()}) == (
        MetricKind.TEXT,
        {"value": ["warm-up", "main"]},
    )


def test_rewrites_add_only_what_is_new(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": [metric("loss", [1, 2])]})
    first = read(tmp_path)
    assert points(first, "loss") == [1, 2]
    assert read(tmp_path, first.checkpoints).of(LogPoints) == []
    run(tmp_path, **{"metrics.json": [metric("acc", [9]), metric("loss", [1, 2, 3, 4])]})
    second = read(tmp_path, first.checkpoints)
    assert (points(second, "loss"), points(second, "acc")) == ([3, 4], [9])
    # Only the last values are kept in the file.
    run(tmp_path, **{"metrics.json": [metric("loss", [3, 4, 5], first=2)]})
    third = read(tmp_path, second.checkpoints)
    assert points(third, "loss") == [5]
    run(tmp_path, **{"metrics.json": [metric("loss", [7], first=70)]})
    fourth = read(tmp_path, third.checkpoints)
    assert points(fourth, "loss") == []
    assert reasons(fourth.skipped) == [
        "metric 'loss' was replaced by other values; those that were read before stay"
    ]


def test_a_long_metric_comes_in_pieces(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": metric("loss", range(45_000), "int")})
    reading = read(tmp_path)
    assert [len(found.values) for found in reading.of(LogPoints)] == [20_000, 20_000, 5000]
    assert points(reading, "loss") == list(range(45_000))
    assert len(json.dumps(reading.checkpoints["metrics/r/metrics.json"])) < 300


def test_steps_for_some_values_only(tmp_path: Path) -> None:
    value = metric("loss", [1, 2, 3, 4])
    entries = value["value"]
    assert isinstance(entries, list)
    entries[1]["step"] = entries[2]["step"] = None
    entries[3]["createdUtc"] = "?"
    run(tmp_path, **{"metrics.json": value})
    reading = read(tmp_path)
    assert [
        (list(found.values), found.steps is None, found.at is None) for found in reading.of(LogPoints)
    ] == [
        ([1.0], False, False),
        ([2.0, 3.0], True, False),
        ([4.0], False, True),
    ]
    assert reasons(reading.skipped) == ["'loss'.value[3].createdUtc is not a time: '?'"]


@pytest.mark.parametrize("ux", ["azureml.v2.forecast_table", "later"])
def test_kinds_that_are_not_read_yet_are_told(tmp_path: Path, ux: str) -> None:
    run(
        tmp_path,
        **{
            "metrics.json": [
                metric("m", ["aml://artifactId/ExperimentRun/dcid.r/m"], "Artifact", ux=ux),
                metric("loss", [1]),
            ]
        },
    )
    reading = read(tmp_path)
    assert reasons(reading.skipped) == [f"metric 'm' is of the type '{ux}', which is not read yet"]
    assert points(reading, "loss") == [1]


def test_a_page_is_told(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": metric("loss", [1], continuationToken="more")})
    assert reasons(read(tmp_path).skipped) == ["metric 'loss' is a page of its values only; there are more"]


def test_bad_values_are_told_and_the_others_taken(tmp_path: Path) -> None:
    value = metric("loss", [1, 2, 3])
    entries = value["value"]
    assert isinstance(entries, list)
    entries[0] = "not an object"
    entries[1]["step"] = "one"
    run(
        tmp_path,
        **{
            "metrics.json": [
                value,
                metric("n" * 10_240, [1]),
                metric("line\nbreak", [1]),
                metric("mixed", [1, [2]]),
            ]
        },
    )
    reading = read(tmp_path)
    assert points(reading, "loss") == [2, 3]
    found = reasons(reading.skipped)
    assert "'loss'.value[0] has no data" in found
    assert "'loss'.value[1].step is a text, not a step" in found
    assert any("10240 bytes" in reason for reason in found)
    assert any("control character" in reason for reason in found)


def test_a_metric_keeps_its_shape(tmp_path: Path) -> None:
    run(
        tmp_path,
        **{"metrics.json": [metric("loss", [1]), rows("t", "azureml.v1.table", {"a": "int"}, [{"a": 1}])]},
    )
    first = read(tmp_path)
    later = rows("t", "azureml.v1.table", {"a": "string"}, [{"a": 1}, {"a": "text"}])
    run(tmp_path, **{"metrics.json": [metric("loss", [1, 2], ux="azureml.v1.list"), later]})
    second = read(tmp_path, first.checkpoints)
    assert second.of(LogPoints) == []
    assert reasons(second.skipped) == [
        "metric 'loss' was scalar before and is list now",
        "column 'a' of metric 't' held numbers before and does not now",
    ]


def test_the_limit_of_names(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": [metric(f"m{k}", [k]) for k in range(5)]})
    reading = read(tmp_path, limits=Limits(metrics_per_run=3))
    assert {found.metric for found in reading.of(LogPoints)} == {"m0", "m1", "m2"}
    assert reasons(reading.skipped) == ["metrics after the first 3 were left out"]


@pytest.mark.parametrize(("content", "line"), [('[{"name": "loss", "columns"', 1), ('{\n"name": }', 2)])
def test_half_written_metrics(tmp_path: Path, content: str, line: int) -> None:
    run(tmp_path, **{"metrics.json": content if content.startswith("{") else content + ' "uxMetricType"'})
    [error] = read(tmp_path).errors
    assert isinstance(error, Unreadable)
    assert (error.path, error.line) == ("r/metrics.json", line)


def test_what_get_metrics_gives(tmp_path: Path) -> None:
    dump = {
        "loss": [0.5, 0.25],
        "acc": 0.9,
        "row": {"x": 1, "y": "a"},
        "table": {"x": [1, 2], "y": [3, 4]},
        "bad": {"x": [1], "y": []},
        "worse": [[1]],
    }
    run(tmp_path, **{"metrics.json": dump})
    first = read(tmp_path)
    assert (points(first, "loss"), points(first, "acc")) == ([0.5, 0.25], [0.9])
    assert [found.metric for found in first.of(LogRows)] == ["row", "table"]
    assert len(first.skipped) == 2
    run(tmp_path, **{"metrics.json": dump | {"loss": [0.5, 0.25, 0.1], "acc": [0.9, 0.95]}})
    second = read(tmp_path, first.checkpoints)
    assert (points(second, "loss"), points(second, "acc"), second.of(LogRows)) == ([0.1], [0.95], [])
