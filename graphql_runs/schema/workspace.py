"""Workspaces."""

from typing import Annotated

import strawberry

from graphql_runs.model import ids, records
from graphql_runs.model.filter import Attribute
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read.records import find_run
from graphql_runs.schema.cluster import Cluster
from graphql_runs.schema.connection import After, Connection, First, Page, named_page
from graphql_runs.schema.context import Info, Loaded
from graphql_runs.schema.experiment import Experiment
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.names import NameConnection, workspace_names
from graphql_runs.schema.node import Node
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import one_cluster, settled
from graphql_runs.schema.runs import Filter, OrderBy, RunConnection, RunPage, Where, equals, run_page
from graphql_runs.schema.scalars import DateTime
from graphql_runs.schema.table import RunTable, workspace_table

Parent = strawberry.Parent[records.Workspace]


async def _clusters(
    root: Parent, info: Info, first: First = 50, after: After = None
) -> Page[records.Cluster]:
    return await named_page(info.context, records.Cluster, root.id, first, after)


async def _cluster(
    root: Parent, info: Info, name: Annotated[str, argument("The cluster's name.")]
) -> records.Cluster | None:
    return await one_cluster(info, ids.cluster_id(root.id, name), root.id)


async def _experiments(
    root: Parent,
    info: Info,
    contains: Annotated[str | None, argument("Only names with this text; ASCII letters in any case.")] = None,
    first: First = 50,
    after: After = None,
) -> Page[records.Experiment]:
    return await named_page(info.context, records.Experiment, root.id, first, after, contains=contains)


def _experiment(
    root: Parent, info: Info, name: Annotated[str, argument("The experiment's name.")]
) -> Loaded[records.Experiment]:
    return info.context.load(records.Experiment, ids.experiment_id(root.id, name))


async def _run(
    root: Parent,
    info: Info,
    run_id: Annotated[str, argument("The id its producer gave it, or the server's.")],
) -> RunRecord | None:
    run = await find_run(info.context.store, run_id, root.name, field="runId")
    return None if run is None else (await settled(info, [run]))[0]


async def _runs(
    root: Parent,
    info: Info,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: First = 50,
    after: After = None,
) -> RunPage:
    scope = equals(Attribute.WORKSPACE, root.id)
    return await run_page(info, first, after, filter, order_by, where=where, scope=scope, workspace=root.id)


@strawberry.type(description="The widest room: clusters, experiments and runs that are looked at together.")
class Workspace(Node):
    name: str = field("Its name.")
    description: str | None = field("What people wrote about it.")
    created_at: DateTime = field("When it was first seen.")
    clusters: Connection[Cluster] = field("Its clusters, by name.", _clusters)
    cluster: Cluster | None = field("One cluster, by name.", _cluster)
    experiments: Connection[Experiment] = field("Its experiments, by name.", _experiments)
    experiment: Experiment | None = field("One experiment, by name.", _experiment)
    run: RunRef | None = field("One run, by id.", _run)
    runs: RunConnection = field("Its runs, child runs included; roots are `parent: {exists: false}`.", _runs)
    run_table: RunTable = field("Its runs by column, a row for each run or group of runs.", workspace_table)
    names: NameConnection = field(
        "The metrics, params, tags or properties that its runs have.", workspace_names
    )
