"""A store that has something for nearly every field of the API, and what can be asked for in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DescribeCluster,
    LogPoints,
    LogRows,
    LogText,
    SetStatus,
)
from graphql_runs.model.records import ClusterNode, LogStream, MetricKind
from graphql_runs.model.run import Queueing, RunFailure, RunWarning
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore
from tests.maintain.filling import fill
from tests.server.queries import Known

MATRIX = {"class_labels": ["cat", "dog"], "matrix": [[5, 1], [2, 7]]}
TABLE = {
    "probability_tables": [[[82, 118, 0, 0], [75, 31, 87, 7], [0, 0, 118, 82]]] * 2,
    "percentile_tables": [[[82, 118, 0, 0], [82, 67, 51, 0]]] * 2,
    "probability_thresholds": [0.0, 0.25, 1.0],
    "percentile_thresholds": [0.0, 0.01],
    "class_labels": ["0", "1"],
}
LOG = "".join(
    f"2023-11-14 22:13:{i % 60:02d} {('INFO', 'WARNING', 'ERROR')[i % 3]} step {i} loss={1 / (i + 1):.4f}\n"
    for i in range(3000)
)
BAR = (
    "".join(f"\rtrain: {i:3d}%|####      | {i}/100 [00:{i // 2:02d}<00:10,  2.00it/s]" for i in range(60))
    + "\n\x1b[1;31mred\x1b[0m \x1b[4;38;5;42mgreen\x1b[0m\n"
)


async def filled(path: Path) -> Store:
    """The store, in a new file."""
    store = await SqliteStore.open(path)
    await fill(store)
    recorder = Recorder(store)
    nodes = (ClusterNode("n1", "running", "child-1", "10.0.0.1", 22), ClusterNode("n2", "idle"))
    await recorder.describe_cluster(
        "home", DescribeCluster("gpus", max_nodes=4, current_nodes=2, nodes=nodes)
    )
    await recorder.record(
        "home",
        [
            LogText("sweep", "user_logs/std_log.txt", LOG.encode(), rank=0),
            LogText("child-2", "user_logs/std_log.txt", BAR.encode(), stream=LogStream.STDERR, rank=1),
            LogPoints("sweep", "long", [1 / (i + 1) for i in range(20_000)], list(range(20_000))),
            LogRows(
                "child-1",
                "matrix",
                payload("confusion_matrix", "1.0.0", MATRIX),
                kind=MetricKind.CONFUSION_MATRIX,
            ),
            LogRows(
                "child-1", "curves", payload("accuracy_table", "1.0.1", TABLE), kind=MetricKind.ACCURACY_TABLE
            ),
            Annotate(
                "child-1",
                display_name="Child",
                tags={"mlflow.source.git.commit": "abc", "mlflow.source.git.branch": "main"},
                params={"lr": "0.01"},
                primary_metric="loss",
                exit_code=3,
                warnings=(RunWarning("slow disk", "node"),),
                error=RunFailure("out of memory", "OOM", "a trace"),
            ),
            Annotate("child-2", params={"lr": "1e-3"}, queueing=Queueing("NoNodes", "wait", None, 2)),
            SetStatus("child-2", RunStatus.QUEUED, "api", original="Queued", detail="in line"),
            AddArtifact("sweep", "outputs/a.png", 5, "image/png", location="file:///a.png"),
        ],
    )
    await recorder.close()
    return store


def payload(kind: str, version: str, data: dict[str, Any]) -> dict[str, list[str]]:
    """The columns of one row with a document of Azure ML."""
    return {"payload": [json.dumps({"schema_type": kind, "schema_version": version, "data": data})]}


def known() -> Known:
    """Names in it, and which go where."""
    runs = ["sweep", "child-1", "child-2", "lone"]
    metrics = ["loss", "big", "fraction", "table", "long", "matrix", "curves"]
    logs = ["logs/out.txt", "user_logs/std_log.txt", "empty.log"]
    named = {
        (
            "run.id",
            "runTree.run",
            "log.run",
            "compare.runs",
            "updateRun.run",
            "record.run",
            "nodes.ids",
        ): runs,
        (
            "metric.name",
            "bestRun.metric",
            "bestChild.metric",
            "compare.metrics",
            "runningBest.metric",
        ): metrics,
        ("linesAround.metric", "record.metric"): metrics,
        ("log.path", "record.path"): logs,
        ("workspace.name", "runs.workspace", "run.workspace", "runTree.workspace"): ["home"],
        ("experiment.name",): ["lab", "other"],
        ("cluster.name",): ["gpus"],
        ("searchLogs.text", "searchLogs.regex"): ["step", "loss=0", "line"],
    }
    places = {place: values for some, values in named.items() for place in some}
    return Known(ids=[*runs], names=[*runs, *metrics, *logs, "home", "empty", "lab", "gpus"], places=places)
