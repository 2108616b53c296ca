from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.read.values import ValueType, number_of, param_values
from graphql_runs.store import fields

spellings = st.one_of(
    st.text(max_size=8),
    st.floats().map(repr),
    st.integers().map(str),
    st.text("0123456789.eE+-infINFatyx_ ", max_size=10),
)


@given(spellings)
def test_texts_spell_numbers_as_filters_and_orders_have_it(text: str) -> None:
    found, wanted = number_of(text), fields.number_of(text)
    if wanted is None:
        assert found is None or math.isnan(found)
    else:
        assert found == wanted


@pytest.mark.parametrize(
    ("texts", "type", "values"),
    [
        (["1", "0.5", None], ValueType.NUMBER, [1, 0.5, None]),
        (["1", "auto"], ValueType.TEXT, ["1", "auto"]),
        ([None, None], ValueType.TEXT, [None, None]),
        ([], ValueType.TEXT, []),
        (["-inf", "1e3"], ValueType.NUMBER, [-math.inf, 1000.0]),
        (["1_000"], ValueType.TEXT, ["1_000"]),
    ],
)
def test_params_are_numbers_where_all_are(
    texts: list[str | None], type: ValueType, values: list[object]
) -> None:
    found = param_values(texts)
    assert (found.type, found.values) == (type, values)


def test_a_param_may_be_nan() -> None:
    found = param_values(["nan", "1"])
    assert found.type is ValueType.NUMBER
    assert math.isnan(float(found.values[0] or 0))
