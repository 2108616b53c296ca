"""Many runs beside each other in one request."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.run import Run
from graphql_runs.model.time import now
from graphql_runs.read.align import Aggregate
from graphql_runs.read.compare import Compared, Comparison, OtherMetric, compare, named_runs
from graphql_runs.read.series import LEAST_POINTS, XAxis
from graphql_runs.read.table import every_run
from graphql_runs.schema.common import KeyValue
from graphql_runs.schema.context import Info
from graphql_runs.schema.enums import describe
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.grouping import GroupBy, grouping
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.metric import Axis
from graphql_runs.schema.runs import Filter, Where, run_list
from graphql_runs.schema.scalars import FloatColumn

describe(
    Aggregate,
    "What the values of several runs come to at an x. Values that are not finite count nowhere.",
    {
        "MEAN": "Their mean.",
        "MEDIAN": "Their median: half are less, half are greater.",
        "MIN": "The smallest.",
        "MAX": "The greatest.",
        "STD": "Their sample standard deviation (n - 1); null for a single value.",
        "COUNT": "How many finite values there are.",
    },
)


@strawberry.type(description="One line over the x of its series.")
class Curve:
    of: Aggregate | None = field("What of the group's runs it shows; null for the run's own values.")
    y: FloatColumn = field(
        "The value at each x. NaN where a run has it, or where a group has no finite value."
    )


@strawberry.type(description="A metric of one run, or of one group of runs on an x that they share.")
class ComparedSeries:
    metric: str = field("The metric's name.")
    ids: list[strawberry.ID] = field(
        "The run, or the runs of the group that have the metric, the newest first."
    )
    group: list[KeyValue] = field(
        "What tells the group from the others; by `allParamsExcept` that are the params which not all groups have the same value of. "
        "Empty for a single run."
    )
    x: FloatColumn = field(
        "Where the points lie on the axis asked for; of a group, every x that one of its runs has."
    )
    curves: list[Curve] = field("The run's own line, or one for each aggregate asked for, in that order.")
    exact: bool = field(
        "Nothing was left out. Otherwise each line has the first, smallest, largest and last point of every bucket of "
        "consecutive points; the same question has the same answer."
    )
    total: float = field("How many points there are in the range.")


_STEPS = Axis(by=XAxis.STEP)
_MEAN = [Aggregate.MEAN]


async def compared(
    info: Info,
    metrics: Annotated[
        list[str], argument("The metrics, by name. Runs that lack one are left out of its series.")
    ],
    runs: Annotated[
        list[strawberry.ID] | None,
        argument("The runs, by the server's or their producer's ids; or give a filter."),
    ] = None,
    filter: Filter = None,
    where: Where = None,
    x: Annotated[Axis, argument("What the curves are drawn over.")] = _STEPS,
    points: Annotated[
        int,
        argument(
            "At most so many points of each series come back; at least 4, of groups 4 for each aggregate."
        ),
    ] = 500,
    from_: Annotated[float | None, argument("Only points with this x or more.", name="from")] = None,
    to: Annotated[float | None, argument("Only points with this x or less.")] = None,
    group_by: Annotated[
        GroupBy | None, argument("Put runs together, and give what they come to instead of each run.")
    ] = None,
    aggregate: Annotated[list[Aggregate], argument("What is given of each group.")] = _MEAN,
) -> list[Compared]:
    limits = info.context.limits
    bounded(len(metrics), limits.compare_metrics, "metrics")
    bounded(points, limits.points, "points", least=LEAST_POINTS)
    aggregates = tuple(dict.fromkeys(aggregate))
    if group_by is not None and not aggregates:
        raise InvalidInput("aggregate is empty", field="aggregate")
    asked = Comparison(
        tuple(metrics),
        OtherMetric(x.metric) if x.metric else x.column or x.by or XAxis.STEP,
        points,
        limits.compare_rows,
        limits.compare_points,
        from_,
        to,
        None if group_by is None else grouping(group_by, limits),
        aggregates,
    )
    found = await _runs(info, runs, filter, where)
    return await compare(info.context.store, found, asked, now())


async def _runs(info: Info, ids: Sequence[str] | None, filter: Filter, where: Where) -> list[Run]:
    store, limit = info.context.store, info.context.limits.compare_runs
    if (ids is not None) == (filter is not None or where is not None):
        raise InvalidInput("either runs or a filter says what is compared", field="runs")
    if ids is not None:
        bounded(len(ids), limit, "runs")
        return await named_runs(store, ids)
    listed = await run_list(info, filter, None, where=where)
    return await every_run(store, listed.where, limit=limit, field="filter")
