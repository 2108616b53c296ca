"""Metrics: summaries, curves and rows."""

from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from graphql_runs.model import records
from graphql_runs.model.cursor import encode_page
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.ids import metric_id
from graphql_runs.model.points import Points
from graphql_runs.model.records import ColumnType, MetricKind
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read.charts import ChartKind, chart, chart_columns
from graphql_runs.read.metrics import page_rows, step_missing
from graphql_runs.read.series import LEAST_POINTS, SeriesData, XAxis, origin_of, series
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import PageInfo, place
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field, optional
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.node import Node
from graphql_runs.schema.payload import DerivedMetrics, artifact, derived, payload
from graphql_runs.schema.refs import ArtifactRef, RunRef
from graphql_runs.schema.run_edge import that_run
from graphql_runs.schema.scalars import JSON, Column, DateTime, FloatColumn, Number, TimeColumn


@strawberry.type(description="A column of a metric's points.")
class MetricColumn:
    name: str = field("Its name; `value` for a metric of single numbers.")
    type: ColumnType = field("What it holds.")


@strawberry.type(
    description=(
        "A metric in numbers, kept up to date as points come, of its first numeric column. min, max and mean are over finite values; "
        "nonFinite counts the others. A point without a step counts under its row number."
    )
)
class MetricSummary:
    count: float = field("How many points there are.")
    last: Number | None = field("The last value, finite or not.")
    min: Number | None = field("The smallest finite value.")
    max: Number | None = field("The largest finite value.")
    mean: Number | None = field("The mean of the finite values.")
    min_step: float | None = field("The step of the smallest value, the first of equal ones.")
    max_step: float | None = field("The step of the largest value, the first of equal ones.")
    first_step: float | None = field("The step of the first point.")
    last_step: float | None = field("The step of the last point.")
    last_at: DateTime | None = field("When the last point was logged.")
    non_finite: int = field("How many values are NaN or infinite.")
    first_non_finite_step: float | None = field("The step of the first NaN or infinity.")


@strawberry.type(
    description="A curve of a metric. Its columns have the same length and belong together by place."
)
class Series:
    x: FloatColumn = field("Where each point lies on the axis asked for.")
    y: FloatColumn = field("The value of each point.")
    at: TimeColumn = field("When each point was logged.")
    exact: bool = field(
        "Every point of the range is here. Otherwise these are the first, smallest, largest and last point of every bucket of "
        "consecutive points, so that no extremum is lost; the same question has the same answer."
    )
    total: float = field("How many points lie in the range.")
    restart_at: FloatColumn = field(
        "Rows whose step is lower than that of the row before: the job restarted there."
    )


