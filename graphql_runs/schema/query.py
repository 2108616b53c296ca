"""Where every query starts."""

from typing import Annotated, Any

import strawberry

from graphql_runs.model import ids, records
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read.records import KINDS, find_run
from graphql_runs.schema.compare import ComparedSeries, compared
from graphql_runs.schema.connection import After, Connection, First, Page, named_page
from graphql_runs.schema.context import Context, Info, Loaded
from graphql_runs.schema.explain import RunsPlan, explain_runs
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.node import Node
from graphql_runs.schema.run import Run
from graphql_runs.schema.run_edge import cursor_of_workspace, settled
from graphql_runs.schema.runs import Filter, OrderBy, RunConnection, RunPage, Where, run_page
from graphql_runs.schema.selection import selects
from graphql_runs.schema.server import Server
from graphql_runs.schema.table import RunTable, run_table
from graphql_runs.schema.viewer import Viewer, ViewerType
from graphql_runs.schema.workspace import Workspace


async def _record(info: Info, id: str) -> Any:
    kind = ids.kind_of(id)
    if kind == "source":
        return next((source for source in info.context.sources() if source.id == id), None)
    found: Any = None if kind is None else await info.context.get(KINDS[kind], id)
    if isinstance(found, RunRecord):
        [found] = await settled(info, [found])
    elif isinstance(found, records.Cluster) and selects(info, "liveCursor"):
        await cursor_of_workspace(info.context, found.workspace)
        info.context.forget(id)
        found = await info.context.get(records.Cluster, id)
    return found


async def _node(info: Info, id: Annotated[strawberry.ID, argument("The server's id.")]) -> Any:
    return await _record(info, id)


async def _nodes(info: Info, ids: Annotated[list[strawberry.ID], argument("The server's ids.")]) -> list[Any]:
    bounded(len(ids), info.context.limits.ids, "ids")
    return [await _record(info, id) for id in ids]


def _workspace(
    info: Info, name: Annotated[str, argument("The workspace's name.")]
) -> Loaded[records.Workspace]:
    return info.context.load(records.Workspace, ids.workspace_id(name))


async def _workspaces(info: Info, first: First = 50, after: After = None) -> Page[records.Workspace]:
    return await named_page(info.context, records.Workspace, "", first, after)


async def _run(
    info: Info,
    id: Annotated[strawberry.ID, argument("The server's id, or the one its producer gave it.")],
    workspace: Annotated[
        str | None,
        argument("The name of its workspace; needed when two workspaces have a run of that producer's id."),
    ] = None,
) -> RunRecord | None:
    run = await find_run(info.context.store, id, workspace)
    return None if run is None else (await settled(info, [run]))[0]


async def _runs(
    info: Info,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: First = 50,
    after: After = None,
) -> RunPage:
    return await run_page(info, first, after, filter, order_by, where=where)


def _server(info: Info) -> Context:
    return info.context


def _viewer(info: Info) -> Viewer:
    return info.context.viewer


@strawberry.type(description="Where every query starts.")
class Query:
    node: Node | None = field("Whatever has this id.", _node)
    nodes: list[Node | None] = field(
        "Whatever has these ids, in the order given; null for an unknown one.", _nodes
    )
    workspace: Workspace | None = field("One workspace, by name.", _workspace)
    workspaces: Connection[Workspace] = field("All workspaces, by name.", _workspaces)
    run: Run | None = field("One run, by id.", _run)
    runs: RunConnection = field(
        "Runs of all workspaces, child runs included; roots are `parent: {exists: false}`.", _runs
    )
    run_table: RunTable = field(
        "Runs by column, a row for each run or group of runs: up to 1000 rows with the values that are asked for and nothing else.",
        run_table,
    )
    compare: list[ComparedSeries] = field(
        "Curves of many runs in one request: by metric in the order asked, then by run or group, those given first or the newest first.",
        compared,
    )
    explain_runs: RunsPlan = field("How the same list as `runs` is found, and what that costs.", explain_runs)
    server: Server = field("This server.", _server)
    viewer: ViewerType = field("Who asks.", _viewer)
