"""Lists of runs and clusters, followed."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from graphql_runs.live.cluster import ClusterUpdate as ClusterUpdateValue
from graphql_runs.live.cluster import follow_cluster
from graphql_runs.live.runs import RunsUpdate as RunsUpdateValue
from graphql_runs.live.runs import follow_runs
from graphql_runs.model import ids, records
from graphql_runs.model.errors import NotFound
from graphql_runs.model.filter import RunFilter as Condition
from graphql_runs.read import names
from graphql_runs.schema.cluster import Cluster
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.filters import run_filter
from graphql_runs.schema.gap import Gap
from graphql_runs.schema.run import Run
from graphql_runs.schema.runs import Filter, Where

After = Annotated[
    str | None,
    argument(
        "A liveCursor, or the cursor of an earlier message, to go on from. Without it all runs that match come first."
    ),
]
Throttle = Annotated[
    float, argument("Least seconds between two messages; the first change after a pause is told at once.")
]
_CURSOR = "Give it as `after` to go on exactly behind this message, after a lost connection, say."
_CAUGHT_UP = "When this was read, nothing further had happened."
_RESET = "Forget what you hold of this list: it is told again, beginning with this message."
_CHANGED = "Runs that match and are new or changed, as they are now; at the beginning all that match."
_LEFT = (
    "The server's ids of runs that something happened to and that do not match now; ignore those you do not hold. Runs that "
    "were put into the trash or deleted are among them."
)
_GAP = "What this subscription could not be told one by one."


@strawberry.type(description="One message of a followed list of runs.")
class RunsUpdate:
    cursor: str = field(_CURSOR)
    caught_up: bool = field(_CAUGHT_UP)
    reset: bool = field(_RESET)
    changed: list[Run] = field(_CHANGED)
    left: list[strawberry.ID] = field(_LEFT)
    gap: Gap | None = field(_GAP)


@strawberry.type(description="One message of a followed cluster.")
class ClusterUpdate:
    cursor: str = field(_CURSOR, of=lambda update: update.runs.cursor)
    caught_up: bool = field(_CAUGHT_UP, of=lambda update: update.runs.caught_up)
    reset: bool = field(_RESET, of=lambda update: update.runs.reset)
    cluster: Cluster = field("The cluster, as of now.")
    changed: list[Run] = field(_CHANGED, of=lambda update: update.runs.changed)
    left: list[strawberry.ID] = field(_LEFT, of=lambda update: update.runs.left)
    gap: Gap | None = field(_GAP, of=lambda update: update.runs.gap)


async def runs(
    info: Info,
    workspace: Annotated[str, argument("The workspace's name.")],
    filter: Filter = None,
    where: Where = None,
    after: After = None,
    throttle: Throttle = 0.5,
) -> AsyncGenerator[RunsUpdateValue, None]:
    store, bounds = info.context.store, info.context.limits.filters
    home = workspace if ids.kind_of(workspace) == "workspace" else ids.workspace_id(workspace)
    [found] = await store.get(records.Workspace, [home])
    if found is None:
        raise NotFound(f"there is no workspace {workspace[:80]!r}", field="workspace")

    async def condition() -> Condition:
        return await names.resolve(store, run_filter(filter, where, bounds=bounds), home)

    # Once now, so that what is wrong with the filter is said at once.
    await condition()
    trail = info.context.trail
    return trail.along(
        follow_runs(
            store,
            info.context.hub,
            home,
            condition,
            after=trail.after or after,
            throttle=trail.pace(throttle),
        )
    )


async def cluster(
    info: Info,
    id: Annotated[strawberry.ID, argument("The cluster's id.")],
    after: After = None,
    throttle: Throttle = 0.5,
) -> AsyncGenerator[ClusterUpdateValue, None]:
    store = info.context.store
    [found] = await store.get(records.Cluster, [id])
    if found is None:
        raise NotFound(f"there is no cluster {id[:80]!r}", field="id")
    trail = info.context.trail
    return trail.along(
        follow_cluster(
            store, info.context.hub, found, after=trail.after or after, throttle=trail.pace(throttle)
        )
    )
