"""What a follower of a run tree is given."""

from __future__ import annotations

from dataclasses import dataclass

from graphql_runs.model.points import Points
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run

MESSAGE_ROWS = 65_536
"""Points of one message, about."""
MESSAGE_BYTES = 1 << 20
"""Log bytes of one message, about."""


@dataclass(frozen=True, slots=True)
class MetricDelta:
    """New points of a metric, rows `[points.start, points.end)`, and the metric with its summary as of now. `run_id` is the
    producer's id of its run."""

    metric: Metric
    points: Points
    run_id: str


@dataclass(frozen=True, slots=True)
class LogDelta:
    """New text of a log file: bytes `[offset, offset + size)`, decoded. Characters are never torn between two deltas. `run_id`
    is the producer's id of its run."""

    log: LogFile
    offset: int
    size: int
    text: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Something between two cursors is not told one by one; what follows starts afresh."""

    from_cursor: str
    to_cursor: str
    reason: str


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """One message of a followed run tree. With `cursor` another follower continues exactly after it.

    runs:      runs that were created or changed, as they are now; at the start all that are followed.
    caught_up: at the time of reading there was nothing further.
    reset:     forget everything held of this tree; a full backfill begins with this message.
    purged:    server ids of runs of the tree that went away for good, followed or not: forget what is held of them. When the
               followed run is among them nothing is left of what was held, and this is the last update.
    """

    cursor: str
    caught_up: bool
    reset: bool
    runs: tuple[Run, ...]
    metrics: tuple[MetricDelta, ...]
    logs: tuple[LogDelta, ...]
    gap: Gap | None = None
    purged: tuple[str, ...] = ()
