from __future__ import annotations

import pytest

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.records import LogFile, LogStream
from graphql_runs.read.logs import main_log, run_logs
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store


def log(path: str, stream: LogStream = LogStream.OTHER, rank: int | None = None) -> LogFile:
    return LogFile(path, "r", "r", path, stream, rank)


@pytest.mark.parametrize(
    ("paths", "main"),
    [
        (["azureml-logs/55_azureml-execution-x.txt", "azureml-logs/65_job_prep-x.txt", "azureml-logs/70_driver_log.txt"], "azureml-logs/70_driver_log.txt"),
        (["azureml-logs/70_driver_log_1.txt", "azureml-logs/70_driver_log_rank_0.txt", "azureml-logs/70_driver_log_rank_10.txt"], "azureml-logs/70_driver_log_rank_0.txt"),
        (["azureml-logs/70_driver_log-worker_1.txt", "azureml-logs/70_driver_log-worker_0.txt"], "azureml-logs/70_driver_log-worker_0.txt"),
        (["azureml-logs/70_driver_log.txt", "user_logs/std_log.txt", "system_logs/lifecycler/lifecycler.log"], "user_logs/std_log.txt"),
        (["user_logs/std_log_process_1.txt", "user_logs/std_log_process_00.txt"], "user_logs/std_log_process_00.txt"),
        (["logs/azureml/job_prep_azureml.log", "b.log", "a.log"], "a.log"),
    ],
)  # fmt: skip
def test_the_log_to_watch_in_azure(paths: list[str], main: str) -> None:
    found = main_log([log(path) for path in paths])
    assert found is not None
    assert found.path == main


def test_the_log_to_watch_elsewhere() -> None:
    logs = [
        log("a.err", LogStream.STDERR),
        log("z_1.out", LogStream.STDOUT, 1),
        log("z_0.out", LogStream.STDOUT, 0),
        log("b.log"),
    ]
    found = main_log(logs)
    assert found is not None
    assert found.path == "z_0.out"
    assert main_log([]) is None


async def test_all_logs_of_a_run(store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs.read.records._CHUNK", 3)
    texts = [LogText("run", f"{number}.log", b"x") for number in range(7)]
    await recorder.record("default", [DeclareRun("run", "e", "run", "test"), *texts])
    found = await run_logs(store, ids.run_id(ids.workspace_id("default"), "run"))
    assert [log.path for log in found] == [f"{number}.log" for number in range(7)]
