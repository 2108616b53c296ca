"""Where things lie in a run folder, in both layouts of logs, and as `az ml job download` puts them.

Old: `azureml-logs/NN_*.txt` with the script's output in `70_driver_log…`, `logs/azureml/…`. New (2022): `user_logs/std_log*.txt`,
`system_logs/**`. Both: `outputs/**`. The command line puts these below `artifacts/`, and named outputs into `named-outputs/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from graphql_runs.model.records import LogStream

DETAILS = ("run_details.json", "get_details.json", "details.json", "run.json")
"""Names that details are kept under. The first two can be nothing else, the others are looked into."""
UNMISTAKABLE = frozenset(DETAILS[:2])
MARKERS = frozenset({"azureml-logs", "user_logs"})
"""A folder with one of these inside is a run."""
LOG_FOLDERS = frozenset({"azureml-logs", "logs", "user_logs", "system_logs"})
OUTPUT_FOLDERS = frozenset({"outputs", "named-outputs"})
CONTENT = LOG_FOLDERS | OUTPUT_FOLDERS
DOWNLOADED = "artifacts"
EXECUTION_LOGS = ("55_azureml-execution", "executionlogs.txt")
"""How the names of the logs begin that tell a run's parent and, for pipelines, its progress."""
PROCESS_STATUS = "azureml-logs/process_status.json"
_LOG_SUFFIXES = frozenset({"", ".txt", ".log", ".out", ".err"})
_DRIVER = re.compile(r"azureml-logs/\d\d_driver_log|user_logs/std_log")
_RANK = re.compile(r"(?:rank|process|worker|driver_log|std_log)[_-](\d{1,6})(?!\d)")


@dataclass(frozen=True, slots=True)
class Log:
    """What a log file is by its name. `driver`: it holds what the script printed."""

    stream: LogStream
    rank: int | None
    driver: bool


def inside(run: PurePosixPath, path: PurePosixPath) -> PurePosixPath:
    """A file's path in the run, as Azure names it: relative to the run's folder and without `artifacts/`."""
    relative = path.relative_to(run)
    parts = relative.parts
    if len(parts) > 2 and parts[0] == DOWNLOADED and parts[1] in CONTENT:
        return PurePosixPath(*parts[1:])
    return relative


def run_of_marker(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """The folder that is a run because the file with these parts lies in one of its log folders, the outermost of them."""
    for place, part in enumerate(parts[:-1]):
        if part in MARKERS:
            above = parts[:place]
            return above[:-1] if above and above[-1] == DOWNLOADED else above
    return None


def log_at(path: PurePosixPath) -> Log | None:
    """What log the file at this path in a run is; None when it is none."""
    if len(path.parts) < 2 or path.parts[0] not in LOG_FOLDERS:
        return None
    # Azure's own process_info.json and process_status.json are logs, one JSON object a line. Elsewhere people keep what
    # they like below the log folders (event files, tables, checkpoints).
    if path.suffix not in _LOG_SUFFIXES and not (path.parts[0] == "azureml-logs" and path.suffix == ".json"):
        return None
    if not path.suffix and path.parts[0] == "logs":
        return None
    text = str(path)
    found = _RANK.search(path.stem)
    rank = int(found[1]) if found else None
    if _DRIVER.match(text):
        return Log(LogStream.STDOUT, rank, driver=True)
    user = path.parts[0] == "user_logs" or (path.parts[0] == "logs" and path.parts[1] != "azureml")
    return Log(LogStream.OTHER if user else LogStream.SYSTEM, rank, driver=False)


def is_output(path: PurePosixPath) -> bool:
    """Is the file at this path in a run one of its outputs? Files in log folders that are no logs count, as in Azure."""
    if len(path.parts) < 2:
        return False
    return path.parts[0] in OUTPUT_FOLDERS or (path.parts[0] in LOG_FOLDERS and log_at(path) is None)


def is_metrics(path: PurePosixPath) -> bool:
    """May the file at this path in a run hold metrics in Azure's JSON form?"""
    return str(path) == "metrics.json" or (
        len(path.parts) == 2 and path.parts[0] == "metrics" and path.suffix == ".json"
    )
