from __future__ import annotations

import pytest

from graphql_runs.model.records import LogFile, LogStream
from graphql_runs.read.paths import rank_of, stream_of


@pytest.mark.parametrize(
    ("path", "rank", "stream"),
    [
        ("user_logs/std_log.txt", None, LogStream.STDOUT),
        ("user_logs/std_log_process_00.txt", 0, LogStream.STDOUT),
        ("user_logs/std_log_process_12.txt", 12, LogStream.STDOUT),
        ("azureml-logs/70_driver_log.txt", None, LogStream.STDOUT),
        ("azureml-logs/70_driver_log_2.txt", 2, LogStream.STDOUT),
        ("azureml-logs/70_driver_log-worker-4.txt", 4, LogStream.STDOUT),
        ("azureml-logs/65_job_prep-tvmps_a.txt", None, LogStream.SYSTEM),
        ("system_logs/lifecycler/lifecycler.log", None, LogStream.SYSTEM),
        ("rank_3/stdout.txt", 3, LogStream.STDOUT),
        ("attempt_0/3/stderr.log", 3, LogStream.STDERR),
        ("logs/node-2/rank5.log", 5, LogStream.OTHER),
        ("slurm-123_4.out", 4, LogStream.STDOUT),
        ("slurm-123.out", None, LogStream.STDOUT),
        ("job.4711.3.out", 3, LogStream.STDOUT),
        ("job.e1234", None, LogStream.STDERR),
        ("global_rank=7.txt", 7, LogStream.OTHER),
        ("train_3.log", 3, LogStream.OTHER),
        ("train.err", None, LogStream.STDERR),
        ("logs/2026_01_31.log", None, LogStream.OTHER),
        ("fold_3.log", None, LogStream.OTHER),
        ("frank_3rd.log", None, LogStream.OTHER),
        ("train_loss_2024.log", None, LogStream.OTHER),
        ("out.txt", None, LogStream.OTHER),
    ],
)
def test_what_a_path_tells(path: str, rank: int | None, stream: LogStream) -> None:
    log = LogFile("l", "r", "r", path)
    assert (rank_of(log), stream_of(log)) == (rank, stream)


def test_the_producer_knows_better() -> None:
    log = LogFile("l", "r", "r", "rank_3/stderr.txt", LogStream.STDOUT, 5)
    assert (rank_of(log), stream_of(log)) == (5, LogStream.STDOUT)
