"""The log files and outputs of a run, and which log is the one to watch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphql_runs.model.records import LogFile, LogStream
from graphql_runs.read.paths import rank_of, stream_of
from graphql_runs.read.records import every
from graphql_runs.store.port import Store

# Azure Machine Learning's rule (azureml-core 1.61, `Run._stream_run_output`), anchored to a run's own paths.
_AZURE = re.compile(r"(?:^|/)(?:user_logs/std_log\D*0*(?:_ps)?\.txt|azureml-logs/(?P<prefix>\d\d).+\.txt)$")
_PRIMARY = re.compile(r"(?:rank|worker)_0(?!\d)")
_STREAMS = {LogStream.STDOUT: 0, LogStream.OTHER: 1, LogStream.STDERR: 2, LogStream.SYSTEM: 3}


async def run_logs(store: Store, run: str) -> list[LogFile]:
    """Every log file of a run, by path."""
    return await every(store, LogFile, run)


def main_log(logs: Sequence[LogFile]) -> LogFile | None:
    """The log that shows what the user's code prints.

    In an Azure ML run: `user_logs/std_log.txt` before all, then the driver's log (`70_driver_log.txt`), then the one with the
    highest number before its name, and of several ranks `rank_0` or `worker_0`. Otherwise standard output before other files, standard error and system logs, rank 0 (or none)
    first, then by path.
    """
    azure = [(log, found) for log in logs if (found := _AZURE.search(log.path))]
    if azure:
        return min(azure, key=lambda pair: _azure_rank(pair[0].path, pair[1]["prefix"]))[0]
    return min(logs, key=lambda log: (_STREAMS[stream_of(log)], rank_of(log) or 0, log.path), default=None)


def _azure_rank(path: str, prefix: str | None) -> tuple[int, bool, str]:
    # Azure's own rule is the highest number, which is the driver's while it runs; once `75_job_post…` is there it would hide
    # what the user's code printed.
    number = 101 if prefix is None else 100 if prefix == "70" else int(prefix)
    return -number, _PRIMARY.search(path) is None, path
