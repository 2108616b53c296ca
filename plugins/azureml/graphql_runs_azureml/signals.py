"""Lines of Azure's logs that tell how a run is doing, for details that are missing or older than the logs.

Wording: the driver of the old layout (`context_manager_injector.py`), the command wrapper of 2022, the execution log, and the
JSON lines of `process_status.json` (read by azureml-core 1.61, `core/script_run.py`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from graphql_runs.model.status import RunStatus, status_from
from graphql_runs.model.time import Micros, from_text

_TIME = re.compile(rb"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(Z?)(\]?)")
_FINALIZING = re.compile(
    rb"The (?:experiment|activity) (completed successfully|failed)\. Finalizing run\.\.\."
)
_RETURNED = re.compile(rb"Command finished with return code (-?\d{1,9})")
_CLEANED = re.compile(
    rb"^Cleanup took [\d.eE+-]{1,40} seconds|Finished context manager injector(?! with Exception)"
)
_INJECTOR_FAILED = re.compile(rb"Finished context manager injector with Exception")
_JOB = re.compile(rb"Job is running, job runstatus is (\w{1,40})")

DRIVER = re.compile(
    rb"Finalizing run\.\.\.|Command finished with return code|Cleanup took |Finished context manager injector"
    rb"|Attempted to log |Traceback \(most recent call last\):"
)
"""Finds the lines of a driver's log that are worth a closer look."""
SYSTEM = re.compile(rb"Job is running, job runstatus is ")
"""The same for the other logs."""
PROCESS = re.compile(rb'"process_name"')
"""The same for `process_status.json`."""

_EXCEPTION = re.compile(rb"[A-Za-z_][\w.]{0,200}(?:: |:?$)")
_FOLLOWING = 10
"""Lines of an exception's message that may follow its first one."""
_DETAIL_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Signal:
    """What a line tells. `outcome`: how the script ended, for lines that follow."""

    status: RunStatus
    outcome: str | None = None
    exit_code: int | None = None
    original: str | None = None


def time_of(line: bytes) -> Micros | None:
    """The time at the start of a line, where Azure wrote it: in brackets, or with a Z after it. What the script's own
    logging writes is in nobody knows which zone."""
    found = _TIME.match(line)
    if found is None or not (found[2] or (found[3] and line.startswith(b"["))):
        return None
    try:
        return from_text(found[1].decode().replace(",", ".") + "Z")
    except ValueError:
        return None


def driver(line: bytes, outcome: str | None) -> Signal | None:
    """What a line of the driver's log tells; `outcome` is what earlier lines told: `completed`, `failed` or None."""
    if found := _FINALIZING.search(line):
        if found[1] == b"failed":
            return Signal(RunStatus.FAILED, "failed")
        return None if outcome == "failed" else Signal(RunStatus.FINALIZING, "completed")
    if found := _RETURNED.search(line):
        code = int(found[1])
        return (
            Signal(RunStatus.FINALIZING, "completed", code)
            if code == 0
            else Signal(RunStatus.FAILED, "failed", code)
        )
    if _INJECTOR_FAILED.search(line):
        return Signal(RunStatus.FAILED, "failed")
    if _CLEANED.search(line) and outcome == "completed":
        return Signal(RunStatus.COMPLETED, outcome)
    return None


def system(line: bytes) -> Signal | None:
    """What a line of an execution log tells."""
    found = _JOB.search(line)
    if found is None:
        return None
    word = found[1].decode("utf-8", "replace")
    status = status_from(word)
    return None if status is RunStatus.UNKNOWN else Signal(status, original=word)


def process(line: bytes) -> tuple[Signal, Micros | None] | None:
    """What a line of `process_status.json` tells: a process failed, or with the name `*` that all have ended."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match entry:
        case {"process_name": str(name), "status": str(word)}:
            status = status_from(word)
        case _:
            return None
    if status is not RunStatus.FAILED and not (name == "*" and status.terminal):
        return None
    try:
        at = from_text(str(entry.get("timestamp", "")))
    except ValueError:
        at = None
    return Signal(status, original=word), at


def traceback_at_end(tail: bytes) -> tuple[bytes, int] | None:
    """The line that names the exception, when a log ends in a traceback, and how many lines after it there are.

    `tail` is the last part of the log. A traceback that the script went on from is followed by other lines.
    """
    start = tail.rfind(b"Traceback (most recent call last):")
    if start < 0:
        return None
    lines = tail[start:].rstrip().split(b"\n")
    for place, line in enumerate(lines[1:], start=1):
        if line.startswith((b" ", b"\t")) or not line.strip():
            continue
        after = len(lines) - place - 1
        if _EXCEPTION.match(line) and after <= _FOLLOWING:
            return line.strip(), after
        return None
    return None


def detail(line: bytes) -> str:
    """A line for the evidence."""
    return line.strip()[:_DETAIL_BYTES].decode("utf-8", "replace")
