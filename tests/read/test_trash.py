from __future__ import annotations

import pytest

from graphql_runs.model.filter import And, Attribute, AttributeField, Compare, Not, Op, Or, RunFilter
from graphql_runs.read.trash import in_trash, outside_trash

NAMED = Compare(AttributeField(Attribute.NAME), Op.EQ, "a")


@pytest.mark.parametrize("where", [None, NAMED, Or((NAMED, NAMED)), Not(NAMED), And(())], ids=str)
def test_lists_leave_out_the_trash(where: RunFilter | None) -> None:
    assert outside_trash(where) == (in_trash(False) if where is None else And((where, in_trash(False))))


@pytest.mark.parametrize(
    "where",
    [
        in_trash(True),
        in_trash(False),
        And((NAMED, Or((NAMED, in_trash(True))))),
        Not(in_trash(False)),
        Compare(AttributeField(Attribute.TRASHED_AT), Op.LT, 7),
    ],
    ids=str,
)
def test_a_filter_that_speaks_of_the_trash_is_taken_as_it_is(where: RunFilter) -> None:
    assert outside_trash(where) is where
