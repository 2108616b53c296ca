"""Workspaces, clusters, experiments, metrics, log files and artifacts: the small records of the product.

All are frozen values. Ids are server ids (`model.ids`), times are microseconds since the epoch (`model.time`), sizes are
bytes. A run is in `model.run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from graphql_runs.model.time import Micros


@dataclass(frozen=True, slots=True)
class Workspace:
    """The widest room: everything below it is looked at together."""

    id: str
    name: str
    created_at: Micros
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """One machine of a cluster; `run` is the producer's id of the run on it."""

    name: str
    state: str
    run: str | None = None
    ip: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A compute target: training cluster, SLURM partition, Kubernetes namespace, one machine."""

    id: str
    workspace: str
    name: str
    updated_at: Micros
    kind: str = "cluster"
    state: str = "unknown"
    vm_size: str | None = None
    vm_priority: str | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    current_nodes: int | None = None
    target_nodes: int | None = None
    node_states: Mapping[str, int] = field(default_factory=dict)
    nodes: tuple[ClusterNode, ...] = ()
    portal_url: str | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named series of runs in a workspace."""

    id: str
    workspace: str
    name: str
    created_at: Micros
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class MetricKind(StrEnum):
    """How a metric was logged; the first nine are Azure ML's log calls."""

    SCALAR = "SCALAR"
    LIST = "LIST"
    ROW = "ROW"
    TABLE = "TABLE"
    IMAGE = "IMAGE"
    CONFUSION_MATRIX = "CONFUSION_MATRIX"
    ACCURACY_TABLE = "ACCURACY_TABLE"
    RESIDUALS = "RESIDUALS"
    PREDICTIONS = "PREDICTIONS"
    HISTOGRAM = "HISTOGRAM"
    TEXT = "TEXT"


PAYLOAD = "payload"
"""The column whose texts are JSON documents with a schema (`record.payload`). Metrics of the kinds in PAYLOAD_KINDS have this
column and no other; rows of a HISTOGRAM may have it instead of columns of their own."""
PAYLOAD_KINDS = frozenset(
    {
        MetricKind.CONFUSION_MATRIX,
        MetricKind.ACCURACY_TABLE,
        MetricKind.RESIDUALS,
        MetricKind.PREDICTIONS,
    }
)


class ColumnType(StrEnum):
    """The type of one column of a metric's points."""

    FLOAT = "FLOAT"
    INT = "INT"
    BOOL = "BOOL"
    TEXT = "TEXT"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a metric's points. A scalar metric has the single column `value`."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one run with the summary of all its points, so that runs sort and filter by it without a scan.

    The summary is of the first numeric column. `min`, `max` and `total` are over finite values only; `mean` is
    total / finite. Steps are None until a point has one; a point without a step counts under its row number.
    """

    id: str
    run: str
    root: str
    workspace: str
    experiment: str
    name: str
    kind: MetricKind = MetricKind.SCALAR
    columns: tuple[Column, ...] = ()
    count: int = 0
    finite: int = 0
    total: float = 0.0
    last: float | None = None
    last_at: Micros | None = None
    min: float | None = None
    min_step: float | int | None = None
    max: float | None = None
    max_step: float | int | None = None
    first_step: float | int | None = None
    last_step: float | int | None = None
    non_finite: int = 0
    first_non_finite_step: float | int | None = None

    @property
    def mean(self) -> float | None:
        """Mean of the finite values, None when there are none."""
        return self.total / self.finite if self.finite else None


class LogStream(StrEnum):
    """Which stream of the job a log file holds."""

    STDOUT = "STDOUT"
    STDERR = "STDERR"
    SYSTEM = "SYSTEM"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file of a run. `lines` counts line feeds; `ends_open` says that text follows the last of them."""

    id: str
    run: str
    root: str
    path: str
    stream: LogStream = LogStream.OTHER
    rank: int | None = None
    size: int = 0
    lines: int = 0
    ends_open: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """An output file of a run. Its bytes are a blob of the store (`blob` is its SHA-256 in hex) or, when an ingester found
    it, the file at `location`, read from there on request and never copied."""

    id: str
    run: str
    root: str
    path: str
    size: int
    created_at: Micros
    content_type: str | None = None
    sha256: str | None = None
    blob: str | None = None
    location: str | None = None
