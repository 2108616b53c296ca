"""The way to a run or a cluster from elsewhere, and live cursors that leave no hole.

A client reads a run, then follows it from the liveCursor it was given. So that nothing falls between, the cursor has to be
older than all that is read with it: where it is asked for, it is taken first and the run is read again.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphql_runs.live.follow import tree_cursor, workspace_cursor
from graphql_runs.model.errors import NotFound
from graphql_runs.model.records import Cluster
from graphql_runs.model.run import Run
from graphql_runs.read.records import get
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.selection import selects


async def one_run(info: Info, id: str | None) -> Run | None:
    """The run of a server id, through the operation's loader."""
    run = None if id is None else await info.context.get(Run, id)
    if run is None:
        return None
    [run] = await settled(info, [run])
    return run


async def that_run(info: Info, id: str) -> Run:
    """The run that something belongs to. Raises NotFound when it was purged since that was read."""
    run = await one_run(info, id)
    if run is None:
        raise NotFound(f"run {id!r} was purged meanwhile")
    return run


async def settled(info: Info, runs: Sequence[Run], *paths: tuple[str, ...]) -> list[Run]:
    """The runs, read again after their live cursors were taken if the operation selects these. `paths` are the ways from
    the field to its runs; none if the field is a run itself."""
    if not any(selects(info, *path, "liveCursor") for path in paths or ((),)):
        return list(runs)
    context = info.context
    for root in dict.fromkeys(run.root for run in runs):
        if root not in context.cursors:
            context.cursors[root] = await tree_cursor(context.store, root)
    again = await get(context.store, Run, [run.id for run in runs])
    return [new or old for new, old in zip(again, runs, strict=True)]


async def one_cluster(info: Info, id: str, workspace: str) -> Cluster | None:
    """A cluster of a workspace. Its live cursor is taken before it is read, if the operation selects it."""
    if selects(info, "liveCursor"):
        await cursor_of_workspace(info.context, workspace)
    return await info.context.get(Cluster, id)


async def cursor_of_tree(context: Context, root: str) -> str:
    """The live cursor of a run tree: the one taken before its run was read, else as of now."""
    if root not in context.cursors:
        context.cursors[root] = await tree_cursor(context.store, root)
    return context.cursors[root]


async def cursor_of_workspace(context: Context, workspace: str) -> str:
    """The live cursor of a workspace, by the same rule."""
    if workspace not in context.cursors:
        context.cursors[workspace] = await workspace_cursor(context.store, workspace)
    return context.cursors[workspace]
