"""What a producer can say about runs. Mutations and ingesters speak in these; `record/` is the only one that listens.

Run ids here are the producer's (`runId`), unique in their workspace. Times are microseconds since the epoch, None where
the producer gave none (the server's time of arrival is used). All operations of one delivery lie in one run tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphql_runs.model.points import Values
from graphql_runs.model.records import ClusterNode, LogStream, MetricKind
from graphql_runs.model.run import Goal, Queueing, RunFailure, RunWarning
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros


@dataclass(frozen=True, slots=True)
class DeclareRun:
    """A run exists. The first one creates it; later ones fill what was unknown and update what may change.

    `parent` and `root` are producer ids in the same workspace; a parent not seen yet becomes a placeholder. The parent
    is fixed when the run is created. `experiment` and `cluster` are names and are created when missing. `identities` are what other
    sources may know the run by too, each `<system>:<id>` as in `slurm:cluster/4242`; runs of different sources that share one are
    one run (docs/ingesters.md).

    Fields left out of `repr` came later: they count for the content of a call only when they are given, so that a repetition of
    what was written before an upgrade is still recognised.
    """

    run_id: str
    experiment: str
    name: str
    source: str
    parent: str | None = None
    root: str | None = None
    display_name: str | None = None
    description: str | None = None
    kind: str | None = None
    cluster: str | None = None
    target: str | None = None
    submitted_by: str | None = None
    created_at: Micros | None = None
    heartbeat_seconds: float | None = None
    primary_metric: str | None = None
    primary_metric_goal: Goal | None = None
    portal_url: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    identities: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class LogPoints:
    """Points of one metric with a single column `value`.

    Shapes: `values`, `steps` and `at` are of one length n >= 1. `steps` is int64 or float64, `at` int64 microseconds.
    """

    run_id: str
    metric: str
    values: Values
    steps: Values | None = None
    at: Values | None = None
    kind: MetricKind = MetricKind.SCALAR


@dataclass(frozen=True, slots=True)
class LogRows:
    """Rows of one metric with named, typed columns (Azure's `log_row` and `log_table`).

    Shapes: every column has the same length n >= 1; columns are float64, int64, bool or text, None is allowed. The kinds in
    PAYLOAD_KINDS have the one column `payload` of JSON documents, which are checked against their schema; an IMAGE may have a
    column `path` that names an artifact of the run.
    """

    run_id: str
    metric: str
    columns: Mapping[str, Values]
    steps: Values | None = None
    at: Values | None = None
    kind: MetricKind = MetricKind.ROW


@dataclass(frozen=True, slots=True)
class LogText:
    """Bytes a job printed, to be put at the end of one of its log files. They are kept as they are.

    `complete` says that the file will not grow any more.
    """

    run_id: str
    path: str
    data: bytes
    stream: LogStream | None = None
    rank: int | None = None
    complete: bool | None = None


@dataclass(frozen=True, slots=True)
class SetStatus:
    """A run is, or was, in a status. `reported` by its system, or derived by the one who says it; `source` names where
    it was read (file and line, or `api`); `original` is the foreign word when it is not ours. `origin` is the server id of the alias
    that was told so; producers leave it out."""

    run_id: str
    status: RunStatus
    source: str
    at: Micros | None = None
    reported: bool = True
    original: str | None = None
    detail: str | None = None
    origin: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Annotate:
    """Facts about a run. Tags, params and properties are merged by key, identities are added; None leaves a field as it is, and an
    empty Queueing says that the run waits no more."""

    run_id: str
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    remove_tags: Sequence[str] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    started_at: Micros | None = None
    ended_at: Micros | None = None
    heartbeat_at: Micros | None = None
    exit_code: int | None = None
    error: RunFailure | None = None
    warnings: tuple[RunWarning, ...] | None = None
    queueing: Queueing | None = None
    cluster: str | None = None
    target: str | None = None
    primary_metric: str | None = None
    primary_metric_goal: Goal | None = None
    portal_url: str | None = None
    cancel_requested_at: Micros | None = None
    submitted_by: str | None = field(default=None, repr=False)
    identities: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class AddArtifact:
    """A run has an output file: a blob of the store (`blob`, SHA-256 in hex) or a file that stays at `location`."""

    run_id: str
    path: str
    size: int
    content_type: str | None = None
    sha256: str | None = None
    blob: str | None = None
    location: str | None = None
    created_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class TrashRun:
    """A run goes to the trash with everything below it that is not there yet. What comes in later is written all the same."""

    run_id: str


@dataclass(frozen=True, slots=True)
class RestoreRun:
    """A run comes back from the trash, with everything that went there with it. One that lies below a trashed run cannot."""

    run_id: str


@dataclass(frozen=True, slots=True)
class UniteRun:
    """A run is an alias of the run of that server id, or on its own again (None). `record/` finds that out and says it."""

    run_id: str
    principal: str | None


RunOperation = (
    DeclareRun
    | LogPoints
    | LogRows
    | LogText
    | SetStatus
    | Annotate
    | AddArtifact
    | TrashRun
    | RestoreRun
    | UniteRun
)
"""Anything that lies in one run tree."""


@dataclass(frozen=True, slots=True)
class DescribeCluster:
    """A cluster as its system shows it now; fields left None keep their value. Lies outside run trees."""

    name: str
    kind: str | None = None
    state: str | None = None
    vm_size: str | None = None
    vm_priority: str | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    current_nodes: int | None = None
    target_nodes: int | None = None
    node_states: Mapping[str, int] | None = None
    nodes: tuple[ClusterNode, ...] | None = None
    portal_url: str | None = None
