"""Valid payloads of every kind, as hypothesis draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from graphql_runs.model.records import MetricKind

Document = dict[str, Any]
COUNTS = st.integers(0, 1000)
WEIGHTS = st.floats(0, 1e6, allow_subnormal=False)
FINITE = st.floats(-1e300, 1e300)


def document(kind: MetricKind, data: object, version: str = "1.0.0") -> Document:
    """A payload of a kind."""
    return {"schema_type": kind.lower(), "schema_version": version, "data": data}


def count_table(
    scores: Sequence[float], positive: Sequence[bool], thresholds: Sequence[float]
) -> list[list[int]]:
    """[TP, FP, TN, FN] at each threshold, counted one sample at a time."""
    rows = []
    for threshold in thresholds:
        row = [0, 0, 0, 0]
        for score, is_positive in zip(scores, positive, strict=True):
            predicted = score >= threshold
            row[(0 if is_positive else 1) if predicted else (3 if is_positive else 2)] += 1
        rows.append(row)
    return rows


@st.composite
def labels(draw: st.DrawFn) -> list[str]:
    found: list[str] = draw(st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True))
    return found


@st.composite
def confusion_matrices(draw: st.DrawFn) -> Document:
    classes = draw(labels())
    row = st.lists(COUNTS | WEIGHTS, min_size=len(classes), max_size=len(classes))
    matrix = draw(st.lists(row, min_size=len(classes), max_size=len(classes)))
    return document(MetricKind.CONFUSION_MATRIX, {"class_labels": classes, "matrix": matrix})


@st.composite
def accuracy_tables(draw: st.DrawFn) -> Document:
    """Tables counted from scores of drawn samples; some classes may have none of their own."""
    classes = draw(labels())
    count = draw(st.integers(1, 20))
    scores = [draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)) for _ in classes]
    true = draw(st.lists(st.integers(0, len(classes) - 1), min_size=count, max_size=count))
    data: dict[str, Any] = {"class_labels": classes}
    for side in ("probability", "percentile"):
        thresholds = sorted(draw(st.lists(st.floats(0, 1), min_size=1, max_size=6)))
        data[f"{side}_thresholds"] = thresholds
        data[f"{side}_tables"] = [
            count_table(scores[index], [one == index for one in true], thresholds)
            if index in true
            else [[0, 0, 0, 0] for _ in thresholds]
            for index in range(len(classes))
        ]
    return document(MetricKind.ACCURACY_TABLE, data, "1.0.1")


@st.composite
def bins(draw: st.DrawFn) -> dict[str, Any]:
    counts = draw(st.lists(COUNTS | WEIGHTS, min_size=1, max_size=8))
    edges = sorted(draw(st.lists(FINITE, min_size=len(counts) + 1, max_size=len(counts) + 1)))
    return {"bin_edges": edges, "bin_counts": counts}


@st.composite
def histograms(draw: st.DrawFn, kind: MetricKind) -> Document:
    data = draw(bins())
    if draw(st.booleans()):
        data |= {"mean": draw(FINITE), "stddev": abs(draw(FINITE)), "res_count": sum(data["bin_counts"])}
    return document(kind, data)


@st.composite
def predictions(draw: st.DrawFn) -> Document:
    data = draw(bins())
    means, errors = [], []
    for count in data["bin_counts"]:
        none = count == 0 and draw(st.booleans())
        means.append(None if none else draw(FINITE))
        errors.append(None if none else abs(draw(FINITE)))
    return document(MetricKind.PREDICTIONS, data | {"bin_averages": means, "bin_errors": errors}, "v1")


PAYLOADS: dict[MetricKind, st.SearchStrategy[Document]] = {
    MetricKind.CONFUSION_MATRIX: confusion_matrices(),
    MetricKind.ACCURACY_TABLE: accuracy_tables(),
    MetricKind.RESIDUALS: histograms(MetricKind.RESIDUALS),
    MetricKind.PREDICTIONS: predictions(),
    MetricKind.HISTOGRAM: histograms(MetricKind.HISTOGRAM),
}
