"""Stores with something of everything in them, and all that is in a store as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphql_runs.maintain.mark import WRITER
from graphql_runs.model import ids
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    DescribeCluster,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
    SetStatus,
)
from graphql_runs.model.points import Values
from graphql_runs.model.records import (
    Artifact,
    Cluster,
    Experiment,
    LogFile,
    LogStream,
    Metric,
    MetricKind,
    Workspace,
)
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.store import segment
from graphql_runs.store.port import Store, journal_of
from tests.store.samples import chunks

NAN, INF = float("nan"), float("inf")
HOME = ids.workspace_id("home")


def run_id(name: str) -> str:
    return ids.run_id(HOME, name)


def metric_id(run: str, name: str) -> str:
    return ids.metric_id(run_id(run), name)


def log_id(run: str, path: str) -> str:
    return ids.log_id(run_id(run), path)


async def fill(store: Store) -> None:
    """A sweep with two children, a lone run that is an alias of one of them, a cluster, files, writers that have numbers and notes."""
    recorder = Recorder(store)
    await recorder.create_workspace("home", "a place")
    await recorder.create_workspace("empty")
    await recorder.create_experiment("home", "lab", "tries", {"team": "vision"})
    await recorder.describe_cluster(
        "home", DescribeCluster("gpus", state="steady", node_states={"idle": 2, "busy": 1})
    )
    await recorder.record(
        "home", [DeclareRun("sweep", "lab", "sweep", "test", cluster="gpus", tags={"b": "2", "a": "1"})]
    )
    for child in ("child-1", "child-2"):
        await recorder.record("home", declared(child), writer=f"w-{child}", sequence=0, note=b"\x00note")
        for step in range(6):
            await recorder.record(
                "home", grown(child, step), writer=f"w-{child}", sequence=step + 1, note=b"%d" % step
            )
    blob, size = await store.put_blob(chunks(b"weights ", b"of a model"), limit=1000)
    await recorder.record(
        "home",
        [
            AddArtifact("child-1", "model.bin", size, sha256=blob, blob=blob),
            AddArtifact("child-1", "elsewhere.txt", 5, location="file:///elsewhere.txt"),
            SetStatus("child-1", RunStatus.COMPLETED, "api"),
            Annotate(
                "child-1", params={"lr": "0.1"}, properties={"größe": "XL $.x"}, identities=("slurm:7",)
            ),
        ],
    )
    await recorder.record(
        "home",
        [
            DeclareRun("lone", "other", "lone", "slurm", identities=("slurm:7", "slurm:alpha/7")),
            LogText("lone", "empty.log", b"", complete=True),
            SetStatus("lone", RunStatus.RUNNING, "sacct", at=1),
        ],
    )
    await recorder.close()


def declared(run: str) -> list[RunOperation]:
    return [DeclareRun(run, "lab", run, "test", parent="sweep")]


def grown(run: str, step: int) -> list[RunOperation]:
    """One more batch of points and text of a run; what a metric holds changes its type on the way."""
    table: dict[str, Values] = {"name": ["ä" * step, None], "ok": [True, False], "n": [step, step + 1]}
    if step > 3:
        table["late"] = [1.5, 2.5]
    return [
        LogPoints(run, "loss", [1.0 / (step + 1), NAN if step == 2 else 0.5], steps=[2 * step, 2 * step + 1]),
        LogPoints(run, "big", [2**60 + step if step % 2 else 0.5]),
        LogPoints(run, "fraction", [INF if step else -0.0], steps=[step + 0.5]),
        LogRows(run, "table", table, kind=MetricKind.TABLE),
        LogText(run, "logs/out.txt", b"line %d\nopen " % step, stream=LogStream.STDOUT),
    ]


async def contents(store: Store) -> dict[str, Any]:
    """All that a store holds but its journals, by id; rows one by one, so that it does not matter how they lie in items."""
    found: dict[str, Any] = {}
    for kind in (Workspace, Cluster, Experiment, Run, Metric, LogFile, Artifact):
        found |= {record.id: record for record in await every(store, kind)}
    for metric in await every(store, Metric):
        found[f"{metric.id} rows"] = await rows(store, metric.id)
    for log in await every(store, LogFile):
        found[f"{log.id} rows"] = b"".join([item.data for item in await store.read(log.id, 0)])
    for artifact in await every(store, Artifact):
        if artifact.blob is not None:
            parts = [part async for part in store.read_blob(artifact.blob, 0, artifact.size)]
            found[f"{artifact.id} bytes"] = b"".join(parts)
    for run in await every(store, Run):
        if run.id == run.root:
            positions = await store.all_positions(run.id, first=1000)
            found[f"{run.id} writers"] = [position for position in positions if position.writer != WRITER]
    return found


async def every(store: Store, kind: Any) -> Sequence[Any]:
    found: Sequence[Any] = await store.scan(kind, first=10_000)
    return found


async def rows(store: Store, metric: str) -> list[dict[str, str]]:
    """Each point as text, so that NaN is NaN and 1 is not 1.0."""
    found: list[dict[str, str]] = []
    for item in await store.read(metric, 0):
        points = segment.decode(item.start, item.data)
        columns = {**points.columns, "@at": points.at}
        if points.steps is not None:
            columns["@step"] = points.steps
        found += [{name: repr(values[row]) for name, values in columns.items()} for row in range(len(points))]
    return found


async def journal_end(store: Store, root: str) -> int:
    [end] = await store.ends([journal_of(root)])
    return end


def blob_files(folder: Path) -> list[Path]:
    """The files that hold the blobs of `runs.sqlite`."""
    return [path for path in folder.glob("runs.sqlite.blobs/**/*") if path.is_file() and path.stat().st_size]
