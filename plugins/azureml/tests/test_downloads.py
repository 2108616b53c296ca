"""What `az ml job download` puts into folders, written by azure-ai-ml itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphql_runs.model.operation import AddArtifact
from graphql_runs.model.records import LogStream
from plugins.azureml.tests.builder import Reading, details, put, read, reasons
from plugins.azureml.tests.written import ML_VERSIONS, downloaded

STDOUT = "epoch 1: löss 0.5\n".encode()
OUTPUTS = {"outputs/model.bin": 256, "outputs/plots/loss.png": 4}
NAMED = {
    "named-outputs/model/weights.bin": 7,
    "named-outputs/model/sub/config.json": 2,
    "named-outputs/scores/scores.csv": 8,
}


@pytest.fixture(params=list(ML_VERSIONS))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what one version downloaded."""
    shutil.copytree(downloaded(request.param), tmp_path, dirs_exist_ok=True)
    return tmp_path


def artifacts(reading: Reading, run_id: str) -> dict[str, int | None]:
    return {one.path: one.size for one in reading.of(AddArtifact, run_id)}


def logs_of_a_job(reading: Reading, run_id: str) -> None:
    assert reading.log(run_id, "user_logs/std_log.txt") == STDOUT
    assert reading.stream(run_id, "user_logs/std_log.txt") is LogStream.STDOUT
    assert reading.log(run_id, "system_logs/lifecycler/lifecycler.log").endswith(b"lifecycler: start\n")
    assert reading.log(run_id, "system_logs/cs_capability/cs-capability.log").endswith(b"INFO cs\n")


def test_a_job_with_all_its_outputs(source: Path) -> None:
    reading = read(source / "jobs" / "train")
    assert {run.run_id for run in reading.runs} == {"train"}
    logs_of_a_job(reading, "train")
    assert artifacts(reading, "train") == OUTPUTS | NAMED
    assert reading.errors == []
    assert reading.skipped == []


def test_a_job_with_its_logs_and_default_outputs(source: Path) -> None:
    reading = read(source / "plain")
    logs_of_a_job(reading, "train")
    assert artifacts(reading, "train") == OUTPUTS


def test_one_output_alone_is_a_run_too(source: Path) -> None:
    reading = read(source / "named")
    assert {run.run_id for run in reading.runs} == {"train"}
    assert artifacts(reading, "train") == {path: NAMED[path] for path in NAMED if "/model/" in path}


def test_a_pipeline_has_no_other_logs_than_the_services(source: Path) -> None:
    reading = read(source / "jobs")
    assert b"runstatus is Running" in reading.log("pipeline", "logs/azureml/executionlogs.txt")
    assert reading.run("pipeline").parent is None


def test_a_sweep_and_its_best_trial_lie_in_one_folder(source: Path) -> None:
    reading = read(source / "jobs")
    assert {run.run_id for run in reading.runs} == {"train", "pipeline", "sweep", "sweep_best"}
    assert b"Experiment created" in reading.log("sweep", "azureml-logs/hyperdrive.txt")
    assert reading.log("sweep", "user_logs/std_log.txt") == b""
    logs_of_a_job(reading, "sweep_best")
    assert reading.run("sweep_best").parent == "sweep"
    # Azure gives the sweep the named outputs of its best trial.
    assert artifacts(reading, "sweep") == NAMED
    assert artifacts(reading, "sweep_best") == OUTPUTS
    assert reading.errors == []


def test_the_details_of_a_sweep_name_its_best_trial(source: Path) -> None:
    about = details("sweep", properties={"best_child_run_id": "sweep_3"}, rootRunId="sweep")
    put(source / "jobs" / "sweep", {"run_details.json": about})
    # Its details may lie elsewhere.
    put(source / "jobs" / "x", {"run.json": details("sweep_3", parentRunId="sweep", displayName="best")})
    reading = read(source / "jobs")
    logs_of_a_job(reading, "sweep_3")
    assert artifacts(reading, "sweep_3") == OUTPUTS
    assert reading.run("sweep_3").display_name == "best"
    assert {run.root_id for run in reading.runs if run.run_id == "sweep_3"} == {"sweep"}
    assert reasons(reading.skipped) == []


def test_a_trial_with_details_beside_its_files(source: Path) -> None:
    put(source / "jobs" / "sweep" / "artifacts", {"run_details.json": details("the-trial")})
    logs_of_a_job(read(source / "jobs"), "the-trial")


def test_what_a_job_kept_that_looks_like_a_download_is_its_own(source: Path) -> None:
    inner = "artifacts/outputs/inner"
    put(
        source / "jobs" / "train",
        {f"{inner}/hd-artifacts/azureml-logs/a.txt": "x", f"{inner}/runs.json": [details("no-run")]},
    )
    reading = read(source / "jobs" / "train")
    assert {run.run_id for run in reading.runs} == {"train"}
    assert "outputs/inner/hd-artifacts/azureml-logs/a.txt" in artifacts(reading, "train")
