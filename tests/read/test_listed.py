from __future__ import annotations

import pytest

from graphql_runs.model.filter import And, Attribute, AttributeField, Compare, Not, Op, Or, RunFilter
from graphql_runs.read.listed import in_trash, is_alias, listed

NAMED = Compare(AttributeField(Attribute.NAME), Op.EQ, "a")
KEPT, OWN = in_trash(False), is_alias(False)


@pytest.mark.parametrize("where", [None, NAMED, Or((NAMED, NAMED)), Not(NAMED), And(())], ids=str)
def test_lists_leave_out_the_trash_and_aliases(where: RunFilter | None) -> None:
    assert listed(where) == And((KEPT, OWN) if where is None else (where, KEPT, OWN))


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
def test_a_filter_that_speaks_of_the_trash_decides_it(where: RunFilter) -> None:
    assert listed(where) == And((where, OWN))


@pytest.mark.parametrize(
    "where",
    [
        is_alias(True),
        And((NAMED, Not(is_alias(False)))),
        Compare(AttributeField(Attribute.ALIAS_OF), Op.EQ, "run_x"),
    ],
    ids=str,
)
def test_a_filter_that_speaks_of_aliases_decides_it(where: RunFilter) -> None:
    assert listed(where) == And((where, KEPT))
    both = And((where, in_trash(True)))
    assert listed(both) is both
