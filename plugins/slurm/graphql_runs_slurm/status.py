"""What Slurm's states are here, with when and why.

Source of the words: `slurm.h` (enum job_states and the JOB_* flags), sacct(1) and squeue(1), "JOB STATE CODES".
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

from graphql_runs.model.operation import SetStatus
from graphql_runs.model.run import RunFailure
from graphql_runs.model.status import RunStatus
from graphql_runs_slurm.job import AGAIN, BASES, Attempt

STATES = {
    "PENDING": RunStatus.QUEUED,
    "RUNNING": RunStatus.RUNNING,
    "SUSPENDED": RunStatus.PAUSED,
    "COMPLETED": RunStatus.COMPLETED,
    "CANCELLED": RunStatus.CANCELED,
    "FAILED": RunStatus.FAILED,
    "TIMEOUT": RunStatus.FAILED,
    "NODE_FAIL": RunStatus.FAILED,
    "PREEMPTED": RunStatus.CANCELED,
    "BOOT_FAIL": RunStatus.FAILED,
    "DEADLINE": RunStatus.FAILED,
    "OUT_OF_MEMORY": RunStatus.FAILED,
    "REVOKED": RunStatus.CANCELED,
}
"""Base states."""
FLAGS = {
    **dict.fromkeys(sorted(AGAIN), RunStatus.QUEUED),
    "COMPLETING": RunStatus.FINALIZING,
    "STAGE_OUT": RunStatus.FINALIZING,
    "LAUNCH_FAILED": RunStatus.FAILED,
    "RECONFIG_FAIL": RunStatus.FAILED,
    "POWER_UP_NODE": RunStatus.PROVISIONING,
    "CONFIGURING": RunStatus.PREPARING,
    "STOPPED": RunStatus.PAUSED,
}
"""Flags that say more than the base state, the strongest first. Others (SIGNALING, RESIZING, EXPEDITING, …) change nothing."""
GONE = "GONE"
"""Our word for a job that its cluster no longer knows, though nothing said how it ended."""
_NO_OUTPUT = 53
"""What it gives when the output file cannot be opened."""
_OOM = 125
"""What Slurm gives as the signal of a job that ran out of memory."""


def status_of(attempt: Attempt) -> RunStatus:
    """Our status for a state."""
    base = attempt.base
    if base not in BASES:
        return FLAGS.get(base, RunStatus.UNKNOWN)
    flags = attempt.flags if len(attempt.words) > 1 else ()
    return next((status for flag, status in FLAGS.items() if flag in flags), STATES[base])


def statuses(run_id: str, attempts: Sequence[Attempt], source: str) -> Iterator[SetStatus]:
    """All that is known of when the run was in which status, in order."""
    for number, attempt in enumerate(attempts, 1):
        yield from _of_attempt(run_id, attempt, source, number)


def _of_attempt(run_id: str, attempt: Attempt, source: str, number: int) -> Iterator[SetStatus]:
    again = f"attempt {number}" if number > 1 else None
    status = status_of(attempt)
    submitted, started, ended = attempt.submitted, attempt.started, attempt.ended
    yield SetStatus(run_id, RunStatus.QUEUED, source, submitted, original="PENDING", detail=again)
    began = started or ended
    if attempt.eligible is not None and began is not None and (submitted or 0) < attempt.eligible <= began:
        yield SetStatus(
            run_id, RunStatus.QUEUED, source, attempt.eligible, original="PENDING", detail="eligible"
        )
    preparing = status in (RunStatus.PREPARING, RunStatus.PROVISIONING)
    if started is not None and not preparing:
        yield SetStatus(run_id, RunStatus.RUNNING, source, started, original="RUNNING", detail=again)
    if status is RunStatus.QUEUED and not attempt.over:
        return
    if status is RunStatus.RUNNING:
        if started is None:
            yield SetStatus(run_id, status, source, submitted, original=attempt.state)
        elif attempt.suspended is not None and attempt.suspended > started:
            # Slurm keeps the time of the last change only: in a job that runs that of going on.
            yield SetStatus(run_id, status, source, attempt.suspended, original="RUNNING", detail="resumed")
        return
    if status is RunStatus.PAUSED:
        at: int | None = max(attempt.suspended or 0, started or 0) or submitted
    elif preparing:
        at = started or submitted
    else:
        at = ended if attempt.over else None
    gone = attempt.base == GONE
    yield SetStatus(
        run_id,
        status,
        source,
        at,
        reported=not gone,
        original=None if gone else attempt.state,
        detail=why(attempt),
    )


def why(attempt: Attempt) -> str | None:
    """Why an attempt ended as it did, or stands as it does, in words."""
    code, number = attempt.exit_code, attempt.signal
    match attempt.base:
        case "TIMEOUT":
            return "it reached its time limit" + (f" of {duration(attempt.limit)}" if attempt.limit else "")
        case "OUT_OF_MEMORY":
            asked = _memory(attempt)
            return "it used more memory than it was given" + (f" ({asked})" if asked else "")
        case "NODE_FAIL":
            node = attempt.failed_node
            return (
                f"node {node} failed"
                if node
                else f"a node failed ({attempt.nodes})"
                if attempt.nodes
                else "a node failed"
            )
        case "BOOT_FAIL":
            return "a node did not boot"
        case "DEADLINE":
            return "it could not end before its deadline"
        case "PREEMPTED":
            return "it was pushed out by a job of higher priority"
        case "CANCELLED":
            return f"by {attempt.canceled_by}" if attempt.canceled_by else None
        case "FAILED" if number == _NO_OUTPUT:
            return f"signal {number}, which Slurm gives when it cannot open the output file"
        case "FAILED" if number is not None and number != _OOM:
            return f"signal {number}" + (f" ({name})" if (name := _signal_name(number)) else "")
        case "FAILED" if code:
            return f"exit code {code}"
        case "FAILED":
            return attempt.description or attempt.reason or None
        case "GONE":
            return "the cluster no longer knows the job, and nothing says how it ended"
    return None


def failure(attempt: Attempt) -> RunFailure | None:
    """The error of an attempt that failed."""
    if status_of(attempt) is not RunStatus.FAILED:
        return None
    reason = why(attempt)
    message = f"The job failed: {reason}." if reason else "The job failed."
    detail = "; ".join(dict.fromkeys(filter(None, (attempt.reason, attempt.description))))
    return RunFailure(message, attempt.base, detail or None)


def exit_code(attempt: Attempt) -> int | None:
    """What a shell would call the exit code: 128 and the signal for a job that was killed. None where Slurm's says nothing of the job:
    of jobs that Slurm ended, and the 0 that sacct of 22.05 gives for any that failed."""
    if not attempt.over or attempt.base not in ("COMPLETED", "FAILED"):
        return None
    if attempt.signal:
        return 128 + attempt.signal if attempt.signal < 128 else None
    return None if attempt.base == "FAILED" and attempt.exit_code == 0 else attempt.exit_code


def duration(minutes: int) -> str:
    """As Slurm writes times: `30:00`, `2:00:00`, `1-12:00:00`."""
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days}-{hours:02}:{left:02}:00"
    return f"{hours}:{left:02}:00" if hours else f"{left}:00"


def _memory(attempt: Attempt) -> str:
    """The memory that was asked for, out of `cpu=1,mem=50M,node=1`."""
    asked = attempt.facts.get("tres_allocated") or attempt.facts.get("tres_requested") or ""
    return next((part.partition("=")[2] for part in asked.split(",") if part.startswith("mem=")), "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
