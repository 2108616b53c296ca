from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from graphql_runs.read.downsample import Thinner, bucket_size, kept_rows

numbers = st.one_of(
    st.floats(width=64),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0]),
)
curves = hnp.arrays(np.float64, st.integers(1, 400), elements=numbers)
most = st.integers(4, 60)


def buckets(values: NDArray[Any], points: int) -> list[tuple[int, NDArray[Any]]]:
    """The buckets that the rule names: where each begins, and its values."""
    size = bucket_size(len(values), points)
    return [(start, values[start : start + size]) for start in range(0, len(values), size)]


@given(curves, most)
def test_rows_are_few_in_order_and_once(values: NDArray[Any], points: int) -> None:
    kept = kept_rows(values, points)
    assert len(kept) <= points
    assert all(one < other for one, other in pairwise(kept.tolist()))
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1


@given(curves, most)
def test_each_bucket_keeps_first_last_least_and_greatest(values: NDArray[Any], points: int) -> None:
    kept = set(kept_rows(values, points).tolist())
    if len(values) <= points:
        assert kept == set(range(len(values)))
        return
    for start, bucket in buckets(values, points):
        rows = [row - start for row in kept if start <= row < start + len(bucket)]
        assert {0, len(bucket) - 1} <= set(rows)
        finite = bucket[np.isfinite(bucket)]
        if len(finite):
            shown = bucket[rows]
            assert finite.min() in shown
            assert finite.max() in shown


@given(curves, most)
def test_what_is_not_finite_shows_where_there_is_room(values: NDArray[Any], points: int) -> None:
    if len(values) <= points:
        return
    kept = set(kept_rows(values, points).tolist())
    for start, bucket in buckets(values, points):
        if np.isfinite(bucket).all():
            continue
        rows = [row - start for row in kept if start <= row < start + len(bucket)]
        assert len(rows) == 4 or not np.isfinite(bucket[rows]).all()


@given(curves, most)
def test_the_same_rows_twice(values: NDArray[Any], points: int) -> None:
    assert kept_rows(values, points).tobytes() == kept_rows(values.copy(), points).tobytes()


@given(curves, most, st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_piece_by_piece_gives_the_same_rows(values: NDArray[Any], points: int, sizes: list[int]) -> None:
    if len(values) <= points:
        return
    thinner = Thinner(len(values), points)
    rows = np.arange(len(values))
    start = 0
    while start < len(values):
        stop = start + sizes[start % len(sizes)]
        thinner.add(values[start:stop], rows[start:stop])
        start = stop
    y, kept = thinner.finish()
    expected = kept_rows(values, points)
    assert kept.tolist() == expected.tolist()
    assert y.tobytes() == values[expected].tobytes()


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.float64])
def test_numbers_of_any_type(dtype: type) -> None:
    values = (np.arange(1000) % 7 == 3).astype(dtype)
    kept = kept_rows(values, 100)
    assert len(kept) <= 100
    assert values[kept].max() == 1
    assert values[kept].min() == 0


def test_large_integers_are_told_apart() -> None:
    # As doubles these two would be equal.
    values = np.full(100, 2**53, dtype=np.int64)
    values[42] = 2**53 + 1
    assert 42 in kept_rows(values, 8).tolist()


def test_a_bucket_of_nothing_but_nan_stays() -> None:
    values = np.concatenate([np.zeros(50), np.full(50, np.nan), np.ones(50)])
    shown = values[kept_rows(values, 12)]
    assert np.isnan(shown).any()
    assert {0.0, 1.0} <= set(shown[np.isfinite(shown)].tolist())
