from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.records import Metric
from graphql_runs.record.summary import carry_on

EMPTY = Metric("metric", "run", "root", "workspace", "experiment", "loss")
point = st.tuples(st.floats(width=32), st.integers(-1000, 1000))


@given(st.lists(st.tuples(st.booleans(), st.lists(point, min_size=1, max_size=8)), min_size=1, max_size=6))
def test_summary_is_that_of_all_points(pieces: list[tuple[bool, list[tuple[float, int]]]]) -> None:
    metric = EMPTY
    rows: list[tuple[float, int]] = []
    for with_steps, piece in pieces:
        values = np.array([value for value, _ in piece])
        steps = np.array([step for _, step in piece]) if with_steps else None
        rows += [(value, step if with_steps else len(rows) + i) for i, (value, step) in enumerate(piece)]
        metric = carry_on(metric, values, steps, np.arange(len(piece), dtype=np.int64))

    finite = [(value, step) for value, step in rows if math.isfinite(value)]
    strange = [step for value, step in rows if not math.isfinite(value)]
    assert metric.count == len(rows)
    assert metric.finite == len(finite)
    assert metric.non_finite == len(strange)
    assert metric.first_non_finite_step == (strange[0] if strange else None)
    assert (metric.first_step, metric.last_step) == (rows[0][1], rows[-1][1])
    assert metric.last is not None
    assert metric.last == rows[-1][0] or (math.isnan(metric.last) and math.isnan(rows[-1][0]))
    if finite:
        low, high = min(value for value, _ in finite), max(value for value, _ in finite)
        assert (metric.min, metric.max) == (low, high)
        # The first place where the extreme stood.
        assert metric.min_step == next(step for value, step in finite if value == low)
        assert metric.max_step == next(step for value, step in finite if value == high)
        assert metric.mean is not None
        assert math.isclose(
            metric.mean,
            sum(v for v, _ in finite) / len(finite),
            rel_tol=1e-9,
            abs_tol=1e-6 * (1 + abs(high) + abs(low)),
        )
    else:
        assert (metric.min, metric.max, metric.mean) == (None, None, None)


def test_a_metric_of_texts_only_counts() -> None:
    metric = carry_on(EMPTY, None, None, np.array([5, 6], dtype=np.int64))
    assert (metric.count, metric.last_at, metric.last_step, metric.last) == (2, 6, 1, None)


def test_huge_values_do_not_warn() -> None:
    metric = carry_on(EMPTY, np.array([1.7e308, 1.7e308]), None, np.array([1, 2], dtype=np.int64))
    assert metric.max == 1.7e308
