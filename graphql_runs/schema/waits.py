"""How long runs wait for a cluster, and what they do there."""

from typing import Annotated

import strawberry

from graphql_runs.model import records
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import now
from graphql_runs.read import waits
from graphql_runs.schema import enums as enums
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.scalars import DateTime

Parent = strawberry.Parent[records.Cluster]
Since = Annotated[
    DateTime | None, argument("Only runs created since then; of the last 30 days if not given.")
]
_HALF_AND_NINE_TENTHS = [0.5, 0.9]


@strawberry.type(description="How long runs were in a status.")
class StatusTime:
    status: RunStatus = field("The status.")
    runs: int = field("How many runs were in it.")
    seconds: float = field("How long they were, all together; those that still are, until now.")


async def queue_wait(
    root: Parent,
    info: Info,
    quantiles: Annotated[
        list[float], argument("Which quantiles, from 0 (the shortest wait) to 1 (the longest).")
    ] = _HALF_AND_NINE_TENTHS,
    since: Since = None,
) -> list[float] | None:
    limit, at = info.context.limits.group_runs, now()
    runs = await waits.recent_runs(info.context.store, root, since, at, limit=limit, field="queueWait")
    return waits.queue_wait(runs, quantiles, at)


async def status_times(root: Parent, info: Info, since: Since = None) -> list[waits.StatusTime]:
    limit, at = info.context.limits.group_runs, now()
    runs = await waits.recent_runs(info.context.store, root, since, at, limit=limit, field="statusTimes")
    return waits.status_times(runs, at)
