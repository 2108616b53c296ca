"""Where a job's output goes: the file name patterns of sbatch(1), filled in."""

from __future__ import annotations

import os.path
import re
from dataclasses import replace

from graphql_runs_slurm.job import Attempt

_PATTERN = re.compile(r"%(\d*)(.)", re.DOTALL)
_WIDEST = 10
DEFAULT = "slurm-%j.out"
"""Where a batch script prints to when nothing is said, in its working directory; tasks of an array to DEFAULT_ARRAY."""
DEFAULT_ARRAY = "slurm-%A_%a.out"
_PATH_BYTES = 4096


def expanded(attempt: Attempt, stdout: str, stderr: str) -> Attempt:
    """The attempt with absolute paths of its output. What stays unclear (a waiting task's) is left empty."""
    out = absolute(attempt, stdout)
    # Slurm gives the same path twice, or none, when both go to one file.
    return replace(attempt, stdout=out, stderr=absolute(attempt, stderr) or out)


def absolute(attempt: Attempt, pattern: str) -> str:
    """A pattern as an absolute path, empty when it is none or holds what nobody knows."""
    if not pattern or "4294967294" in pattern:
        return ""  # NO_VAL in place of the index of a task that waits
    filled = fill(attempt, pattern)
    if not filled.startswith("/"):
        folder = attempt.facts.get("work_dir", "")
        filled = f"{folder}/{filled}" if folder.startswith("/") else ""
    if (
        not filled
        or "\0" in filled
        or "\N{REPLACEMENT CHARACTER}" in filled
        or len(filled.encode()) > _PATH_BYTES
    ):
        return ""
    path = os.path.normpath(filled)
    return "" if path.startswith("/dev/") else path


def fill(attempt: Attempt, pattern: str) -> str:
    """A pattern with its symbols replaced, as sbatch does it for the batch script: `%5j` has leading zeros, a backslash
    anywhere keeps all as it is."""
    if "\\" in pattern:
        return pattern.replace("\\", "")

    def value(found: re.Match[str]) -> str:
        width, symbol = min(int(found[1] or 0), _WIDEST) if len(found[1]) < 5 else _WIDEST, found[2]
        match symbol:
            case "%":
                return "%"
            case "j":
                return str(attempt.id).zfill(width)
            case "J":
                return str(attempt.id)
            case "A":
                return str(attempt.array or attempt.id).zfill(width)
            case "a":
                return str(4294967294 if attempt.task is None else attempt.task).zfill(width)
            case "b":
                return str((attempt.task or 0) % 10).zfill(width)
            case "u":
                return attempt.user
            case "x":
                return attempt.name
            case "N":
                return first_host(attempt.nodes)
            case "n" | "t":
                return "0".zfill(width)
            case "s":
                return "batch"
        return found[0]

    return _PATTERN.sub(value, pattern)


def first_host(nodes: str) -> str:
    """The first name of a host list (`node[07-09],login`), short."""
    found = re.match(r"([^,\[]*)(?:\[(\d+)[^\]]*\]([^,\[]*))?", nodes)
    assert found is not None  # every text begins with nothing
    return (found[1] + (found[2] or "") + (found[3] or "")).partition(".")[0]
