"""The sweep as its users see it: a process, and the files it leaves."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphql_runs.demo import sweep_command


def details(folder: Path) -> dict[str, dict[str, Any]]:
    """Every run document below FOLDER, by run id."""
    documents = (json.loads(path.read_text()) for path in folder.glob("azureml/*/run_details.json"))
    return {document["runId"]: document for document in documents}


def rows(path: Path) -> list[dict[str, float]]:
    """A JSONL file; each of its lines has to be whole."""
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def snapshot(folder: Path) -> dict[Path, bytes]:
    """The files of runs and jobs below FOLDER."""
    files = [*folder.glob("azureml/HD_*/**/*"), *folder.glob("jobs/**/*")]
    return {file: file.read_bytes() for file in files if file.is_file()}


def raw(path: Path) -> str:
    """Text with its carriage returns."""
    return path.read_bytes().decode()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the sweep did not get there"
        time.sleep(0.05)


def check_confusion_matrix(path: Path, samples: int) -> None:
    artifact = json.loads(path.read_text())
    assert (artifact["schema_type"], artifact["schema_version"]) == ("confusion_matrix", "1.0.0")
    matrix = np.array(artifact["data"]["matrix"])
    assert matrix.shape == (10, 10) == (len(artifact["data"]["class_labels"]),) * 2
    assert matrix.sum() == samples


def check_log(text: str, progress: str) -> None:
    """Log lines with a time and a level, and bars that were redrawn in place."""
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO \w+: ", text, re.MULTILINE)
    assert text.count("\r" + progress) >= 2 * text.count("100%|██████████| ") > 0


def check_completed_child(folder: Path, run: dict[str, Any], layout: str) -> float:
    """Outputs and log of a child; its best accuracy."""
    metrics = rows(folder / "outputs/metrics.jsonl")
    steps = [row["step"] for row in metrics if "train/loss" in row]
    assert steps == list(range(1, len(steps) + 1))
    losses = [row["train/loss"] for row in metrics if "train/loss" in row]
    assert np.mean(losses[-20:]) < np.mean(losses[:20])
    assert all(a["step"] <= b["step"] and a["time"] <= b["time"] for a, b in itertools.pairwise(metrics))
    check_confusion_matrix(folder / "outputs/confusion_matrix.json", 359)
    with np.load(folder / "outputs/model.npz") as model:
        assert model["weight0"].shape == (64, int(run["runDefinition"]["arguments"][3]))
        assert all(np.isfinite(model[name]).all() for name in model.files)
    log = raw(folder / layout)
    check_log(log, "epoch ")
    assert "The experiment completed successfully. Finalizing run..." in log
    assert log.count("INFO train: epoch=") == sum("val/accuracy" in row for row in metrics)
    return max(row["val/accuracy"] for row in metrics if "val/accuracy" in row)


def check_failed_child(folder: Path, run: dict[str, Any]) -> None:
    losses = [row["train/loss"] for row in rows(folder / "outputs/metrics.jsonl") if "train/loss" in row]
    assert math.isfinite(losses[0])
    assert any(not math.isfinite(loss) for loss in losses)
    error = run["error"]["error"]
    assert error["code"] == "UserError"
    assert "FloatingPointError" in error["message"]
    log = (folder / "azureml-logs/70_driver_log.txt").read_text()
    assert "Traceback (most recent call last):" in log
    assert "The experiment failed. Finalizing run..." in log
    assert not (folder / "outputs/model.npz").exists()


def check_jobs(folder: Path) -> None:
    baseline, evaluate = sorted((folder / "jobs").iterdir())
    assert baseline.name.startswith("baseline-")
    with (baseline / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["epoch", "step", "train_loss", "val_acc"]
    assert all((row["train_loss"] == "") != (row["val_acc"] == "") for row in table)
    assert [int(row["step"]) for row in table] == sorted(int(row["step"]) for row in table)
    assert float([row["val_acc"] for row in table if row["val_acc"]][-1]) > 0.5
    check_log(raw(baseline / "stdout.log"), "Epoch ")
    noisy = rows(evaluate / "metrics.jsonl")
    assert [row["step"] for row in noisy] == list(range(len(noisy)))
    assert noisy[0]["test/accuracy"] > 0.8 > noisy[-1]["test/accuracy"]
    check_confusion_matrix(evaluate / "confusion_matrix.json", 360)
    check_log(raw(evaluate / "stdout.log"), "noise levels:")


def check_cluster_empty(folder: Path) -> None:
    cluster = json.loads((folder / "azureml/cluster.json").read_text())
    assert cluster["nodes"] == []
    assert cluster["allocationState"] == "Steady"
    assert cluster["currentNodeCount"] == cluster["targetNodeCount"] == 0
    assert set(cluster["nodeStateCounts"].values()) == {0}


def test_a_sweep_writes_what_real_jobs_write(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    process = subprocess.Popen(sweep_command(folder, seconds=4, children=4))
    trained_at_once, queued = 0, False
    while process.poll() is None:
        # Every document is whole at any moment, and two nodes take two runs.
        statuses = [run["status"] for run in details(folder).values() if run["parentRunId"]]
        trained_at_once = max(trained_at_once, statuses.count("Running"))
        queued = queued or "Queued" in statuses
        time.sleep(0.02)
    assert process.returncode == 0
    assert trained_at_once == 2
    assert queued

    runs = details(folder)
    (parent,) = (run for run in runs.values() if run["parentRunId"] is None)
    children = [runs[f"{parent['runId']}_{k}"] for k in range(4)]
    assert len(runs) == 5
    assert parent["status"] == "Completed"
    assert [run["status"] for run in children] == ["Completed", "Failed", "Completed", "Completed"]
    for run in runs.values():
        assert run["createdUtc"] < run["startTimeUtc"] < run["endTimeUtc"]
        assert run["rootRunId"] == parent["runId"]
        assert "queueingInfo" not in run
        home = folder / "azureml" / run["runId"]
        assert run["logFiles"]
        assert all((home / name).is_file() for name in run["logFiles"])
    for run in children:
        options = json.loads(parent["tags"][f"_aml_system_{run['runId']}"])
        assert run["runDefinition"]["arguments"] == [str(x) for pair in options.items() for x in pair]

    home = folder / "azureml"
    new, old = "user_logs/std_log.txt", "azureml-logs/70_driver_log.txt"
    scores = {
        children[k]["runId"]: check_completed_child(home / children[k]["runId"], children[k], log)
        for k, log in {0: new, 2: new, 3: old}.items()
    }
    check_failed_child(home / children[1]["runId"], children[1])
    best = parent["tags"]["best_child_run_id"]
    assert scores[best] == max(scores.values()) == float(parent["properties"]["score"])
    metric = json.loads(parent["tags"]["primary_metric_config"])
    assert metric == {"name": "val/accuracy", "goal": "maximize"}
    events = (home / parent["runId"] / "azureml-logs/hyperdrive.txt").read_text()
    assert events.startswith("<START>[")
    assert events.count("Scheduling job, id=") == 4
    check_jobs(folder)
    check_cluster_empty(folder)
    assert not [file for file in folder.rglob(".*") if file.name != ".sweep.lock"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to handle and no lock")
def test_killed_and_stopped_sweeps_leave_the_folder_usable(tmp_path: Path) -> None:
    def training() -> int:
        """How many children have written metrics."""
        return sum(path.stat().st_size > 0 for path in tmp_path.glob("azureml/*/outputs/metrics.jsonl"))

    killed = subprocess.Popen(sweep_command(tmp_path, seconds=60, children=4))
    wait_for(lambda: training() == 2)
    refused = subprocess.run(
        sweep_command(tmp_path, seconds=60, children=4), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "another sweep is writing to" in refused.stderr
    killed.kill()
    killed.wait()
    # Its jobs notice that they are orphans, and say so in their logs.
    logs = ["azureml/*_0/user_logs/std_log.txt", "azureml/*_1/azureml-logs/70*", "jobs/baseline-*/stdout.log"]
    wait_for(lambda: all("stopped before" in raw(next(tmp_path.glob(log))) for log in logs))
    before = snapshot(tmp_path)
    old = details(tmp_path)
    assert {run["status"] for run in old.values()} == {"Running", "Queued"}

    stopped = subprocess.Popen(sweep_command(tmp_path, seconds=60, children=4))
    wait_for(lambda: training() == 4)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(20) == 128 + signal.SIGTERM
    after = snapshot(tmp_path)
    assert {path: after[path] for path in before} == before
    new = {run_id: run for run_id, run in details(tmp_path).items() if run_id not in old}
    assert len(new) == 5
    assert {run["status"] for run in new.values()} == {"Canceled"}
    assert all(run["endTimeUtc"] >= run["createdUtc"] for run in new.values())
    check_cluster_empty(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--children", "3"], "--children: must be from 4 to 32, not 3"),
        (["--seconds", "nan"], "--seconds: must be from 1 to 86400, not nan"),
        (["--seed", "-1"], "--seed: must be from 0 to 4294967295, not -1"),
    ],
)
def test_a_bad_option_is_named_and_nothing_written(tmp_path: Path, options: list[str], message: str) -> None:
    command = [*sweep_command(tmp_path / "runs", seconds=60, children=4), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    command = sweep_command(tmp_path / "file", seconds=60, children=4)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: cannot write to {tmp_path / 'file'}")


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, graphql_runs.demo; print([m for m in ('numpy', 'sklearn') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert os.fspath(sweep_command(Path("runs"), 5.0, 4)[0]) == sys.executable
