"""The plugin stands what every plugin has to stand."""

from __future__ import annotations

from pathlib import Path

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_azureml import ingester
from plugins.azureml.tests.builder import details, put

STATUSES = ("Preparing", "Running", "Running", "Completed")


class TestNewLayout(IngesterContract):
    ingester = ingester
    growing = "user_logs/std_log.txt"

    def write(self, folder: Path, part: int) -> None:
        put(folder, {"run_details.json": details("HD_1_0", STATUSES[part], parentRunId="HD_1")})
        append(folder / self.growing, part)
        append(folder / "system_logs/lifecycler/lifecycler.log", part)
        put(folder, {f"outputs/{part}.txt": "x"})


class TestOldLayoutWithoutDetails(IngesterContract):
    ingester = ingester
    growing = "azureml-logs/70_driver_log_0.txt"
    many = 1000

    def write(self, folder: Path, part: int) -> None:
        append(folder / self.growing, part)
        append(folder / "azureml-logs/70_driver_log_1.txt", part)
        with (folder / "azureml-logs/process_status.json").open("a") as file:
            file.write(
                '{"process_name":"worker_1","timestamp":"2019-10-28T22:30:10.764428389Z","status":"Started"}\n'
            )


def append(path: Path, part: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for line in range(20):
            file.write(f"\r {line}%|#\rpart {part} line {line}\n")
            # Each log has a metric of its own: how those of several ranks lie in between each other is nobody's to say.
            file.write(f"Attempted to log scalar metric {path.stem}:\n{part + line / 100}\n")
        file.write("[2020-08-04T22:15:44.407305] no end")
