"""The best run, and how a sweep came to it."""

from typing import Annotated

import strawberry

from graphql_runs.model import records
from graphql_runs.model.filter import Attribute, Stat
from graphql_runs.model.run import Goal
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read import best
from graphql_runs.schema import enums as enums
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.run_edge import settled
from graphql_runs.schema.runs import Filter, Where, equals, run_list
from graphql_runs.schema.scalars import Column, TimeColumn


@strawberry.type(
    description="The children of a sweep that have ended, in the order in which they did, and the best of them at any time."
)
class RunningBest:
    metric: str = field("The metric that counts.")
    goal: Goal = field("Which way it is better.")
    ids: list[strawberry.ID] = field("The children.", of=lambda found: [run.id for run in found.runs])
    names: list[str] = field(
        "Their names.", of=lambda found: [run.display_name or run.name for run in found.runs]
    )
    at: TimeColumn = field("When each ended.")
    values: Column = field("The best finite value of each; null for one that has none.")
    best: Column = field("The best value of all until then; null before there was one.")


async def best_run(
    root: strawberry.Parent[records.Experiment],
    info: Info,
    metric: Annotated[str, argument("The metric, by name.")],
    goal: Annotated[Goal, argument("Which way it is better.")] = Goal.MINIMIZE,
    stat: Annotated[
        Stat | None,
        argument("The number of its summary that counts; its smallest or largest value if not given."),
    ] = None,
    filter: Filter = None,
    where: Where = None,
) -> RunRecord | None:
    scope = equals(Attribute.EXPERIMENT, root.id)
    listed = await run_list(info, filter, None, where=where, scope=scope, workspace=root.workspace)
    return await _settled(info, await best.best_run(info.context.store, listed.where, metric, goal, stat))


async def best_child(root: strawberry.Parent[RunRecord], info: Info) -> RunRecord | None:
    return await _settled(info, await best.best_child(info.context.store, root))


async def running_best(root: strawberry.Parent[RunRecord], info: Info) -> best.RunningBest | None:
    return await best.running_best(info.context.store, root, limit=info.context.limits.group_runs)


async def _settled(info: Info, run: RunRecord | None) -> RunRecord | None:
    return None if run is None else (await settled(info, [run]))[0]
