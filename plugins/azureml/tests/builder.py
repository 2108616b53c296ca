"""Run folders as Azure ML's SDK, studio and command line leave them, small and ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from graphql_runs.ingest.api import Context, Delivery, File, Limits, RunFolder, Skipped, Tree, Unit
from graphql_runs.model.operation import (
    DeclareRun,
    DescribeCluster,
    LogPoints,
    LogText,
    RunOperation,
    SetStatus,
)
from graphql_runs.model.points import Values
from graphql_runs.model.records import LogStream
from graphql_runs_azureml import AzureMLIngester
from graphql_runs_azureml.ingester import AzureMLConfig

T = TypeVar("T")
CREATED, STARTED, ENDED = (
    "2020-08-04T22:14:01.1234567Z",
    "2020-08-04T22:15:44.407305Z",
    "2020-08-04T22:17:02.9Z",
)
SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"
DRIVER = """\
[2020-08-04T22:15:44.407305] Entering context manager injector.
[context_manager_injector.py] Command line Options: Namespace(inject=['RunHistory'], invocation=['hello.py'])
Starting the daemon thread to refresh tokens in background for process with pid = 31263
Entering Run History Context Manager.
Preparing to call script [ hello.py ] with arguments: []
After variable expansion, calling script [ hello.py ] with arguments: []

hello
"""
COMPLETED = """\
The experiment completed successfully. Finalizing run...
Cleaning up all outstanding Run operations, waiting 300.0 seconds
11 items cleaning up...
Cleanup took 3.240373134613037 seconds
"""


def signed(path: str) -> str:
    """A shared-access URL as `logFiles` has them."""
    return f"https://store.example/azureml/ExperimentRun/dcid.x/{path}?sv=2019-02-02&sr=b&sig={SECRET}%3D&se=2020-08-05"


def details(run_id: str, status: object = "Completed", **fields: object) -> dict[str, object]:
    """What `Run.get_details()` gives, with fields of the run document where they are asked for."""
    found: dict[str, object] = {
        "runId": run_id,
        "target": "cpu-cluster",
        "status": status,
        "startTimeUtc": STARTED,
        "properties": {
            "_azureml.ComputeTargetType": "amlcompute",
            "ContentSnapshotId": "9f3dd135-59b3-4d4a-8f11-53194114d968",
            "azureml.git.branch": "main",
            "azureml.git.commit": "0123456789abcdef0123456789abcdef01234567",
            "azureml.git.dirty": "False",
            "ProcessInfoFile": "azureml-logs/process_info.json",
            "ProcessStatusFile": "azureml-logs/process_status.json",
        },
        "inputDatasets": [],
        "outputDatasets": [],
        "runDefinition": {
            "script": "hello.py",
            "arguments": [],
            "target": "cpu-cluster",
            "framework": "Python",
        },
        "logFiles": {"azureml-logs/70_driver_log.txt": signed("azureml-logs/70_driver_log.txt")},
        "submittedBy": "a.person",
        "experimentName": "digits",
    }
    if status in ("Completed", "Failed", "Canceled"):
        found["endTimeUtc"] = ENDED
    return {name: value for name, value in (found | fields).items() if value is not ...}


def put(folder: Path, files: Mapping[str, object], modified: float | None = None) -> Path:
    """Write files below a folder: texts and bytes as they are, everything else as JSON. `modified` in Unix seconds."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        if modified is not None:
            os.utime(path, (modified, modified))
    return folder


def old_run(folder: Path, run_id: str, **fields: object) -> Path:
    """A completed run in the layout of logs before 2022."""
    node = "tvmps_" + "7c64ad71" * 8 + "_d"
    return put(
        folder,
        {
            "run_details.json": details(run_id, **fields),
            f"azureml-logs/55_azureml-execution-{node}.txt": f"2020-08-04T22:14:40Z RunId:[{run_id}] ParentRunId:[] ComputeTarget:[AmlCompute]\n",
            f"azureml-logs/65_job_prep-{node}.txt": "[2020-08-04T22:15:20.1] Entering job preparation.\n",
            "azureml-logs/70_driver_log.txt": DRIVER + COMPLETED,
            f"azureml-logs/75_job_post-{node}.txt": "[2020-08-04T22:16:58.3] Job release is complete\n",
            "azureml-logs/process_info.json": '{"process_name":"main","node_id":"n","log":"azureml-logs/70_driver_log.txt"}\n',
            "azureml-logs/process_status.json": '{"process_name":"main","timestamp":"2020-08-04T22:15:41.1Z","status":"Started"}\n',
            "logs/azureml/129_azureml.log": "2020-08-04 22:15:45,001|azureml|DEBUG|Installed with mlflow\n",
            "outputs/model.pkl": b"\x80\x04model",
        },
    )


def new_run(folder: Path, run_id: str, **fields: object) -> Path:
    """A completed run in the layout of logs since 2022."""
    return put(
        folder,
        {
            "run_details.json": details(run_id, **fields),
            "user_logs/std_log.txt": "hello\n[2022-03-01T10:00:09.5] Command finished with return code 0\n"
            "[2022-03-01T10:00:09.6] The experiment completed successfully. Finalizing run...\n"
            "Cleanup took 0.5 seconds\n",
            "system_logs/lifecycler/execution-wrapper.log": '2022-03-01T10:00:00Z INFO vm_size: Some("STANDARD_D1_V2")\n',
            "system_logs/lifecycler/lifecycler.log": "2022-03-01T09:59:00Z  INFO lifecycler: start\n",
            "system_logs/cs_capability/cs-capability.log": "2022-03-01T09:59:00Z  INFO cs\n",
            "outputs/plots/loss.png": b"\x89PNG",
        },
    )


