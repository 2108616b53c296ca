"""What the path of a log file says where its producer did not: which process wrote it, and which stream it is.

Ranks are read from `rank_3`, `worker-3`, `process_3`, `node3`, `gpu3` anywhere in the path, from Azure ML's `std_log_process_03.txt`
and `70_driver_log_3.txt`, torchrun's `attempt_0/3/stdout.log`, Slurm's array tasks (`slurm-123_4.out`) and tasks (`job.123.4.out`), and
a number at the end of a name (`train_3.log`). The last place that names one counts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from graphql_runs.model.records import LogFile, LogStream

_RANK = re.compile(
    r"(?:^|[^a-z0-9])(?:(?:local|global)[-_]?)?(?:rank|worker|node|process|proc|gpu|task|driver_log|std_log)[-_.=]?(\d{1,6})(?!\d)",
    re.IGNORECASE,
)
# The last part of a date, and a number of something else, are no ranks.
_NO_RANK = "".join(
    f"(?<!{word})" for word in (r"\d{4}_\d\d", "epoch", "fold", "trial", "run", "seed", "step", "version")
)
_NUMBERED = re.compile(
    rf"(?:slurm-\d+_(\d{{1,6}})|.*{_NO_RANK}_(\d{{1,3}})|.+\.\d{{2,}}\.(\d{{1,4}}))\.(?:log|out|err|txt)",
    re.IGNORECASE,
)
_TORCHRUN = re.compile(r"(?:^|/)attempt_\d+/(\d{1,6})/[^/]+$")
_STDERR = re.compile(
    r"std_?err|\.err(?:or)?s?(?:\.txt|\.log)?$|\.e\d+$|(?:^|/)errors?\.(?:txt|log)$", re.IGNORECASE
)
_STDOUT = re.compile(
    r"std_?out|\.out(?:\.txt|\.log)?$|\.o\d+$|(?:^|/)user_logs/std_log[^/]*\.txt$|(?:^|/)\d\d_driver_log[^/]*\.txt$", re.IGNORECASE
)  # fmt: skip
_SYSTEM = re.compile(
    r"(?:^|/)(?:system_logs/|azureml-logs/\d\d_|logs/azureml/)|(?:^|/)(?:syslog|dmesg|kern\.log)$"
)


def rank_of(log: LogFile) -> int | None:
    """The rank of the process that writes a log, as its producer said or else as its path tells."""
    return _rank(log.path) if log.rank is None else log.rank


def stream_of(log: LogFile) -> LogStream:
    """The stream that a log holds, as its producer said or else as its path tells."""
    return _stream(log.path) if log.stream is LogStream.OTHER else log.stream


@lru_cache(maxsize=4096)
def _rank(path: str) -> int | None:
    if found := _TORCHRUN.search(path):
        return int(found[1])
    for part in reversed(path.split("/")):
        if found := next(reversed(list(_RANK.finditer(part))), None):
            return int(found[1])
    if found := _NUMBERED.fullmatch(path.rsplit("/", 1)[-1]):
        return int(found[found.lastindex or 0])
    return None


@lru_cache(maxsize=4096)
def _stream(path: str) -> LogStream:
    if _STDERR.search(path):
        return LogStream.STDERR
    if _STDOUT.search(path):
        return LogStream.STDOUT
    return LogStream.SYSTEM if _SYSTEM.search(path) else LogStream.OTHER
