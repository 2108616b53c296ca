"""What clients follow live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from graphql_runs.live.follow import follow_tree
from graphql_runs.live.update import LogDelta as LogDeltaValue
from graphql_runs.live.update import MetricDelta as MetricDeltaValue
from graphql_runs.live.update import TreeUpdate
from graphql_runs.model.errors import NotFound
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.model.status import StatusClass
from graphql_runs.read.records import find_run
from graphql_runs.read.series import first_values, steps_or_rows
from graphql_runs.schema import enums as enums
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field, subscription
from graphql_runs.schema.log import LogFile
from graphql_runs.schema.metric import Metric, MetricSummary, ValueColumn, value_columns
from graphql_runs.schema.run import Run
from graphql_runs.schema.scalars import FloatColumn, TimeColumn


async def _metric_run_id(root: strawberry.Parent[MetricDeltaValue], info: Info) -> str | None:
    run = await info.context.get(RunRecord, root.metric.run)
    return None if run is None else run.run_id


async def _log_run_id(root: strawberry.Parent[LogDeltaValue], info: Info) -> str | None:
    run = await info.context.get(RunRecord, root.log.run)
    return None if run is None else run.run_id


@strawberry.type(description="New points of a metric.")
class MetricDelta:
    metric: Metric = field("The metric, as of now.")
    start: float = field(
        "The row of the first new point. Whoever holds that row already drops what it holds.",
        of=lambda delta: delta.points.start,
    )
    run_id: str = field("The producer's id of its run.", _metric_run_id)
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
    run_id: str = field("The producer's id of its run.", _log_run_id)
    path: str = field("The file's path within the run.", of=lambda delta: delta.log.path)
    text: str = field("The new text. Characters are never torn between two messages.")
    offset: float = field(
        "The byte of the file where the text begins. Whoever holds that byte already drops what it holds."
    )
    size: float = field("How many bytes of the file the text stands for.")


@strawberry.type(description="Something is not told one by one; what follows starts afresh.")
class Gap:
    from_cursor: str = field("The cursor before it.", name="from")
    to_cursor: str = field("The cursor after it.", name="to")
    reason: str = field("Why it is there.")


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
    gap: Gap | None = field("What this subscription could not be told one by one.")


async def _run_tree(
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
    return follow_tree(
        context.store, context.hub, found.root, run=found.id, after=after, metrics=metrics, logs=logs, until=until,
        points=points, throttle=throttle,
    )  # fmt: skip


@strawberry.type(description="What clients follow live.")
class Subscription:
    run_tree: AsyncGenerator[RunTreeUpdate, None] = subscription(
        "Everything that happens in a run and below it, on one resumable cursor: what is there first, then live.",
        _run_tree,
    )
