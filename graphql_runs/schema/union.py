"""Runs that several sources show: aliases, and what they state differently."""

import strawberry

from graphql_runs.model import run as model
from graphql_runs.read import conflicts as read
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import field
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import one_run, settled

Parent = strawberry.Parent[model.Run]


@strawberry.type(description="What one of the runs that are one states.")
class StatedValue:
    value: str = field("The value, as text; times in UTC, clusters by name.")
    source: str = field("Where it was read: the run's source, or that of the statement about its status.")
    run: RunRef = field("The run that states it.")


@strawberry.type(
    description="A field that the sources of a run state differently. The run itself shows what its own source says."
)
class RunConflict:
    name: str = field(
        "The field: status, name, displayName, cluster, target, submittedBy, startedAt, endedAt, exitCode, or `params.` and a name.",
        of=lambda conflict: conflict.field,
        name="field",
    )
    values: list[StatedValue] = field("What each source says that says something, the run's own first.")


async def alias_of(root: Parent, info: Info) -> model.Run | None:
    """The principal of an alias."""
    return await one_run(info, root.alias_of)


async def aliases(root: Parent, info: Info) -> list[model.Run]:
    """The aliases of a run."""
    return await settled(info, await info.context.aliases(root))


async def conflicts(root: Parent, info: Info) -> list[read.RunConflict]:
    """What a run and its aliases state differently."""
    return await read.conflicts(info.context.store, [root, *await info.context.aliases(root)])
