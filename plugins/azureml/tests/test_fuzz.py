"""Run folders with documents and logs that are nearly right: what can be taken is taken, everything else is told."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.ingest.api import Limits, Unreadable
from plugins.azureml.tests.builder import COMPLETED, DRIVER, details, put, read
from tests.fuzz import altered, bounded, damaged

LIMITS = Limits(line_bytes=4096, delivery_bytes=16_384, json_bytes=1 << 20)
RICH = details(
    "r",
    "Failed",
    parentRunId="p",
    rootRunId="p",
    tags={"_aml_system_primary_metric_config": '{"name": "a", "goal": "max"}', "_aml_system_r_1": '{"--lr": 0.1}'},
    error={"error": {"code": "UserError", "message": "m", "innerError": {"code": "i"}, "details": [{"code": "d"}]}},
    warnings=[{"source": "s", "message": "m"}],
    queueingInfo={"code": "c", "message": "position 3", "lastRefreshTimestamp": "2020-08-04T22:14:01Z"},
    runDefinition={"arguments": ["--lr", 0.1, "--flag", "$x"], "target": "cpu"},
)  # fmt: skip
SERVICE = {
    "name": "loss",
    "columns": {"loss": "double"},
    "value": [
        {"metricId": f"m-{step}", "createdUtc": "2020-08-04T22:16:00Z", "step": step, "data": {"loss": 0.5}}
        for step in range(3)
    ],
    "properties": {"uxMetricType": "azureml.v1.scalar"},
}
MATRIX = {
    "schema_type": "confusion_matrix",
    "schema_version": "1.0.0",
    "data": {"class_labels": ["a", "b"], "matrix": [[1, 2], [3, 4]]},
}
PLACE = "aml://artifactId/ExperimentRun/dcid.r/confusion"
KEPT = SERVICE | {
    "name": "confusion",
    "columns": {"confusion": "string"},
    "value": [{"metricId": "k", "createdUtc": "2020-08-04T22:16:00Z", "data": {"confusion": PLACE}}],
    "properties": {"uxMetricType": "azureml.v2.confusion_matrix"},
}
DUMPED = {"loss": [0.5, 1], "row": {"a": 1, "b": [2, 3]}, "best": "0.5", "matrix": MATRIX, "kept": PLACE}
CLUSTER = {
    "name": "cpu",
    "properties": {"provisioningState": "Succeeded", "properties": {"vmSize": "S", "nodeStateCounts": {"idleNodeCount": 1}}},
    "nodes": [{"nodeId": "n", "nodeState": "running", "runId": "r", "port": 5}],
}  # fmt: skip
DOCUMENTS: dict[str, list[Any]] = {
    "r/run_details.json": [RICH],
    "runs.json": [{"value": [RICH, details("s")], "continuationToken": "x"}, [RICH, details("s")]],
    "r/metrics.json": [SERVICE, [SERVICE, KEPT], DUMPED],
    "r/metrics/one.json": [SERVICE, KEPT],
    "r/confusion": [MATRIX],
    "cluster.json": [CLUSTER],
}
LOGS: dict[str, bytes] = {
    "r/azureml-logs/70_driver_log.txt": (DRIVER + COMPLETED).encode(),
    "r/azureml-logs/55_azureml-execution-x.txt": b"2020-08-04T22:14:40Z RunId:[r] ParentRunId:[p]\nJob is running, job runstatus is Running\n",
    "r/azureml-logs/process_status.json": b'{"process_name":"*","timestamp":"2020-08-04T22:15:41.1Z","status":"Failed"}\n',
    "r/user_logs/std_log.txt": b"Attempted to log scalar metric loss:\n0.5\nAttempted to log row metric row:\n{'a': 1, 'b': np.int64(2)}\n"
    b"Attempted to log table metric t:\n{'x': [1, 2], 'y': [3, 4.5]}\nAttempted to log list metric l:\n[1, inf, None]\n"
    b"[2022-03-01T10:00:09.5] Command finished with return code 1\n",
}
WHOLE: dict[str, object] = {**{name: found[0] for name, found in DOCUMENTS.items()}, **LOGS}


def taken(name: str, content: bytes) -> None:
    """Read a folder in which one file has this content: it is taken, or told as unreadable."""
    with TemporaryDirectory() as folder:
        # Long ago, so that nobody waits for the rest of it.
        put(Path(folder), {**WHOLE, name: content}, modified=1_600_000_000)
        with bounded(len(content)):
            reading = read(Path(folder), limits=LIMITS)
    assert all(isinstance(error, Unreadable) for error in reading.errors), reading.errors
    assert all(error.path for error in reading.errors if isinstance(error, Unreadable))
    assert all(".." not in run.path.parts for run in reading.runs)
    json.dumps(reading.checkpoints)


def test_the_whole_is_sound() -> None:
    with TemporaryDirectory() as folder:
        put(Path(folder), WHOLE)
        reading = read(Path(folder), limits=LIMITS)
    assert reading.errors == []
    assert {run.run_id for run in reading.runs} == {"r", "s"}
    assert {operation.metric for operation in reading.operations if hasattr(operation, "metric")} >= {
        "loss", "row", "t", "l",
    }  # fmt: skip
    assert [cluster.name for cluster in reading.clusters] == ["cpu"]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_documents_with_other_values(name: str, data: st.DataObject) -> None:
    taken(name, json.dumps(data.draw(altered(DOCUMENTS[name]))).encode())


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_documents_with_damage(name: str, data: st.DataObject) -> None:
    sound = json.dumps(DOCUMENTS[name][0]).encode()
    taken(name, data.draw(damaged((sound, sound.decode().encode("utf-16")))))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(LOGS)), st.data())
def test_logs_with_damage(name: str, data: st.DataObject) -> None:
    taken(name, data.draw(damaged((LOGS[name],))))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.binary(max_size=600))
def test_any_bytes_anywhere(name: str, content: bytes) -> None:
    taken(name, content)


def test_documents_that_nest_deeply() -> None:
    for name in DOCUMENTS:
        for deep in (b"[" * 100_000, b'{"runId":' * 50_000):
            taken(name, deep)
