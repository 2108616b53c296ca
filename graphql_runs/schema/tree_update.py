"""A run tree, followed."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from graphql_runs.live.follow import follow_tree
from graphql_runs.live.update import TreeUpdate
from graphql_runs.model.errors import NotFound
from graphql_runs.model.status import StatusClass
from graphql_runs.read.records import find_run
from graphql_runs.read.series import first_values, steps_or_rows
from graphql_runs.schema import enums as enums
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.gap import Gap
from graphql_runs.schema.log import LogFile
from graphql_runs.schema.metric import Metric, MetricSummary, ValueColumn, value_columns
from graphql_runs.schema.run import Run
from graphql_runs.schema.scalars import FloatColumn, TimeColumn


@strawberry.type(description="New points of a metric.")
class MetricDelta:
    metric: Metric = field("The metric, as of now.")
    start: float = field(
        "The row of the first new point. Whoever holds that row already drops what it holds.",
        of=lambda delta: delta.points.start,
    )
    run_id: str = field("The producer's id of its run.")
    name: str = field("The metric's name.", of=lambda delta: delta.metric.name)
    steps: FloatColumn = field(
        "The step of each new point; its row where no step was given.",
        of=lambda delta: steps_or_rows(delta.points),
    )
    values: FloatColumn = field(
        "The value of each new point, in the first numeric column.",
        of=lambda delta: first_values(delta.metric, delta.points),
    )
    columns: list[ValueColumn] = field(
        "All columns of the new points, for rows and tables.",
        of=lambda delta: value_columns(delta.metric, delta.points),
    )
    at: TimeColumn = field("When each new point was logged.", of=lambda delta: delta.points.at)
    summary: MetricSummary = field("The metric in numbers, as of now.", of=lambda delta: delta.metric)


@strawberry.type(description="New text of a log file.")
class LogDelta:
    log: LogFile = field("The log file, as of now.")
    run_id: str = field("The producer's id of its run.")
    path: str = field("The file's path within the run.", of=lambda delta: delta.log.path)
    text: str = field("The new text. Characters are never torn between two messages.")
    offset: float = field(
        "The byte of the file where the text begins. Whoever holds that byte already drops what it holds."
    )
    size: float = field("How many bytes of the file the text stands for.")


@strawberry.type(description="One message of a followed run tree.")
class RunTreeUpdate:
    cursor: str = field(
        "Give it as `after` to go on exactly behind this message, after a lost connection, say."
    )
    caught_up: bool = field("When this was read, nothing further had happened.")
    reset: bool = field(
        "Forget what you hold of this tree: everything comes again, beginning with this message."
    )
    runs: list[Run] = field("Runs that are new or changed, as they are now; at the beginning all of them.")
    metrics: list[MetricDelta] = field("New points.")
    logs: list[LogDelta] = field("New log text.")
    purged: list[strawberry.ID] = field(
        "Runs of the tree that were purged: forget what you hold of them, and pass over ids that you do not know. When the "
        "followed run is among them, forget everything: the subscription ends."
    )
    gap: Gap | None = field("What this subscription could not be told one by one.")


async def run_tree(
    info: Info,
    run: Annotated[strawberry.ID, argument("The run: the server's id, or the one its producer gave it.")],
    after: Annotated[
        str | None,
        argument(
            "A liveCursor, or the cursor of an earlier message, to go on from. Without it all there is comes first."
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        argument("Metrics by name, with `*` and `?`; all unless given, none for an empty list."),
    ] = None,
    logs: Annotated[
        list[str] | None,
        argument("Log files by path, with `*` and `?`; all unless given, none for an empty list."),
    ] = None,
    until: Annotated[
        StatusClass | None, argument("End when the run has come so far and everything was told.")
    ] = None,
    points: Annotated[bool, argument("false: only the summaries of metrics, no points.")] = True,
    throttle: Annotated[
        float, argument("Least seconds between two messages; the first change after a pause is told at once.")
    ] = 0.1,
) -> AsyncGenerator[TreeUpdate, None]:
    context = info.context
    found = await find_run(context.store, run, field="run")
    if found is None:
        raise NotFound(f"there is no run {run[:80]!r}", field="run")
    trail = context.trail
    return trail.along(
        follow_tree(
            context.store,
            context.hub,
            found.root,
            run=found.id,
            after=trail.after or after,
            metrics=metrics,
            logs=logs,
            until=until,
            points=points,
            throttle=trail.pace(throttle),
        )
    )
