"""Where things lie in a run folder, in both layouts of logs, and as `az ml job download` puts them.

Old: `azureml-logs/NN_*.txt` with the script's output in `70_driver_log…`, `logs/azureml/…`. New (2022): `user_logs/std_log*.txt`,
`system_logs/**`. Both: `outputs/**`. The command line puts these below `artifacts/`, and named outputs into `named-outputs/`; of a
sweep it puts the sweep's own below `hd-artifacts/` and those of its best trial below `artifacts/` (azure-ai-ml,
`operations/_job_operations.py`, `download`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from graphql_runs.model.records import LogStream

DETAILS = ("run_details.json", "get_details.json", "details.json", "run.json")
"""Names that details are kept under. The first two can be nothing else, the others are looked into."""
UNMISTAKABLE = frozenset(DETAILS[:2])
PAGE = re.compile(r"(?:runs|children)(?:[._-].*)?\.json", re.DOTALL)
"""Names that lists of runs are kept under, as `runs:query` and `children` of the run history answer; they are looked into."""
MARKERS = frozenset({"azureml-logs", "user_logs", "named-outputs"})
"""A folder with one of these inside, or with `logs/azureml`, is a run."""
LOG_FOLDERS = frozenset({"azureml-logs", "logs", "user_logs", "system_logs"})
OUTPUT_FOLDERS = frozenset({"outputs", "named-outputs"})
CONTENT = LOG_FOLDERS | OUTPUT_FOLDERS
DOWNLOADED = "artifacts"
SWEEP = "hd-artifacts"
_DOWNLOADS = frozenset({DOWNLOADED, SWEEP})
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
    """A file's path in the run, as Azure names it: relative to the run's folder and without `artifacts/` or `hd-artifacts/`."""
    relative = path.relative_to(run)
    parts = relative.parts
    if len(parts) > 2 and parts[0] in _DOWNLOADS and parts[1] in CONTENT:
        return PurePosixPath(*parts[1:])
    return relative


def is_content(inner: tuple[str, ...]) -> bool:
    """Is a folder of a run, by its parts in it, among the run's logs and outputs?"""
    return inner[0] in CONTENT or (inner[0] in _DOWNLOADS and inner[1:2] != () and inner[1] in CONTENT)


def run_of_marker(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """The folder that is a run because the file with these parts lies in one of its log folders, the outermost of them."""
    for place, part in enumerate(parts[:-1]):
        if part in MARKERS or (part == "logs" and parts[place + 1 : -1][:1] == ("azureml",)):
            above = parts[:place]
            return above[:-1] if above and above[-1] in _DOWNLOADS else above
    return None


def sweep_of(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """The folder that a sweep was downloaded to, when the file with these parts is one of the sweep's own."""
    for place, part in enumerate(parts[:-2]):
        if part in CONTENT:
            return None
        if part == SWEEP and parts[place + 1] in CONTENT:
            return parts[:place]
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