def sweep(source: Path, parent: str = "HD_1", children: int = 3) -> Path:
    """A HyperDrive parent and its children beside it."""
    hyperparameters = {
        f"_aml_system_{parent}_{k}": json.dumps({"--lr": 0.1 * (k + 1), "--units": 2**k})
        for k in range(children)
    }
    put(
        source / parent,
        {
            "run_details.json": details(
                parent,
                runType="hyperdrive",
                rootRunId=parent,
                parentRunId=None,
                runDefinition=...,
                tags={
                    **hyperparameters,
                    "_aml_system_primary_metric_config": json.dumps({"name": "accuracy", "goal": "maximize"}),
                    "_aml_system_generator_config": json.dumps(
                        {"name": "RANDOM", "parameter_space": {"--lr": ["choice", [[0.1]]]}}
                    ),
                    "_aml_system_policy_config": json.dumps({"name": "DEFAULT"}),
                },
            ),
            "azureml-logs/hyperdrive.txt": "<START>[2020-08-04T22:14:05.1Z][API][INFO]Experiment created<END>",
        },
    )
    for k in range(children):
        child = f"{parent}_{k}"
        arguments = ["--lr", "$lr", "--epochs", 5]
        old_run(
            source / child,
            child,
            runType="azureml.scriptrun",
            rootRunId=parent,
            parentRunId=parent,
            runDefinition={"script": "train.py", "arguments": arguments},
        )
    return source


def tree_of(source: Path, name: str = "source") -> Tree:
    """The source as the host finds it."""
    files = []
    for path in source.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found = path.stat()
            relative = PurePosixPath(path.relative_to(source).as_posix())
            files.append(File(relative, found.st_size, found.st_mtime_ns, found.st_ino))
    return Tree(source, name, tuple(sorted(files, key=lambda file: file.path.parts)))


@dataclass
class Reading:
    """What was read of a source, in order. `checkpoints` go on from it."""

    operations: list[RunOperation] = field(default_factory=list)
    clusters: list[DescribeCluster] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    checkpoints: dict[str, Mapping[str, object]] = field(default_factory=dict)
    runs: list[RunFolder] = field(default_factory=list)

    def of(self, kind: type[T], run_id: str | None = None) -> list[T]:
        """Operations of one kind, and of one run."""
        return [
            operation
            for operation in self.operations
            if isinstance(operation, kind) and (run_id is None or operation.run_id == run_id)
        ]

    def run(self, run_id: str) -> DeclareRun:
        """All declarations of a run taken together, as the server takes them."""
        found: dict[str, object] = {}
        maps: dict[str, dict[str, str]] = {"tags": {}, "params": {}, "properties": {}}
        for declared in self.of(DeclareRun, run_id):
            for name in DeclareRun.__dataclass_fields__:
                value = getattr(declared, name)
                if name in maps:
                    maps[name].update(value)
                elif value is not None:
                    found[name] = value
        return DeclareRun(**found, **maps)  # type: ignore[arg-type]  # the fields of that class

    def log(self, run_id: str, path: str) -> bytes:
        """The whole log."""
        return b"".join(text.data for text in self.of(LogText, run_id) if text.path == path)

    def stream(self, run_id: str, path: str) -> LogStream | None:
        """Which stream the log is said to be."""
        [found] = {text.stream for text in self.of(LogText, run_id) if text.path == path}
        return found

    def statuses(self, run_id: str, *, reported: bool) -> list[SetStatus]:
        """What was reported of a run's status, or derived."""
        return [status for status in self.of(SetStatus, run_id) if status.reported is reported]


def read(
    source: Path,
    checkpoints: Mapping[str, Mapping[str, object]] | None = None,
    *,
    ingester: AzureMLIngester | None = None,
    limits: Limits | None = None,
) -> Reading:
    """Read all that is there, from checkpoints of an earlier reading on."""
    plugin = ingester or AzureMLIngester()
    tree = tree_of(source)
    runs = tuple(plugin.runs(tree))
    tree = Tree(tree.folder, tree.name, tree.files, runs)
    context = Context(tree, AzureMLConfig(), limits or Limits())
    reading = Reading(checkpoints=dict(checkpoints or {}), runs=list(runs))
    for unit in plugin.units(tree):
        try:
            for delivery in deliveries(plugin, unit, reading.checkpoints.get(unit.key), context):
                reading.operations += delivery.operations
                reading.clusters += delivery.clusters
                reading.skipped += delivery.skipped
                reading.checkpoints[unit.key] = json.loads(json.dumps(delivery.checkpoint))
        except Exception as error:
            reading.errors.append(error)
    return reading


def deliveries(
    plugin: AzureMLIngester, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
) -> Iterator[Delivery]:
    """What the plugin delivers of one unit."""
    yield from plugin.read(unit, checkpoint, context)


def reasons(skipped: Sequence[Skipped]) -> list[str]:
    """Their texts."""
    return [entry.reason for entry in skipped]


def same(values: Values, expected: Sequence[float]) -> bool:
    """Are these the numbers, NaN included?"""
    return np.array_equal(np.asarray(values, dtype=np.float64), expected, equal_nan=True)


def points(reading: Reading, name: str) -> list[float]:
    """All values of a metric."""
    return [
        float(value)
        for found in reading.of(LogPoints)
        if found.metric == name
        for value in found.values
        if value is not None
    ]
