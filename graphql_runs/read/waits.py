"""How long the runs of a cluster waited, and how long they were in which status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import And, Attribute, AttributeField, Compare, Op
from graphql_runs.model.records import Cluster
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.model.time import Micros
from graphql_runs.read.listed import listed
from graphql_runs.read.phases import phases
from graphql_runs.read.table import every_run
from graphql_runs.store.port import Store

RECENT = 30 * 24 * 3600 * 1_000_000
"""Microseconds that are looked back when nothing else is said: 30 days."""
_MOST = 100


@dataclass(frozen=True, slots=True)
class StatusTime:
    """How many runs were in a status, and for how many seconds altogether."""

    status: RunStatus
    runs: int
    seconds: float


async def recent_runs(
    store: Store, cluster: Cluster, since: Micros | None, now: Micros, *, limit: int, field: str
) -> list[Run]:
    """The runs of a cluster that were created since a time. Raises LimitExceeded naming the field when there are more than `limit`."""
    start = now - RECENT if since is None else since
    on = Compare(AttributeField(Attribute.CLUSTER), Op.EQ, cluster.id)
    late = Compare(AttributeField(Attribute.CREATED_AT), Op.GTE, start)
    return await every_run(store, listed(And((on, late))), limit=limit, field=field)


def queue_wait(runs: Sequence[Run], quantiles: Sequence[float], now: Micros) -> list[float] | None:
    """Quantiles of the seconds that runs waited which wait no longer, between neighbours in proportion; None when there are none.

    Raises InvalidInput (field quantiles) when one is not between 0 and 1, or for more than 100.
    """
    if len(quantiles) > _MOST or not all(0 <= quantile <= 1 for quantile in quantiles):
        raise InvalidInput(f"quantiles are at most {_MOST} numbers between 0 and 1", field="quantiles")
    waits = [wait for run in runs if (wait := _wait(run, now)) is not None]
    return np.quantile(waits, quantiles).tolist() if waits else None


def status_times(runs: Sequence[Run], now: Micros) -> list[StatusTime]:
    """How long runs were in which status, in the order of statuses; those that none was in are left out."""
    seconds: dict[RunStatus, float] = {}
    seen: dict[RunStatus, set[str]] = {}
    for run in runs:
        for phase in phases(run, now):
            seconds[phase.status] = seconds.get(phase.status, 0.0) + phase.seconds
            seen.setdefault(phase.status, set()).add(run.id)
    return [
        StatusTime(status, len(seen[status]), seconds[status]) for status in RunStatus if status in seconds
    ]


def _wait(run: Run, now: Micros) -> float | None:
    """What is known of how long a run waited, None for one that still does."""
    if run.status.status_class is StatusClass.PENDING:
        return None
    pending = [phase.seconds for phase in phases(run, now) if phase.status_class is StatusClass.PENDING]
    if pending:
        return sum(pending)
    return None if run.started_at is None else max(0.0, (run.started_at - run.created_at) / 1e6)
