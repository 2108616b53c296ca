"""Run statuses: the 15 of Azure Machine Learning v1 plus UNKNOWN, their classes, and how other tools' words map in.

Source of the states and of which are terminal: azureml-core 1.61, `_restclient/constants.py::RunStatus` and the docstring
of `Run.get_status`. Order between statuses is by time, never by rank.
"""

from __future__ import annotations

from enum import StrEnum


class StatusClass(StrEnum):
    """What a status means for somebody who waits."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    POST_PROCESSING = "POST_PROCESSING"
    TERMINAL = "TERMINAL"


class RunStatus(StrEnum):
    """The state of a run."""

    NOT_STARTED = "NOT_STARTED"
    STARTING = "STARTING"
    PROVISIONING = "PROVISIONING"
    PREPARING = "PREPARING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    UNAPPROVED = "UNAPPROVED"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    NOT_RESPONDING = "NOT_RESPONDING"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    FINALIZING = "FINALIZING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"

    @property
    def status_class(self) -> StatusClass:
        """The class of this status. An unknown one counts as active, as Azure's own SDK treats it."""
        return _CLASSES[self]

    @property
    def terminal(self) -> bool:
        """True for COMPLETED, FAILED and CANCELED."""
        return _CLASSES[self] is StatusClass.TERMINAL


_CLASSES = {
    RunStatus.NOT_STARTED: StatusClass.PENDING,
    RunStatus.STARTING: StatusClass.PENDING,
    RunStatus.PROVISIONING: StatusClass.PENDING,
    RunStatus.PREPARING: StatusClass.PENDING,
    RunStatus.QUEUED: StatusClass.PENDING,
    RunStatus.UNAPPROVED: StatusClass.PENDING,
    RunStatus.RUNNING: StatusClass.ACTIVE,
    RunStatus.PAUSING: StatusClass.ACTIVE,
    RunStatus.PAUSED: StatusClass.ACTIVE,
    RunStatus.NOT_RESPONDING: StatusClass.ACTIVE,
    RunStatus.UNKNOWN: StatusClass.ACTIVE,
    RunStatus.CANCEL_REQUESTED: StatusClass.POST_PROCESSING,
    RunStatus.FINALIZING: StatusClass.POST_PROCESSING,
    RunStatus.COMPLETED: StatusClass.TERMINAL,
    RunStatus.FAILED: StatusClass.TERMINAL,
    RunStatus.CANCELED: StatusClass.TERMINAL,
}

# Words of other trackers, folded to letters only. Our own and Azure's spellings need no entry.
_FOREIGN = {
    "scheduled": RunStatus.QUEUED,
    "pending": RunStatus.QUEUED,
    "created": RunStatus.NOT_STARTED,
    "submitted": RunStatus.STARTING,
    "configuring": RunStatus.PREPARING,
    "started": RunStatus.RUNNING,
    "inprogress": RunStatus.RUNNING,
    "active": RunStatus.RUNNING,
    "completing": RunStatus.FINALIZING,
    "cancelling": RunStatus.CANCEL_REQUESTED,
    "canceling": RunStatus.CANCEL_REQUESTED,
    "stopping": RunStatus.CANCEL_REQUESTED,
    "suspended": RunStatus.PAUSED,
    "preempting": RunStatus.PAUSING,
    "finished": RunStatus.COMPLETED,
    "success": RunStatus.COMPLETED,
    "succeeded": RunStatus.COMPLETED,
    "done": RunStatus.COMPLETED,
    "error": RunStatus.FAILED,
    "failure": RunStatus.FAILED,
    "crashed": RunStatus.FAILED,
    "timeout": RunStatus.FAILED,
    "outofmemory": RunStatus.FAILED,
    "nodefail": RunStatus.FAILED,
    "bootfail": RunStatus.FAILED,
    "deadline": RunStatus.FAILED,
    "killed": RunStatus.CANCELED,
    "cancelled": RunStatus.CANCELED,
    "preempted": RunStatus.CANCELED,
    "interrupted": RunStatus.CANCELED,
    "stopped": RunStatus.CANCELED,
    "aborted": RunStatus.CANCELED,
}
_OWN = {status.replace("_", "").lower(): status for status in RunStatus}


def status_from(word: str) -> RunStatus:
    """Our status for any tracker's word for one (`Running`, `NotResponding`, `FINISHED`, …); UNKNOWN for words we do not
    know. Keep the original word beside it."""
    folded = "".join(letter for letter in word.lower() if letter.isalpha())
    return _OWN.get(folded) or _FOREIGN.get(folded, RunStatus.UNKNOWN)
