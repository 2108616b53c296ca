from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.check import NUMERIC
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    Field,
    MetricField,
    Not,
    Op,
    Or,
    RunFilter,
    Stat,
    Under,
)
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.read.where import parse, written
from graphql_runs.read.where.words import TIMES

LAST_MOMENT = 253_402_300_799_999_999
FIXED: dict[Attribute, list[str]] = {
    Attribute.STATUS: list(RunStatus),
    Attribute.STATUS_CLASS: list(StatusClass),
}

# Names and values that a text would have to be careful with.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "it's",
        '"',
        "`",
        "``",
        "a b",
        "a.b",
        "not",
        "and",
        "NULL",
        "true",
        "1",
        "-1",
        "inf",
        "\\",
        "'",
        "''",
        "\n",
        "(",
    ]
)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
words = [name for name in Attribute if name not in NUMERIC and name not in FIXED]
plain_numbers = [name for name in Attribute if name in NUMERIC and name not in TIMES]
text_fields = st.sampled_from([AttributeField(name) for name in words]) | st.builds(
    BagField, st.sampled_from(Bag), texts
)
number_fields = (
    st.sampled_from([AttributeField(name) for name in plain_numbers])
    | st.builds(MetricField, texts, st.sampled_from(Stat))
    | st.builds(BagField, st.sampled_from(Bag), texts)
)
time_fields = st.sampled_from([AttributeField(name) for name in sorted(TIMES)])
fields: st.SearchStrategy[Field] = text_fields | number_fields | time_fields
ORDERED = [Op.EQ, Op.NE, Op.LT, Op.LTE, Op.GT, Op.GTE]


def compares(
    of: st.SearchStrategy[Field], values: st.SearchStrategy[str | int | float]
) -> st.SearchStrategy[Compare]:
    return st.builds(Compare, of, st.sampled_from(ORDERED), values) | st.builds(
        Compare, of, st.sampled_from([Op.IN, Op.NOT_IN]), st.lists(values, max_size=3).map(tuple)
    )


_leaves: st.SearchStrategy[RunFilter] = st.one_of(
    compares(text_fields, texts),
    compares(number_fields, numbers),
    compares(time_fields, st.integers(-(10**15), LAST_MOMENT)),
    *(
        compares(st.just(AttributeField(name)), st.sampled_from([str(one) for one in of]))
        for name, of in FIXED.items()
    ),
    st.builds(Compare, fields, st.just(Op.EXISTS), st.booleans()),
    st.builds(Compare, text_fields, st.just(Op.CONTAINS), texts),
    st.builds(
        Compare,
        text_fields,
        st.sampled_from([Op.LIKE, Op.ILIKE]),
        texts.filter(lambda text: "\\" not in text),
    ),
    st.builds(Compare, text_fields, st.just(Op.REGEX), st.sampled_from(["", "a'b", "^x|y$", r"\d+", '["`]'])),
    st.builds(Under, texts, texts),
)


@st.composite
def leaves(draw: st.DrawFn) -> RunFilter:
    """A single condition; of a name of its own, as what it is made of is long to print."""
    return draw(_leaves)


filters: st.SearchStrategy[RunFilter] = st.recursive(
    leaves(),
    lambda part: st.one_of(
        st.builds(And, st.lists(part, max_size=3).filter(lambda parts: len(parts) != 1).map(tuple)),
        st.builds(Or, st.lists(part, max_size=3).filter(lambda parts: len(parts) != 1).map(tuple)),
        part.map(Not),
        part.map(Child),
        part.map(Ancestor),
    ),
    max_leaves=8,
)


@given(filters)
def test_what_is_written_reads_as_the_same_filter(where: RunFilter) -> None:
    assert parse(written(where), 0) == where


@given(filters)
def test_one_part_is_written_as_that_part(where: RunFilter) -> None:
    assert written(And((Or((where,)),))) == written(where)
    assert parse(written(Not(And((where,)))), 0) == Not(where)


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), 10**30])
def test_what_is_no_time_cannot_be_written(moment: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        written(Compare(AttributeField(Attribute.CREATED_AT), Op.LT, moment))
    assert "created_at" in caught.value.message
