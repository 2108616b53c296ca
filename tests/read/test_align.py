from __future__ import annotations

import math
from statistics import fmean, median, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.read import align
from graphql_runs.read.align import Aggregate, Line, aggregated, union

numbers = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0]), st.integers(-5, 5).map(float)
)
points = st.lists(st.tuples(st.integers(0, 12).map(float), numbers), max_size=14)
curves = st.lists(points, min_size=1, max_size=6)


def line(found: list[tuple[float, float]]) -> Line:
    found = sorted(found, key=lambda point: point[0])
    return Line.of(np.array([x for x, _ in found]), np.array([y for _, y in found]))


def judge(found: list[tuple[float, float]], x: float) -> float | None:
    """A run's value at x by the rule in words; None where it has none."""
    own = dict(sorted(found, key=lambda point: point[0]))
    if x in own:
        return own[x]
    before = [place for place in own if place < x]
    after = [place for place in own if place > x]
    if not before or not after:
        return None
    low, high = max(before), min(after)
    share = (x - low) / (high - low)
    return own[low] * (1 - share) + own[high] * share


@given(curves)
@settings(max_examples=200)
def test_groups_are_as_the_rule_says(found: list[list[tuple[float, float]]]) -> None:
    lines = [line(one) for one in found]
    x = union(lines, None, None)
    assert x.tolist() == sorted({place for one in found for place, _ in one})
    results = dict(zip(Aggregate, aggregated(lines, x, list(Aggregate)), strict=True))
    for index, place in enumerate(x.tolist()):
        values = [value for one in found if (value := judge(one, place)) is not None and math.isfinite(value)]
        shown = {aggregate: float(results[aggregate][index]) for aggregate in Aggregate}
        assert shown[Aggregate.COUNT] == len(values)
        if not values:
            assert all(math.isnan(shown[one]) for one in Aggregate if one is not Aggregate.COUNT)
            continue
        wanted = {
            Aggregate.MEAN: fmean(values),
            Aggregate.MEDIAN: median(values),
            Aggregate.MIN: min(values),
            Aggregate.MAX: max(values),
        }
        for aggregate, value in wanted.items():
            assert shown[aggregate] == pytest.approx(value, rel=1e-9, abs=1e-6)
        if len(values) > 1:
            assert shown[Aggregate.STD] == pytest.approx(stdev(values), rel=1e-9, abs=1e-6)
        else:
            assert math.isnan(shown[Aggregate.STD])


@given(curves, st.integers(1, 7))
def test_blocks_change_nothing(found: list[list[tuple[float, float]]], width: int) -> None:
    lines = [line(one) for one in found]
    x = union(lines, None, None)
    whole = aggregated(lines, x, list(Aggregate))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(align, "_BLOCK", width * len(lines))
        for one, other in zip(whole, aggregated(lines, x, list(Aggregate)), strict=True):
            assert one.tobytes() == other.tobytes()


def test_the_last_of_equal_x_counts() -> None:
    assert Line.of(np.array([0, 1, 1, 2]), np.array([1, 2, 3, 4])).at(np.array([1.0])).tolist() == [3.0]


def test_a_range_keeps_what_lies_in_it() -> None:
    lines = [line([(0, 1), (2, 1)]), line([(1, 1), (3, 1)])]
    assert union(lines, 1, 2).tolist() == [1.0, 2.0]
    assert union(lines, None, 0.5).tolist() == [0.0]


def test_an_x_that_is_not_a_number_is_no_place() -> None:
    found = Line.of(np.array([0.0, 1.0, math.nan]), np.array([1.0, 2.0, 3.0]))
    assert found.x.tolist() == [0.0, 1.0]
    assert np.isnan(found.at(np.array([1.5]))).all()


def test_large_values_do_not_overflow_on_the_way() -> None:
    huge = line([(-1e308, -1e308), (1e308, 1e308)])
    assert huge.at(np.array([0.0])).tolist() == [0.0]
