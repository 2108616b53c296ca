"""What an Azure ML node writes around the user's script, in the layout of logs before and after 2022.

The old layout has numbered files under ``azureml-logs/``; the new one ``user_logs/std_log.txt`` for the
script and ``system_logs/`` for the rest. Wording follows the logs in Azure ML's tutorials.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from graphql_runs.demo.cluster import VM_SIZE
from graphql_runs.demo.files import append, timestamp


@dataclass(frozen=True, slots=True)
class Job:
    """Where and what a node runs: FOLDER is the run's, SCRIPT with ARGUMENTS the user's."""

    folder: Path
    run_id: str
    parent_run_id: str
    target: str
    node_id: str
    script: str
    arguments: Sequence[str]


class Layout(Protocol):
    """Writes the node's lines at each stage of a job."""

    main_log: str
    """Path of the log that holds the script's output, below the run's folder."""

    def prepare(self, job: Job) -> None:
        """The node has the job."""

    def launch(self, job: Job) -> None:
        """The script is about to start."""

    def exited(self, job: Job, code: int) -> None:
        """The script ended with exit code CODE."""

    def release(self, job: Job, seconds: float, files: int) -> None:
        """FILES outputs were collected in SECONDS; the node is free."""


class OldLayout:
    """``azureml-logs/55_azureml-execution…``, ``65_job_prep…``, ``70_driver_log.txt``, ``75_job_post…``."""

    main_log = "azureml-logs/70_driver_log.txt"

    def prepare(self, job: Job) -> None:
        """Execution log and preparation."""
        _write(
            job.folder / f"azureml-logs/55_azureml-execution-{job.node_id}.txt",
            f"{_rfc3339()} Starting output-watcher...",
            f"{_rfc3339()} RunId:[{job.run_id}] ParentRunId:[{job.parent_run_id}] ComputeTarget:[AmlCompute]",
            f"{_rfc3339()} Job environment preparation succeeded on {job.node_id}.",
        )
        _write(
            job.folder / f"azureml-logs/65_job_prep-{job.node_id}.txt",
            f"[{_now()}] Entering job preparation.",
            f"[{_now()}] Starting job preparation.",
            f"[{_now()}] Extracting the control code.",
            f"[{_now()}] Job preparation is complete.",
        )

    def launch(self, job: Job) -> None:
        """The driver's opening lines."""
        arguments = list(job.arguments)
        inject = [
            "ProjectPythonPath:context_managers.ProjectPythonPath",
            "RunHistory:context_managers.RunHistory",
        ]
        _write(
            job.folder / self.main_log,
            f"[{_now()}] Entering context manager injector.",
            "[context_manager_injector.py] Command line Options: "
            f"Namespace(inject={inject}, invocation={[job.script, *arguments]})",
            "Starting the daemon thread to refresh tokens in background "
            f"for process with pid = {os.getpid()}",
            "Entering Run History Context Manager.",
            f"Preparing to call script [ {job.script} ] with arguments: {arguments}",
            f"After variable expansion, calling script [ {job.script} ] with arguments: {arguments}",
            "",
        )

    def exited(self, job: Job, code: int) -> None:
        """The driver's verdict."""
        outcome = "failed" if code else "completed successfully"
        _write(
            job.folder / self.main_log,
            "",
            f"The experiment {outcome}. Finalizing run...",
            "Logging experiment finalizing status in history service.",
            "Cleaning up all outstanding Run operations, waiting 300.0 seconds",
        )

    def release(self, job: Job, seconds: float, files: int) -> None:
        """Cleaning up, and the release of the node."""
        _write(
            job.folder / self.main_log,
            f"{files} items cleaning up...",
            f"Cleanup took {seconds} seconds",
        )
        _write(
            job.folder / f"azureml-logs/75_job_post-{job.node_id}.txt",
            f"[{_now()}] Entering job release",
            f"[{_now()}] Starting job release",
            f"[{_now()}] Logging experiment finalizing status in history service.",
            f"[{_now()}] Job release is complete",
        )


class NewLayout:
    """``user_logs/std_log.txt`` and ``system_logs/lifecycler/…``."""

    main_log = "user_logs/std_log.txt"

    def prepare(self, job: Job) -> None:
        """The node's agent takes the job."""
        logs = job.folder / "system_logs/lifecycler"
        _write(
            logs / "vm-bootstrapper.log",
            f"{timestamp()}  INFO vm_bootstrapper: Starting on node {job.node_id}",
            f"{timestamp()}  INFO vm_bootstrapper: Working directory is ready",
        )
        _write(
            logs / "lifecycler.log",
            f"{timestamp()}  INFO lifecycler: Job is running, job runstatus is Queued",
            f'{timestamp()}  INFO lifecycler: run_id: "{job.run_id}", target: "{job.target}"',
        )

    def launch(self, job: Job) -> None:
        """The wrapper's and the driver's opening lines."""
        command = " ".join(["python", job.script, *job.arguments])
        _write(
            job.folder / "system_logs/lifecycler/execution-wrapper.log",
            f'{timestamp()}  INFO execution_wrapper: vm_size: Some("{VM_SIZE}"), node: Some("{job.node_id}")',
            f"{timestamp()}  INFO execution_wrapper: Starting user command",
        )
        _write(
            job.folder / self.main_log,
            f"[{_now()}] Entering context manager injector.",
            "Script type = COMMAND",
            f"[{_now()}] Command={command}",
            f"[{_now()}] Entering Run History Context Manager.",
            f"[{_now()}] Starting Linux command : {command}",
        )

    def exited(self, job: Job, code: int) -> None:
        """The driver's verdict and the wrapper's."""
        outcome = "failed" if code else "completed successfully"
        _write(
            job.folder / self.main_log,
            f"[{_now()}] Command finished with return code {code}",
            "",
            f"[{_now()}] The experiment {outcome}. Finalizing run...",
            "Cleaning up all outstanding Run operations, waiting 900.0 seconds",
        )
        level = "ERROR" if code else " INFO"
        _write(
            job.folder / "system_logs/lifecycler/execution-wrapper.log",
            f"{timestamp()} {level} execution_wrapper: User command exited with status {code}",
        )

    def release(self, job: Job, seconds: float, files: int) -> None:
        """Cleaning up, and the release of the node."""
        _write(
            job.folder / self.main_log,
            f"{files} items cleaning up...",
            f"Cleanup took {seconds} seconds",
            f"[{_now()}] Finished context manager injector.",
        )
        _write(
            job.folder / "system_logs/lifecycler/lifecycler.log",
            f"{timestamp()}  INFO lifecycler: Job released from node {job.node_id}",
        )


def _write(path: Path, *lines: str) -> None:
    append(path, "".join(line + "\n" for line in lines))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _rfc3339() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
