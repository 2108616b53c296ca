"""What follows from accuracy tables and confusion matrices: curves by threshold, scores by class.

An accuracy table counts, for a class against the rest and for each threshold in ascending order, true and false positives, true
and false negatives; a sample is predicted positive when its probability is not below the threshold. P and N are the positive and
negative samples, T = P + N. Curves go from the highest threshold, where nothing is predicted positive, to the lowest, where
everything is; ends that a table lacks are added with the thresholds ±Infinity. What is undefined (0/0) is NaN, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.records import MetricKind

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """An accuracy table of one class. Shapes: thresholds (m,), ascending; counts (m, 4), as TP, FP, TN, FN; m >= 1."""

    thresholds: Floats
    counts: Floats

    @property
    def positive(self) -> float:
        """P."""
        return float(self.counts[0, 0] + self.counts[0, 3])

    @property
    def negative(self) -> float:
        """N."""
        return float(self.counts[0, 1] + self.counts[0, 2])


@dataclass(frozen=True, slots=True)
class Curve:
    """Points by descending threshold; all of one shape (n,). `area` is None where it is undefined or of no use."""

    thresholds: Floats
    x: Floats
    y: Floats
    area: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Bins of predicted probability that hold samples, ascending; all of one shape (n,)."""

    predicted: Floats
    observed: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one class. None where undefined."""

    precision: float | None
    recall: float | None
    specificity: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class ClassResult:
    """What is known of one class: scores from a confusion matrix, or tables by probability and by percentile."""

    label: str
    support: float
    scores: Scores | None = None
    probability: Table | None = None
    percentile: Table | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """What is derived from one payload. `micro` is the sum of all classes' tables."""

    samples: float
    classes: tuple[ClassResult, ...]
    accuracy: float | None = None
    micro: ClassResult | None = None


@dataclass(frozen=True, slots=True)
class Average:
    """Means over the classes: of all the same weight (macro), or weighted by their support. A class whose value is undefined does
    not count."""

    classes: tuple[ClassResult, ...]
    weighted: bool

    def score(self, name: str) -> float | None:
        """The mean of a score, None without a confusion matrix."""
        return self._mean(None if one.scores is None else getattr(one.scores, name) for one in self.classes)

    def area(self, curve: Callable[[Table], Curve]) -> float | None:
        """The mean area under a curve, None without an accuracy table."""
        return self._mean(
            None if one.probability is None else curve(one.probability).area for one in self.classes
        )

    def _mean(self, values: Iterable[float | None]) -> float | None:
        pairs = [
            (one.support if self.weighted else 1.0, value)
            for one, value in zip(self.classes, values, strict=True)
            if value is not None
        ]
        whole = sum(weight for weight, _ in pairs)
        return sum(weight * value for weight, value in pairs) / whole if whole else None


# Payloads


def results(kind: MetricKind, document: dict[str, Any]) -> Results | None:
    """What is derived from a checked document of a confusion matrix or an accuracy table; None for other kinds."""
    data = document["data"]
    if kind is MetricKind.CONFUSION_MATRIX:
        return of_matrix(data["class_labels"], np.array(data["matrix"], dtype=np.float64))
    if kind is MetricKind.ACCURACY_TABLE:
        sides = [
            (np.array(data[f"{name}_thresholds"], float), np.array(data[f"{name}_tables"], float))
            for name in ("probability", "percentile")
        ]
        return of_tables(data["class_labels"], *sides)
    return None


def of_matrix(labels: Sequence[str], matrix: Floats) -> Results:
    """Scores from a confusion matrix of shape (c, c), true classes by predicted ones.

    Precision TP / (TP + FP), recall TP / (TP + FN), specificity TN / (TN + FP), F1 2TP / (2TP + FP + FN) of each class against
    the rest, accuracy the trace over the sum. Source: scikit-learn, user guide, "Classification metrics".
    """
    hit, true, predicted, total = (
        np.diagonal(matrix),
        matrix.sum(axis=1),
        matrix.sum(axis=0),
        float(matrix.sum()),
    )
    columns = (
        _ratio(hit, predicted),
        _ratio(hit, true),
        _ratio(total - true - predicted + hit, total - true),
        _ratio(2 * hit, true + predicted),
    )
    scores = [Scores(*(_known(value) for value in row)) for row in np.stack(columns, axis=1).tolist()]
    classes = [
        ClassResult(label, support, found)
        for label, support, found in zip(labels, true.tolist(), scores, strict=True)
    ]
    return Results(total, tuple(classes), accuracy=float(hit.sum()) / total if total else None)


