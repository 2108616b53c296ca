"""Following a cluster: its record, and the runs on it that are not over."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from graphql_runs.live.hub import Hub
from graphql_runs.live.runs import RunsUpdate, follow_runs
from graphql_runs.model.filter import And, Attribute, AttributeField, Compare, Op, RunFilter
from graphql_runs.model.records import Cluster
from graphql_runs.model.status import StatusClass
from graphql_runs.read.listed import listed
from graphql_runs.store.port import Store

_UNFINISHED = tuple(str(found) for found in StatusClass if found is not StatusClass.TERMINAL)
_LOOK_AGAIN = 1.0
"""Seconds; a store need not tell when another process described a cluster, since no run tree is touched by it."""


@dataclass(frozen=True, slots=True)
class ClusterUpdate:
    """One message of a followed cluster: the cluster as it is now, and what became of its runs."""

    cluster: Cluster
    runs: RunsUpdate


async def follow_cluster(
    store: Store,
    hub: Hub,
    cluster: Cluster,
    *,
    after: str | None = None,
    throttle: float = 0.5,
) -> AsyncGenerator[ClusterUpdate]:
    """A cluster and its runs that are not over; a run that ends is among those that left.

    `after` and `throttle` are those of `follow_runs`, with the same errors.
    """
    seen = cluster

    async def changed() -> bool:
        nonlocal seen
        before = seen
        [found] = await store.get(Cluster, [cluster.id])
        seen = found or seen
        return seen != before

    async def where() -> RunFilter:
        return listed(
            And(
                (
                    Compare(AttributeField(Attribute.CLUSTER), Op.EQ, cluster.id),
                    Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, _UNFINISHED),
                )
            )
        )

    updates = follow_runs(
        store,
        hub,
        cluster.workspace,
        where,
        after=after,
        throttle=throttle,
        beside=changed,
        look_again=_LOOK_AGAIN,
    )
    try:
        async for update in updates:
            yield ClusterUpdate(seen, update)
    finally:
        await updates.aclose()
