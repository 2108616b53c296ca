"""Experiments."""

import strawberry

from graphql_runs.model import records
from graphql_runs.model.filter import Attribute
from graphql_runs.schema.best import best_run
from graphql_runs.schema.common import KeyValue, pairs
from graphql_runs.schema.connection import After, First
from graphql_runs.schema.context import Info, Loaded
from graphql_runs.schema.field import field
from graphql_runs.schema.names import NameConnection, experiment_names
from graphql_runs.schema.node import Node
from graphql_runs.schema.refs import RunRef, WorkspaceRef
from graphql_runs.schema.runs import Filter, OrderBy, RunConnection, RunPage, Where, equals, run_page
from graphql_runs.schema.scalars import DateTime
from graphql_runs.schema.table import RunTable, experiment_table

Parent = strawberry.Parent[records.Experiment]


def _workspace(root: Parent, info: Info) -> Loaded[records.Workspace]:
    return info.context.load(records.Workspace, root.workspace)


async def _runs(
    root: Parent,
    info: Info,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: First = 50,
    after: After = None,
) -> RunPage:
    scope = equals(Attribute.EXPERIMENT, root.id)
    return await run_page(
        info, first, after, filter, order_by, where=where, scope=scope, workspace=root.workspace
    )


def _portal_url(root: Parent, info: Info) -> str:
    return info.context.url(f"/experiments/{root.id}")


@strawberry.type(description="A named series of runs in a workspace.")
class Experiment(Node):
    name: str = field("Its name, unique in the workspace.")
    description: str | None = field("What people wrote about it.")
    created_at: DateTime = field("When it was first seen.")
    tags: list[KeyValue] = field("Its tags.", of=lambda experiment: pairs(experiment.tags))
    workspace: WorkspaceRef = field("The workspace it is in.", _workspace)
    runs: RunConnection = field("Its runs, child runs included; roots are `parent: {exists: false}`.", _runs)
    run_table: RunTable = field("Its runs by column, a row for each run or group of runs.", experiment_table)
    names: NameConnection = field(
        "The metrics, params, tags or properties that its runs have.", experiment_names
    )
    best_run: RunRef | None = field(
        "The run whose metric is best; null if no run has a finite value of it.", best_run
    )
    portal_url: str = field("The page of this experiment on this server.", _portal_url)