def of_tables(
    labels: Sequence[str], probability: tuple[Floats, Floats], percentile: tuple[Floats, Floats]
) -> Results:
    """Tables of each class, and of all together (micro average), from thresholds (m,) and tables (c, m, 4)."""

    def made(label: str, tables: tuple[Floats, Floats]) -> ClassResult:
        by_probability, by_percentile = Table(probability[0], tables[0]), Table(percentile[0], tables[1])
        return ClassResult(
            label, by_probability.positive, probability=by_probability, percentile=by_percentile
        )

    classes = tuple(
        made(label, tables)
        for label, tables in zip(labels, zip(probability[1], percentile[1], strict=True), strict=True)
    )
    micro = made("micro", (probability[1].sum(axis=0), percentile[1].sum(axis=0)))
    samples = max(float(table[0].sum()) for table in probability[1])
    return Results(samples, classes, micro=micro)


# Curves


def roc(table: Table) -> Curve:
    """Receiver operating characteristic: x = FP / N, y = TP / P; the area by the trapezoidal rule.

    Source: Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006).
    """
    thresholds, true, false = _swept(table)
    x, y = _ratio(false, table.negative), _ratio(true, table.positive)
    return Curve(thresholds, x, y, _area(x, y, float(np.trapezoid(y, x))))


def precision_recall(table: Table) -> Curve:
    """Recall TP / P as x and, as y, precision TP / (TP + FP), which is 1 where nothing is predicted positive; the area is the average
    precision Σ (Rₙ - Rₙ₋₁) Pₙ. Source: scikit-learn, `precision_recall_curve` and `average_precision_score`.
    """
    thresholds, true, false = _swept(table)
    x = _ratio(true, table.positive)
    y = np.where(true + false > 0, _ratio(true, true + false), 1.0)
    return Curve(thresholds, x, y, _area(x, y, float(np.sum(np.diff(x) * y[1:]))))


def gain(table: Table) -> Curve:
    """Cumulative gains: x = (TP + FP) / T, the share of samples predicted positive, y = TP / P, the share of positives among
    them; the area by the trapezoidal rule. Source: Azure Machine Learning, "Evaluate AutoML results", cumulative gains curve.
    """
    thresholds, true, false = _swept(table)
    x = _ratio(true + false, table.positive + table.negative)
    y = _ratio(true, table.positive)
    return Curve(thresholds, x, y, _area(x, y, float(np.trapezoid(y, x))))


def lift(table: Table) -> Curve:
    """The x of cumulative gains, and y = precision / (P / T), the gain over a random choice; from the first threshold on at which
    something is predicted positive. Source: Azure Machine Learning, "Evaluate AutoML results", lift curve.
    """
    thresholds, true, false = _swept(table)
    some = true + false > 0
    thresholds, true, predicted = thresholds[some], true[some], (true + false)[some]
    total = table.positive + table.negative
    y = _ratio(_ratio(true, predicted), _ratio(np.float64(table.positive), total))
    return Curve(thresholds, _ratio(predicted, total), y, None)


def calibration(table: Table) -> Calibration:
    """Of the samples whose probability lies between two thresholds: the middle between the two (the table does not know their
    mean) and the share that is positive. Source: Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised
    learning", ICML 2005 (reliability diagrams).
    """
    true, false = table.counts[:, 0], table.counts[:, 1]
    edges = np.concatenate([[0.0], table.thresholds, [1.0]])
    positive = -np.diff(np.concatenate([[table.positive], true, [0.0]]))
    negative = -np.diff(np.concatenate([[table.negative], false, [0.0]]))
    counts = positive + negative
    some = counts > 0
    middle = (edges[:-1] + edges[1:]) / 2
    return Calibration(middle[some], (positive / np.where(some, counts, 1))[some], counts[some])


def _swept(table: Table) -> tuple[Floats, Floats, Floats]:
    """Thresholds from high to low with true and false positives, from none to all."""
    thresholds = table.thresholds[::-1]
    true, false = table.counts[::-1, 0], table.counts[::-1, 1]
    if true[0] + false[0] > 0:
        thresholds, true, false = (
            np.insert(thresholds, 0, np.inf),
            np.insert(true, 0, 0),
            np.insert(false, 0, 0),
        )
    if true[-1] < table.positive or false[-1] < table.negative:
        thresholds = np.append(thresholds, -np.inf)
        true, false = np.append(true, table.positive), np.append(false, table.negative)
    return thresholds, true, false


def _ratio(above: Floats | np.float64, below: Floats | float) -> Any:
    """The quotient, NaN where both are 0 or the divisor is."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def _area(x: Floats, y: Floats, area: float) -> float | None:
    return area if np.isfinite(x).all() and np.isfinite(y).all() else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
