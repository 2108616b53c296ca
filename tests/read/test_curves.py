"""Curves and scores against a judge in plain Python, and against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from graphql_runs.model.records import MetricKind
from graphql_runs.read.curves import (
    Average,
    Table,
    calibration,
    gain,
    lift,
    of_matrix,
    precision_recall,
    results,
    roc,
)
from tests.record.payloads import accuracy_tables, count_table

NAN = float("nan")
SCORES = st.integers(0, 20).map(lambda value: value / 20)
SAMPLES = st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40)


def made(samples: Sequence[tuple[float, bool]], thresholds: Sequence[float]) -> Table:
    scores, positive = zip(*samples, strict=True)
    return Table(np.array(thresholds, float), np.array(count_table(scores, positive, thresholds), float))


def same(found: NDArray[Any], wanted: Sequence[float]) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def quotient(above: float, below: float) -> float:
    return float(Fraction(above) / Fraction(below)) if below else NAN


def judged(
    samples: Sequence[tuple[float, bool]], thresholds: Sequence[float]
) -> list[tuple[float, int, int]]:
    """(threshold, TP, FP) from the highest threshold to the lowest, each counted afresh, from none to all."""
    found = [
        (
            threshold,
            sum(positive for score, positive in samples if score >= threshold),
            sum(not positive for score, positive in samples if score >= threshold),
        )
        for threshold in sorted(thresholds, reverse=True)
    ]
    if found[0][1] + found[0][2]:
        found.insert(0, (math.inf, 0, 0))
    if found[-1][1] + found[-1][2] < len(samples):
        positives = sum(positive for _, positive in samples)
        found.append((-math.inf, positives, len(samples) - positives))
    return found


def trapezoids(x: Sequence[float], y: Sequence[float]) -> float | None:
    area = sum((x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2 for i in range(1, len(x)))
    return None if math.isnan(area) else area


def close(found: float | None, wanted: float | None) -> bool:
    return found == wanted or (
        found is not None and wanted is not None and math.isclose(found, wanted, abs_tol=1e-12)
    )


@settings(deadline=None)
@given(SAMPLES, st.lists(SCORES, min_size=1, max_size=10))
def test_curves_are_what_a_judge_counts(samples: list[tuple[float, bool]], thresholds: list[float]) -> None:
    table = made(samples, sorted(thresholds))
    swept = judged(samples, thresholds)
    total = len(samples)
    positives = sum(positive for _, positive in samples)
    false_rate = [quotient(false, total - positives) for _, _, false in swept]
    true_rate = [quotient(true, positives) for _, true, _ in swept]
    share = [(true + false) / total for _, true, false in swept]
    precision = [true / (true + false) if true + false else 1.0 for _, true, false in swept]
    for curve, x, y, area in (
        (roc(table), false_rate, true_rate, trapezoids(false_rate, true_rate)),
        (
            precision_recall(table),
            true_rate,
            precision,
            sum((true_rate[i] - true_rate[i - 1]) * precision[i] for i in range(1, len(swept)))
            if positives
            else None,
        ),
        (gain(table), share, true_rate, trapezoids(share, true_rate)),
    ):
        same(curve.thresholds, [threshold for threshold, _, _ in swept])
        same(curve.x, x)
        same(curve.y, y)
        assert close(curve.area, area)
    some = [index for index, one in enumerate(swept) if one[1] + one[2]]
    lifted = lift(table)
    same(lifted.thresholds, [swept[index][0] for index in some])
    same(lifted.x, [share[index] for index in some])
    same(lifted.y, [quotient(precision[index] * total, positives) for index in some])
    assert lifted.area is None


@settings(deadline=None)
@given(SAMPLES, st.lists(SCORES, min_size=1, max_size=10))
def test_calibration_counts_every_sample_once(
    samples: list[tuple[float, bool]], thresholds: list[float]
) -> None:
    found = calibration(made(samples, sorted(thresholds)))
    edges = [0.0, *sorted(thresholds), 1.0]
    wanted = []
    for index in range(len(edges) - 1):
        low, high = edges[index], edges[index + 1]
        last = index == len(edges) - 2
        inside = [positive for score, positive in samples if low <= score and (last or score < high)]
        if inside:
            wanted.append(((low + high) / 2, sum(inside) / len(inside), len(inside)))
    for column, expected in zip(
        (found.predicted, found.observed, found.counts), zip(*wanted, strict=True), strict=True
    ):
        same(column, expected)
    assert found.counts.sum() == len(samples)


@settings(deadline=None)
@given(SAMPLES)
def test_at_the_samples_own_thresholds_scikit_learn_agrees(samples: list[tuple[float, bool]]) -> None:
    scores, positive = zip(*samples, strict=True)
    assume(0 < sum(positive) < len(positive))
    table = made(samples, sorted(set(scores)))
    false_rate, true_rate, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    found = roc(table)
    same(found.x, false_rate)
    same(found.y, true_rate)
    same(found.thresholds, thresholds)
    assert close(found.area, roc_auc_score(positive, scores))
    precision, recall, thresholds = precision_recall_curve(positive, scores)
    found = precision_recall(table)
    same(found.x, recall[::-1])
    same(found.y, precision[::-1])
    same(found.thresholds[1:], thresholds[::-1])
    assert close(found.area, average_precision_score(positive, scores))


@settings(deadline=None)
@given(SAMPLES)
def test_calibration_is_that_of_scikit_learn(samples: list[tuple[float, bool]]) -> None:
    # Scores on the edges of bins belong to the bin above in tables, and below in scikit-learn; so there are none.
    moved = [(min(score, 0.95) + 0.01, positive) for score, positive in samples]
    scores, positive = zip(*moved, strict=True)
    assume(0 < sum(positive) < len(positive))
    observed, _ = calibration_curve(positive, scores, n_bins=5)
    same(calibration(made(moved, np.linspace(0, 1, 6).tolist())).observed, observed)


@settings(deadline=None)
@given(accuracy_tables())
def test_every_table_gives_bounded_curves(document: dict[str, Any]) -> None:
    found = results(MetricKind.ACCURACY_TABLE, document)
    assert found is not None
    assert found.micro is not None
    assert [one.label for one in found.classes] == document["data"]["class_labels"]
    assert sum(one.support for one in found.classes) == found.samples == found.micro.support
    for one in (*found.classes, found.micro):
        assert one.probability is not None
        assert one.percentile is not None
        assert (one.support, one.scores) == (one.probability.positive, None)
        for curve in (roc(one.probability), precision_recall(one.probability), gain(one.percentile)):
            if one.support and one.probability.negative:
                assert (curve.x >= 0).all()
                assert (curve.x <= 1).all()
                assert (np.diff(curve.x) >= 0).all()
                assert (curve.y >= 0).all()
                assert (curve.y <= 1).all()
                assert curve.area is not None
                assert 0 <= curve.area <= 1
    sides = [Average(found.classes, weighted=weighted) for weighted in (False, True)]
    areas = [(one.support, roc(one.probability).area) for one in found.classes if one.probability is not None]
    known = [(support, area) for support, area in areas if area is not None]
    wanted = [
        sum(area for _, area in known) / len(known) if known else None,
        sum(support * area for support, area in known) / sum(support for support, _ in known)
        if known
        else None,
    ]
    assert all(close(side.area(roc), mean) for side, mean in zip(sides, wanted, strict=True))
    assert sides[0].score("f1") is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = zip(*pairs, strict=True)
    classes = range(4)
    matrix = confusion_matrix(true, predicted, labels=classes)
    found = of_matrix([str(label) for label in classes], matrix.astype(float))
    wanted = precision_recall_fscore_support(true, predicted, labels=classes, zero_division=NAN)
    for index, one in enumerate(found.classes):
        assert one.scores is not None
        for value, column in zip(
            (one.scores.precision, one.scores.recall, one.scores.f1), wanted, strict=False
        ):
            assert close(value, None if math.isnan(column[index]) else column[index])
        assert one.support == wanted[3][index]
        others = [(t, p) for t, p in pairs if t != index]
        specificity = sum(p != index for _, p in others) / len(others) if others else None
        assert close(one.scores.specificity, specificity)
    assert found.samples == len(pairs)
    assert close(found.accuracy, accuracy_score(true, predicted))
    columns = [[value for value in column if not math.isnan(value)] for column in wanted[:3]]
    means = [sum(column) / len(column) if column else None for column in columns]
    macro = Average(found.classes, weighted=False)
    assert all(
        close(macro.score(name), mean)
        for name, mean in zip(("precision", "recall", "f1"), means, strict=True)
    )
    weighted = Average(found.classes, weighted=True)
    # Recalls weighted by support are the accuracy.
    assert close(weighted.score("recall"), found.accuracy)


def test_a_matrix_of_nothing() -> None:
    found = of_matrix(["a"], np.zeros((1, 1)))
    [only] = found.classes
    assert (found.samples, found.accuracy) == (0, None)
    assert only.scores is not None
    assert (only.scores.precision, only.scores.recall, only.scores.specificity, only.scores.f1) == (None,) * 4


@pytest.mark.parametrize("curve", [roc, precision_recall, gain])
def test_a_class_without_samples_has_no_curve(curve: Callable[[Table], Any]) -> None:
    nothing = Table(np.array([0.0, 1.0]), np.zeros((2, 4)))
    assert np.isnan(curve(nothing).x).all()
    assert curve(nothing).area is None
    assert len(lift(nothing).x) == len(calibration(nothing).counts) == 0


def test_other_kinds_give_nothing() -> None:
    assert results(MetricKind.RESIDUALS, {"data": {}}) is None
