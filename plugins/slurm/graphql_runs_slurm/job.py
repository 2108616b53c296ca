"""One attempt of a job, whichever command and version told of it, and putting together what several commands told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from graphql_runs.model.time import Micros

ENDED = frozenset(
    {
        "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY",
        "REVOKED",
    }
)  # fmt: skip
BASES = ENDED | {"PENDING", "RUNNING", "SUSPENDED"}
"""Base states of slurm.h (`enum job_states`); any other word is a flag."""
AGAIN = frozenset({"REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
"""Flags of an attempt that another one follows."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a job: a requeued job has several, told apart by their time of submission.

    id:         the job id; every task of an array has its own once it started.
    array:      the array's job id; `task` the index, or `waiting` the indices of those that wait together (`2-9,12%2`).
    het:        the leader's job id of a heterogeneous job; `offset` the component.
    uid:        the user's number, None where it is not known for sure.
    words:      the state as Slurm writes it: a base state and flags.
    limit:      minutes.
    stdout:     absolute path, empty when it is not known; likewise `stderr`.
    evaluated:  when the scheduler last looked at it.
    facts:      everything else that is shown, by name.
    sure:       it came as JSON, so that every value is where it belongs.
    """

    id: int
    cluster: str = ""
    array: int | None = None
    task: int | None = None
    waiting: str = ""
    het: int | None = None
    offset: int | None = None
    name: str = ""
    user: str = ""
    uid: int | None = None
    account: str = ""
    partition: str = ""
    words: tuple[str, ...] = ()
    reason: str = ""
    description: str = ""
    submitted: Micros | None = None
    eligible: Micros | None = None
    started: Micros | None = None
    ended: Micros | None = None
    suspended: Micros | None = None
    exit_code: int | None = None
    signal: int | None = None
    limit: int | None = None
    priority: int | None = None
    canceled_by: str = ""
    nodes: str = ""
    failed_node: str = ""
    stdout: str = ""
    stderr: str = ""
    evaluated: Micros | None = field(default=None, compare=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    sure: bool = True

    @property
    def base(self) -> str:
        """The base state: the first word that is one, else the first word."""
        return next((word for word in self.words if word in BASES), self.words[0] if self.words else "")

    @property
    def flags(self) -> frozenset[str]:
        """The other words of the state."""
        return frozenset(self.words) - {self.base}

    @property
    def state(self) -> str:
        """The state as people write it: `CANCELLED+COMPLETING`."""
        return "+".join(self.words)

    @property
    def over(self) -> bool:
        """Whether this attempt is at its end, COMPLETING or not."""
        return self.base in ENDED or bool(self.flags & AGAIN) or self.base in AGAIN


@dataclass(frozen=True, slots=True)
class Key:
    """What a run stands for: a job, a task of an array (`8_3`) or a component of a heterogeneous job (`15+1`)."""

    root: int
    part: str = ""

    @property
    def text(self) -> str:
        """As Slurm writes it."""
        return f"{self.root}{self.part}"


def key_of(attempt: Attempt) -> Key:
    """The run that an attempt belongs to. One that stands for waiting tasks belongs to the array."""
    if attempt.array:
        return Key(attempt.array, "" if attempt.task is None else f"_{attempt.task}")
    if attempt.het and attempt.offset:
        return Key(attempt.het, f"+{attempt.offset}")
    return Key(attempt.id)


def checked(attempt: Attempt) -> Attempt:
    """Without times that are only expected: of a start while it waits, of an end while it runs."""
    base = attempt.base
    started, ended = attempt.started, attempt.ended
    if not attempt.over:
        ended = None
    if base == "PENDING" and not attempt.over:
        started = None
    if started is not None and attempt.over and not attempt.nodes:
        started = None  # it was cancelled before it started, which Slurm gives as the start, too
    return replace(attempt, started=started, ended=ended)


def merged(older: Attempt, newer: Attempt) -> Attempt:
    """One attempt that two commands told of: `newer` counts wherever it says something."""
    changes = {
        one.name: value
        for one in fields(Attempt)
        if (value := getattr(newer, one.name)) not in (None, "", ()) and one.name != "facts"
    }
    if older.over and newer.over and older.ended is not None:
        changes["ended"] = older.ended  # the time of an end does not move
    if newer.words and not newer.over and older.over:
        # The other command is behind.
        for name in ("words", "ended", "exit_code", "signal"):
            changes[name] = getattr(older, name)
    return replace(older, **changes, facts={**older.facts, **newer.facts})