@strawberry.input(one_of=True, description="What a curve is drawn over.")
class Axis:
    by: XAxis | None = optional("Steps, rows or times.", strawberry.UNSET)
    column: str | None = optional("Another numeric column of the same metric, by name.", strawberry.UNSET)
    metric: str | None = optional(
        "Another metric of the same run, by name: each point lies at what that metric has at its step; points at whose step it has "
        "nothing are left out.",
        strawberry.UNSET,
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    points: Points
    metric: records.Metric

    def cursor(self, row: int) -> str:
        return encode_page(f"rows:{self.metric.id}", Key((row,), self.metric.id))

    @property
    def columns(self) -> list[tuple[records.Column, Any]]:
        return value_columns(self.metric, self.points)

    @property
    def has_next(self) -> bool:
        return self.points.end < self.metric.count

    @property
    def has_previous(self) -> bool:
        return self.points.start > 0

    @property
    def start(self) -> str | None:
        return self.cursor(self.points.start) if len(self.points) else None

    @property
    def end(self) -> str | None:
        return self.cursor(self.points.end - 1) if len(self.points) else None


@strawberry.type(description="The values of one column, one for each row.")
class ValueColumn:
    name: str = field("The column's name.", of=lambda pair: pair[0].name)
    type: ColumnType = field("What it holds.", of=lambda pair: pair[0].type)
    values: Column = field("Its values; null where a row has none.", of=lambda pair: pair[1])


@strawberry.type(description="A page of a metric's rows in the order written, by column.")
class MetricRows:
    start: float = field(
        "The number of the first row of this page, from 0.", of=lambda rows: rows.points.start
    )
    steps: FloatColumn | None = field(
        "The step of each row; null if none was given.", of=lambda rows: shown_steps(rows.points)
    )
    at: TimeColumn = field("When each row was logged.", of=lambda rows: rows.points.at)
    columns: list[ValueColumn] = field("The metric's columns.")
    total_count: float = field("How many rows the metric has.", of=lambda rows: rows.metric.count)
    page_info: PageInfo = field("Where this page lies in the metric.", of=lambda rows: rows)


_STEPS = Axis(by=XAxis.STEP)


async def _series(
    root: strawberry.Parent[records.Metric],
    info: Info,
    x: Annotated[Axis, argument("What the curve is drawn over.")] = _STEPS,
    y: Annotated[
        str | None, argument("The column that is drawn, by name; the first numeric one if not given.")
    ] = None,
    points: Annotated[int, argument("At most so many points come back; at least 4.")] = 1000,
    from_: Annotated[float | None, argument("Only points with this x or more.", name="from")] = None,
    to: Annotated[float | None, argument("Only points with this x or less.")] = None,
) -> SeriesData:
    bounded(points, info.context.limits.points, "points", least=LEAST_POINTS)
    axis: XAxis | str | records.Metric = x.column if x.column else x.by or XAxis.STEP
    if x.metric:
        other = await info.context.get(records.Metric, metric_id(root.run, x.metric))
        if other is None:
            raise InvalidInput(f"the run has no metric {x.metric[:80]!r}", field="x.metric")
        axis = other
    origin = None
    if axis is XAxis.RELATIVE_TIME and (run := await info.context.get(RunRecord, root.run)):
        origin = origin_of(run)
    return await series(info.context.store, root, axis, y, points=points, from_=from_, to=to, origin=origin)


async def _rows(
    root: strawberry.Parent[records.Metric],
    info: Info,
    first: Annotated[int, argument("How many rows the page has at most.")] = 1000,
    after: Annotated[str | None, argument("Begin after the row with this cursor.")] = None,
) -> _Rows:
    bounded(first, info.context.limits.rows, "first")
    last = place(int, f"rows:{root.id}", after)
    start = 0 if last is None else max(0, last + 1)
    return _Rows(await page_rows(info.context.store, root, start, first), root)


async def _run(root: strawberry.Parent[records.Metric], info: Info) -> RunRecord:
    return await that_run(info, root.run)


@strawberry.type(description="A metric of one run: points with values, steps and times.")
class Metric(Node):
    name: str = field("Its name.")
    run: RunRef = field("The run it belongs to.", _run)
    kind: MetricKind = field("How it was logged.")
    columns: list[MetricColumn] = field("The columns of its points.")
    summary: MetricSummary = field("It in numbers.", of=lambda metric: metric)
    chart: ChartKind = field("The chart that suits it.", of=chart)
    chart_columns: list[str] = field(
        "The columns that the chart draws; x before y where it has both.", of=chart_columns
    )
    series: Series = field("Its curve, exact or reduced to what the eye would see.", _series)
    rows: MetricRows = field("All that was logged, a page of rows at a time.", _rows)
    payload: JSON | None = field(
        "What a row holds beside numbers: the document of a confusion matrix, accuracy table, residuals, predictions or histogram "
        "as `{schema_type, schema_version, data}`, checked against its schema; of an image what it was logged with. Null for other "
        "kinds.",
        payload,
    )
    artifact: ArtifactRef | None = field(
        "The output file that a row of images names; null until the file is there.", artifact
    )
    derived: DerivedMetrics | None = field(
        "Scores of each class from a confusion matrix; ROC, precision-recall, gain, lift and calibration curves from an accuracy "
        "table. Null for other kinds.",
        derived,
    )


def shown_steps(points: Points) -> Any:
    """A step column for a client: None if no row has one, null for single rows without."""
    if points.steps is None:
        return None
    missing = step_missing(points.steps)
    if not missing.any():
        return points.steps
    return [
        None if absent else step for step, absent in zip(points.steps.tolist(), missing.tolist(), strict=True)
    ]


def value_columns(metric: records.Metric, points: Points) -> list[tuple[records.Column, Any]]:
    """Every column of a metric with its values in these points, as ValueColumn shows them."""
    missing = [None] * len(points)
    return [(column, points.columns.get(column.name, missing)) for column in metric.columns]
