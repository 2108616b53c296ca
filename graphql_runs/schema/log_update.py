"""A log file, followed."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from graphql_runs.live.log import LogUpdate as LogUpdateValue
from graphql_runs.live.log import follow_log
from graphql_runs.model.errors import NotFound
from graphql_runs.read.records import find_run
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.gap import Gap
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.log_line import LogLine, ShownLine


@strawberry.type(description="One message of a followed log file, as a terminal shows it.")
class LogUpdate:
    cursor: str = field(
        "Give it as `after` to go on exactly behind this message, after a lost connection, say."
    )
    caught_up: bool = field("When this was read, there was nothing further.")
    reset: bool = field("Forget all lines you hold; the last ones come again with this message.")
    replace_from: float | None = field(
        "Forget the lines you hold whose offset is this or greater, before you take the new ones: a carriage return or a cursor "
        "move has drawn them anew. null: all that you hold stay right."
    )
    lines: list[LogLine] = field(
        "Lines to put behind those that you hold.",
        of=lambda update: [ShownLine(line, update.log, update.run) for line in update.lines],
    )
    gap: Gap | None = field("What this subscription could not be told one by one.")


async def log(
    info: Info,
    run: Annotated[strawberry.ID, argument("The run: the server's id, or the one its producer gave it.")],
    path: Annotated[str, argument("The file's path within the run; it need not be there yet.")],
    after: Annotated[
        str | None,
        argument("The cursor of an earlier message to go on from. Without it the last lines come first."),
    ] = None,
    tail: Annotated[int, argument("How many of the last lines come first.")] = 100,
    throttle: Annotated[
        float, argument("Least seconds between two messages; the first change after a pause is told at once.")
    ] = 0.1,
) -> AsyncGenerator[LogUpdateValue, None]:
    context = info.context
    bounded(tail, context.limits.lines, "tail")
    found = await find_run(context.store, run, field="run")
    if found is None:
        raise NotFound(f"there is no run {run[:80]!r}", field="run")
    trail = context.trail
    return trail.along(
        follow_log(
            context.store,
            context.hub,
            found,
            path,
            after=trail.after or after,
            tail=tail,
            throttle=trail.pace(throttle),
        )
    )
