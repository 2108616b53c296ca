from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.schema.scalars import (
    column_in,
    column_out,
    decode_json,
    encode_json,
    floats_in,
    number_out,
    times_in,
    times_out,
)

numbers = st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1))


def through_json(value: Any) -> Any:
    return decode_json(encode_json(value))


@given(st.lists(st.floats(), max_size=50))
def test_doubles_come_back_as_they_were(values: list[float]) -> None:
    found = floats_in(through_json(column_out(np.array(values, dtype=np.float64))))
    assert np.array_equal(found.astype(np.float64), np.array(values, dtype=np.float64), equal_nan=True)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_integers_come_back_as_they_were(values: list[int]) -> None:
    found = floats_in(through_json(column_out(np.array(values, dtype=np.int64))))
    assert found.dtype == np.int64
    assert found.tolist() == values


def test_arrays_that_need_no_change_pass_untouched() -> None:
    for array in (np.array([1.0, 2.5]), np.array([1, 2]), np.array([True, False])):
        assert column_out(array) is array


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([1.0, math.nan, math.inf, -math.inf]), [1.0, "NaN", "Infinity", "-Infinity"]),
        (np.array([1, 2**53, 2**53 + 1, -(2**60)]), [1, 2**53, "9007199254740993", "-1152921504606846976"]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", None, 1.5, math.nan, True], dtype=object), ["a", None, 1.5, "NaN", True]),
        ([None, 3, "x"], [None, 3, "x"]),
        (np.array([], dtype=np.float64), []),
        (np.arange(6.0)[::2], [0.0, 2.0, 4.0]),
        (np.arange(6, dtype=np.uint8)[::-1], [5, 4, 3, 2, 1, 0]),
    ],
)
def test_columns_in_json(values: Any, wanted: list[Any]) -> None:
    assert through_json(column_out(values)) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(1.5, 1.5), (2, 2), (None, None), (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (2**53 + 1, "9007199254740993")],
)  # fmt: skip
def test_single_numbers(value: Any, wanted: Any) -> None:
    assert number_out(value) == wanted


@pytest.mark.parametrize(
    ("given", "wanted", "dtype"),
    [
        ([1, 2], [1, 2], np.int64),
        ([1.5, 2], [1.5, 2.0], np.float64),
        ([1, "Infinity"], [1.0, math.inf], np.float64),
        (["9007199254740993"], [9007199254740993], np.int64),
        ([], [], np.float64),
    ],
)
def test_columns_of_numbers_are_taken(given: Any, wanted: list[Any], dtype: type) -> None:
    found = floats_in(given)
    assert found.dtype == dtype
    assert found.tolist() == wanted


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ([1, None], "index 1"),
        ([1.0, "nan"], "index 1"),
        ([True], "index 0"),
        ([[1]], "index 0"),
        ([1, 2**63], "index 1"),
        (["9223372036854775808"], "index 0"),
        ([1, {}], "index 1"),
        (3, "list"),
        ("NaN", "list"),
    ],
)
def test_what_is_no_column_of_numbers(given: Any, place: str) -> None:
    with pytest.raises(GraphQLError, match=place):
        floats_in(given)


@given(st.lists(st.integers(-(2**33) * 10**6, 2**33 * 10**6), min_size=1, max_size=20))
def test_times_are_exact_to_the_microsecond(micros: list[int]) -> None:
    seconds = through_json(times_out(np.array(micros, dtype=np.int64)))
    assert times_in(seconds).tolist() == micros


@pytest.mark.parametrize("given", [["NaN"], [1e300], ["Infinity"], [None], 5])
def test_what_is_no_time(given: Any) -> None:
    with pytest.raises(GraphQLError):
        times_in(given)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([1, 2.5, None], [1, 2.5, None]),
        ([1, "NaN"], [1, math.nan]),
        (["Infinity", "-Infinity"], [math.inf, -math.inf]),
        (["a", "NaN", None], ["a", "NaN", None]),
        ([True, None], [True, None]),
        ([], []),
    ],
)
def test_columns_are_of_one_type(given: Any, wanted: list[Any]) -> None:
    assert repr(column_in(given)) == repr(wanted)


@pytest.mark.parametrize("given", [[1, "a"], [[1]], 3, {"a": 1}])
def test_what_is_no_column(given: Any) -> None:
    with pytest.raises(GraphQLError):
        column_in(given)
