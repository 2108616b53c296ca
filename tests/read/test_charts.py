from __future__ import annotations

import pytest

from graphql_runs.model.records import Column, ColumnType, Metric, MetricKind
from graphql_runs.read.charts import ChartKind, chart, chart_columns

FLOAT, INT, BOOL, TEXT = ColumnType.FLOAT, ColumnType.INT, ColumnType.BOOL, ColumnType.TEXT


def metric(kind: MetricKind, **columns: ColumnType) -> Metric:
    return Metric(
        "m", "r", "r", "w", "e", "m", kind, tuple(Column(name, type) for name, type in columns.items())
    )


@pytest.mark.parametrize(
    ("logged", "kind", "columns"),
    [
        (metric(MetricKind.SCALAR, value=FLOAT), ChartKind.SINGLE_LINE, ("value",)),
        (metric(MetricKind.SCALAR, value=INT), ChartKind.SINGLE_LINE, ("value",)),
        (metric(MetricKind.SCALAR, value=TEXT), ChartKind.TABLE, ("value",)),
        (metric(MetricKind.LIST, value=FLOAT), ChartKind.SINGLE_LINE, ("value",)),
        (metric(MetricKind.ROW, x=INT, y=FLOAT), ChartKind.TWO_VARIABLE_LINE, ("x", "y")),
        (metric(MetricKind.TABLE, x=FLOAT, y=FLOAT), ChartKind.TWO_VARIABLE_LINE, ("x", "y")),
        (metric(MetricKind.ROW, x=FLOAT), ChartKind.TABLE, ("x",)),
        (metric(MetricKind.ROW, x=FLOAT, y=TEXT), ChartKind.TABLE, ("x", "y")),
        (metric(MetricKind.ROW, x=FLOAT, y=FLOAT, z=FLOAT), ChartKind.TABLE, ("x", "y", "z")),
        (metric(MetricKind.ROW, x=FLOAT, y=FLOAT, z=TEXT), ChartKind.TABLE, ("x", "y", "z")),
        (metric(MetricKind.TABLE, x=FLOAT, y=BOOL), ChartKind.TABLE, ("x", "y")),
        (metric(MetricKind.CONFUSION_MATRIX), ChartKind.CONFUSION_MATRIX, ()),
        (metric(MetricKind.ACCURACY_TABLE), ChartKind.ROC_PR_LIFT, ()),
        (metric(MetricKind.TEXT, value=TEXT), ChartKind.NONE, ()),
        (metric(MetricKind.SCALAR), ChartKind.NONE, ()),
    ],
)
def test_charts(logged: Metric, kind: ChartKind, columns: tuple[str, ...]) -> None:
    assert chart(logged) is kind
    assert chart_columns(logged) == columns
