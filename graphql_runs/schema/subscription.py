"""What clients follow live."""

from collections.abc import AsyncGenerator

import strawberry

from graphql_runs.schema import enums as enums
from graphql_runs.schema.field import subscription
from graphql_runs.schema.log_update import LogUpdate, log
from graphql_runs.schema.runs_update import ClusterUpdate, RunsUpdate, cluster, runs
from graphql_runs.schema.tree_update import RunTreeUpdate, run_tree


@strawberry.type(description="What clients follow live.")
class Subscription:
    run_tree: AsyncGenerator[RunTreeUpdate, None] = subscription(
        "Everything that happens in a run and below it, on one resumable cursor: what is there first, then live.",
        run_tree,
    )
    runs: AsyncGenerator[RunsUpdate, None] = subscription(
        "A list of runs: what matches first, then which runs change and which leave, whatever the reason.",
        runs,
    )
    cluster: AsyncGenerator[ClusterUpdate, None] = subscription(
        "A cluster with its queued and active runs; finished ones leave.", cluster
    )
    log: AsyncGenerator[LogUpdate, None] = subscription(
        "A log file as a terminal shows it: its last lines first, then live.", log
    )
