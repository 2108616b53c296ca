"""Which chart suits a metric.

Source of the rules: Azure Machine Learning's article on viewing training runs. A list of numbers or a number logged again
and again is one line; rows or tables of exactly two numeric columns are a line of the second over the first; other
tables stay tables; artifact kinds have charts of their own.
"""

from __future__ import annotations

from enum import StrEnum

from graphql_runs.model.records import ColumnType, Metric, MetricKind


class ChartKind(StrEnum):
    """A way to draw a metric."""

    SINGLE_LINE = "SINGLE_LINE"
    TWO_VARIABLE_LINE = "TWO_VARIABLE_LINE"
    TABLE = "TABLE"
    IMAGE = "IMAGE"
    CONFUSION_MATRIX = "CONFUSION_MATRIX"
    ROC_PR_LIFT = "ROC_PR_LIFT"
    RESIDUALS = "RESIDUALS"
    PREDICTIONS = "PREDICTIONS"
    HISTOGRAM = "HISTOGRAM"
    NONE = "NONE"


_OF_KIND = {
    MetricKind.IMAGE: ChartKind.IMAGE,
    MetricKind.CONFUSION_MATRIX: ChartKind.CONFUSION_MATRIX,
    MetricKind.ACCURACY_TABLE: ChartKind.ROC_PR_LIFT,
    MetricKind.RESIDUALS: ChartKind.RESIDUALS,
    MetricKind.PREDICTIONS: ChartKind.PREDICTIONS,
    MetricKind.HISTOGRAM: ChartKind.HISTOGRAM,
    MetricKind.TEXT: ChartKind.NONE,
}
_NUMERIC = {ColumnType.FLOAT, ColumnType.INT}


def chart(metric: Metric) -> ChartKind:
    """The chart for a metric, by how it was logged and what columns it has."""
    if metric.kind in _OF_KIND:
        return _OF_KIND[metric.kind]
    numeric = [column.name for column in metric.columns if column.type in _NUMERIC]
    if metric.kind in (MetricKind.SCALAR, MetricKind.LIST) and numeric:
        return ChartKind.SINGLE_LINE
    if len(numeric) == len(metric.columns) == 2:
        return ChartKind.TWO_VARIABLE_LINE
    return ChartKind.TABLE if metric.columns else ChartKind.NONE


def chart_columns(metric: Metric) -> tuple[str, ...]:
    """The columns that the chart draws: `[y]` of one line, `[x, y]` of a two-variable line, all of a table."""
    names = tuple(column.name for column in metric.columns)
    match chart(metric):
        case ChartKind.SINGLE_LINE:
            return tuple(column.name for column in metric.columns if column.type in _NUMERIC)[:1]
        case ChartKind.NONE:
            return ()
    return names
