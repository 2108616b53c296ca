"""A run: one job, sweep, pipeline or step, in a tree of its parent and children."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros

STALE_AFTER = 3
"""A run is stale when it missed so many of the heartbeats it announced."""


class Goal(StrEnum):
    """Which way the primary metric is better."""

    MINIMIZE = "MINIMIZE"
    MAXIMIZE = "MAXIMIZE"


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """One statement about a run's status: who said it, when, and whether it was reported by the job's system or derived
    by us (from an exit code, a driver line, a heartbeat). `origin` is the server id of the alias that was told so, None when the run
    itself was. `until` is the last time that the same was said again, None when it was not."""

    status: RunStatus
    at: Micros
    reported: bool
    source: str
    original: str | None = None
    detail: str | None = None
    origin: str | None = None
    until: Micros | None = None


@dataclass(frozen=True, slots=True)
class RunFailure:
    """Why a run failed, as its system says."""

    message: str
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class RunWarning:
    """A warning that the run's system gave."""

    message: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Queueing:
    """Why a run still waits, as its system says."""

    code: str | None = None
    message: str | None = None
    refreshed_at: Micros | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the store keeps it: everything but its metrics, logs and outputs.

    `id` is the server's, `run_id` the producer's. `workspace`, `experiment`, `cluster`, `parent` and `root` are server
    ids; a root run is its own `root` and has depth 0. A `placeholder` was named as a parent before anything declared it.
    A run with `trashed_at` is in the trash since then: lists leave it out unless they are asked for it. `identities` are what
    other sources know it by too (`slurm:cluster/4242`). A run with `alias_of` is another source's view of the run of that server id,
    its principal, which is no alias itself: lists leave it out, too.
    """

    id: str
    run_id: str
    workspace: str
    experiment: str
    root: str
    number: int
    name: str
    source: str
    created_at: Micros
    status: RunStatus
    status_at: Micros
    parent: str | None = None
    depth: int = 0
    display_name: str | None = None
    description: str | None = None
    kind: str | None = None
    cluster: str | None = None
    target: str | None = None
    submitted_by: str | None = None
    original_status: str | None = None
    evidence: tuple[StatusEvidence, ...] = ()
    error: RunFailure | None = None
    warnings: tuple[RunWarning, ...] = ()
    queueing: Queueing | None = None
    started_at: Micros | None = None
    ended_at: Micros | None = None
    heartbeat_at: Micros | None = None
    heartbeat_seconds: float | None = None
    cancel_requested_at: Micros | None = None
    exit_code: int | None = None
    primary_metric: str | None = None
    primary_metric_goal: Goal | None = None
    portal_url: str | None = None
    placeholder: bool = False
    trashed_at: Micros | None = None
    identities: tuple[str, ...] = ()
    alias_of: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def stale_at(self) -> Micros | None:
        """The run is stale after this time unless it gives another sign of life: a heartbeat (data counts as one) or a status.
        None for a run that announced no heartbeats or that has ended."""
        if self.heartbeat_seconds is None or self.status.terminal:
            return None
        sign = max(self.created_at, self.status_at, self.heartbeat_at or 0)
        return sign + int(STALE_AFTER * self.heartbeat_seconds * 1e6)
