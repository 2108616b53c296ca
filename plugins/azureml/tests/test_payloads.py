"""Metrics whose values are files of the run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from graphql_runs.ingest.api import Limits
from graphql_runs.model.operation import AddArtifact, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs.model.time import from_text
from plugins.azureml.tests.builder import details, points, put, read, reasons
from plugins.azureml.tests.test_host import following, until

MATRIX = {
    "schema_type": "confusion_matrix",
    "schema_version": "1.0.0",
    "data": {"class_labels": ["0", "1"], "matrix": [[3, 1], [0, 2]]},
}
PREDICTIONS = {
    "schema_type": "predictions",
    "schema_version": "1.0.0",
    "data": {"bin_averages": [math.nan], "bin_errors": [0], "bin_counts": [0], "bin_edges": [0, 1]},
}


def place(path: str, run_id: str = "r") -> str:
    return f"aml://artifactId/ExperimentRun/dcid.{run_id}/{path}"


def kept(name: str, kind: str, values: Sequence[object]) -> dict[str, object]:
    """A metric of a kind that Azure keeps as artifacts, as the service gives it."""
    value = [
        {"metricId": f"{name}-{k}", "createdUtc": "2020-08-04T22:16:00Z", "step": k, "data": {name: value}}
        for k, value in enumerate(values)
    ]
    properties = {"uxMetricType": f"azureml.v2.{kind}"}
    return {"name": name, "columns": {name: "Artifact"}, "value": value, "properties": properties}


def run(folder: Path, **files: object) -> Path:
    return put(folder / "r", {"run_details.json": details("r", "Running"), **files})


def documents(rows: Sequence[LogRows]) -> list[tuple[str, MetricKind, object]]:
    return [(row.metric, row.kind, json.loads(str(row.columns["payload"][0]))) for row in rows]


@pytest.mark.parametrize("folder", ["", "artifacts/"])
def test_a_document_is_read_from_its_file(tmp_path: Path, folder: str) -> None:
    files = {f"{folder}confusion_matrix": MATRIX, f"{folder}predictions.json": PREDICTIONS}
    metrics = [
        kept("cm", "confusion_matrix", [place("confusion_matrix")]),
        kept("p", "predictions", [place("predictions.json")]),
    ]
    run(tmp_path, **{"metrics.json": metrics, **files})
    reading = read(tmp_path)
    matrix, predicted = documents(reading.of(LogRows))
    assert matrix == ("cm", MetricKind.CONFUSION_MATRIX, MATRIX)
    # NaN is no JSON; null stands for it.
    assert predicted[2] == PREDICTIONS | {"data": PREDICTIONS["data"] | {"bin_averages": [None]}}  # type: ignore[operator]  # two dicts
    [row, _] = reading.of(LogRows)
    assert (row.run_id, row.steps, row.at) == ("r", [0], [from_text("2020-08-04T22:16:00Z")])
    assert (reading.skipped, reading.errors) == ([], [])
    assert read(tmp_path, reading.checkpoints).of(LogRows) == []


def test_documents_in_the_place_of_the_value(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": [kept("cm", "confusion_matrix", [MATRIX, json.dumps(MATRIX)])]})
    found = read(tmp_path).of(LogRows)
    assert documents(found) == [("cm", MetricKind.CONFUSION_MATRIX, MATRIX)] * 2
    assert [row.steps for row in found] == [[0], [1]]


def test_what_get_metrics_gives(tmp_path: Path) -> None:
    dump = {
        "loss": [0.5],
        "cm": place("confusion_matrix"),
        "plots": [place("plot_1.png"), place("outputs/plot_2.png")],
        "populated": MATRIX,
    }
    files = {"confusion_matrix": MATRIX, "plot_1.png": b"png", "outputs/plot_2.png": b"png"}
    run(tmp_path, **{"metrics.json": dump, **files})
    reading = read(tmp_path)
    assert points(reading, "loss") == [0.5]
    rows = reading.of(LogRows)
    assert documents([row for row in rows if "payload" in row.columns]) == [
        ("cm", MetricKind.CONFUSION_MATRIX, MATRIX),
        ("populated", MetricKind.CONFUSION_MATRIX, MATRIX),
    ]
    images = [row for row in rows if row.metric == "plots"]
    assert [(row.kind, row.columns["path"]) for row in images] == [
        (MetricKind.IMAGE, ["plot_1.png"]),
        (MetricKind.IMAGE, ["outputs/plot_2.png"]),
    ]
    assert reading.skipped == []


def test_an_image_beside_the_outputs_is_told_as_one(tmp_path: Path) -> None:
    folder = run(
        tmp_path, **{"metrics.json": kept("plot", "image", [place("a plot_1.png")]), "a plot_1.png": b"png"}
    )
    [told] = read(tmp_path).of(AddArtifact)
    assert (told.path, told.size, told.content_type) == ("a plot_1.png", 3, "image/png")
    assert told.location == str(folder / "a plot_1.png")


def test_a_file_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    values = [place("first"), place("second")]
    run(
        tmp_path,
        **{"metrics.json": [kept("cm", "confusion_matrix", values), kept("p", "predictions", [place("p")])]},
    )
    first = read(tmp_path)
    assert first.of(LogRows) == []
    assert reasons(first.skipped) == [
        "metric 'cm' waits for its file 'first', which is not in the folder",
        "metric 'p' waits for its file 'p', which is not in the folder",
    ]
    run(tmp_path, first=MATRIX)
    second = read(tmp_path, first.checkpoints)
    assert [row.steps for row in second.of(LogRows)] == [[0]]
    assert second.skipped == []
    run(tmp_path, second="{", p=PREDICTIONS)
    third = read(tmp_path, second.checkpoints)
    assert [row.metric for row in third.of(LogRows)] == ["p"]
    run(tmp_path, second=MATRIX)
    fourth = read(tmp_path, third.checkpoints)
    assert [(row.metric, row.steps) for row in fourth.of(LogRows)] == [("cm", [1])]
    assert "waiting" not in fourth.checkpoints["metrics/r/metrics.json"]
    assert read(tmp_path, fourth.checkpoints).operations == []


async def test_under_a_host_the_file_makes_it_read_again(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": kept("cm", "confusion_matrix", [place("confusion_matrix")])})
    async with following(tmp_path) as (host, records):
        await until(lambda: any(report.skipped_total for report in host.reports()))
        run(tmp_path, confusion_matrix=MATRIX)

        def came() -> bool:
            rows = [one for one in records.operations if isinstance(one, LogRows)]
            return documents(rows) == [("cm", MetricKind.CONFUSION_MATRIX, MATRIX)]

        await until(came)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (place("m", "other"), "metric 'm' names a file of another run, 'dcid.other'"),
        (place("../secret"), "metric 'm' names no file of the run: '../secret'"),
        (place("/etc/passwd"), "metric 'm' names no file of the run: '/etc/passwd'"),
        ("text", "metric 'm' is a text, not a document"),
        (
            "{",
            "metric 'm' is no document: not JSON: Expecting property name enclosed in double quotes (column 2)",
        ),
        (None, "metric 'm' is null, not a document"),
        ({"data": 2**70}, "metric 'm' cannot be kept: Integer exceeds 64-bit range"),
    ],
)
def test_values_that_are_none_are_told_and_the_next_one_is_taken(
    tmp_path: Path, value: object, reason: str
) -> None:
    run(tmp_path, **{"metrics.json": kept("m", "confusion_matrix", [value, MATRIX])})
    reading = read(tmp_path)
    assert reasons(reading.skipped) == [reason]
    assert documents(reading.of(LogRows)) == [("m", MetricKind.CONFUSION_MATRIX, MATRIX)]


def test_a_link_that_leads_out_of_the_source_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, {"outside": MATRIX})
    source = tmp_path / "source"
    folder = run(source, **{"metrics.json": kept("m", "confusion_matrix", [place("m")])})
    (folder / "m").symlink_to(tmp_path / "outside")
    reading = read(source)
    assert reading.of(LogRows) == []
    assert len(reading.skipped) == 1


def test_a_document_beyond_the_limit(tmp_path: Path) -> None:
    run(
        tmp_path,
        **{"metrics.json": kept("m", "confusion_matrix", [place("m")]), "m": MATRIX | {"x": "x" * 9000}},
    )
    reading = read(tmp_path, limits=Limits(json_bytes=4000))
    [reason] = reasons(reading.skipped)
    assert "larger than 4000 bytes" in reason
    assert reading.errors == []


def test_a_metric_keeps_its_kind(tmp_path: Path) -> None:
    run(tmp_path, **{"metrics.json": [{**kept("m", "confusion_matrix", [MATRIX])}]})
    first = read(tmp_path)
    later = kept("m", "predictions", [MATRIX, PREDICTIONS])
    run(tmp_path, **{"metrics.json": [later]})
    second = read(tmp_path, first.checkpoints)
    assert second.of(LogRows) == []
    assert reasons(second.skipped) == ["metric 'm' was confusion matrix before and is predictions now"]
