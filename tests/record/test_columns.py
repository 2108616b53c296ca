from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.errors import InvalidInput
from graphql_runs.record import columns


@given(st.lists(st.floats(), min_size=1))
def test_floats_stay_as_they_are(values: list[float]) -> None:
    found = columns.numbers(values, "values")
    assert found.dtype == np.float64
    assert np.array_equal(found, np.array(values), equal_nan=True)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_stay_exact(values: list[int]) -> None:
    assert [int(value) for value in columns.numbers(values, "values")] == values


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1))
def test_integers_that_a_double_holds_become_doubles(values: list[int]) -> None:
    assert columns.numbers(values, "values").dtype == np.float64


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([1.0, None], "values[1]"),
        ([1.0, "2"], "values[1]"),
        ([2**63], "values"),
        ([1, 2**70], "values[1]"),
        ([], "values"),
        ([[1.0]], "values"),
        ([object()], "values[0]"),
    ],
)
def test_what_is_no_number_is_named(values: list[object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        columns.numbers(values, "values")  # type: ignore[arg-type]  # wrong input is the subject
    assert caught.value.field == field


def test_steps_become_integers_where_they_are_whole() -> None:
    assert columns.steps([0.0, 1.0], 2, "steps").dtype == np.int64  # type: ignore[union-attr]
    assert columns.steps([0.0, 0.5], 2, "steps").dtype == np.float64  # type: ignore[union-attr]
    assert columns.steps([2**53 + 1], 1, "steps")[0] == 2**53 + 1  # type: ignore[index]


@pytest.mark.parametrize("steps", [[1.0], [1.0, math.nan], [1.0, math.inf], [True, False], ["a", "b"]])
def test_wrong_steps_are_refused(steps: list[float]) -> None:
    with pytest.raises(InvalidInput, match="steps"):
        columns.steps(steps, 2, "steps")


def test_times_are_those_of_arrival_where_none_is_given() -> None:
    assert columns.times(None, 2, 7, "at").tolist() == [7, 7]
    assert columns.times([1, 2], 2, 7, "at").tolist() == [1, 2]
    with pytest.raises(InvalidInput):
        columns.times([0.5, 1.5], 2, 7, "at")


def test_columns_of_rows_keep_their_type() -> None:
    assert columns.column([True, False], "c").dtype == np.bool_
    assert columns.column([1, None], "c").tolist()[0] == 1.0
    assert math.isnan(columns.column([1, None], "c")[1])
    assert columns.column(["a", None], "c").tolist() == ["a", None]
    with pytest.raises(InvalidInput, match=r"c\[1\]"):
        columns.column(["a", b"b"], "c")  # type: ignore[list-item]  # wrong input is the subject
