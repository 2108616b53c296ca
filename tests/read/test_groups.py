from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.filter import Attribute, AttributeField, Bag, BagField
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.read.groups import Grouping, grouped, merged
from graphql_runs.read.values import Values, ValueType
from graphql_runs.store.port import Store


@pytest.fixture(scope="module")
def unread() -> Store:
    """No store: nothing is read of it."""
    return cast(Store, None)


params = st.dictionaries(
    st.sampled_from(["lr", "opt", "seed"]), st.sampled_from(["1", "1.0", "2", "sgd", "adam"]), max_size=3
)


def run(number: int, found: dict[str, str], status: RunStatus = RunStatus.COMPLETED) -> Run:
    return Run(f"run_{number}", f"{number}", "w", "e", "r", number, "n", "test", 0, status, 0, params=found)


def numeric(text: str | None) -> bool:
    return text is None or text in {"1", "1.0", "2"}


@given(found=st.lists(params, max_size=12), left_out=st.sets(st.sampled_from(["seed", "opt"])))
async def test_groups_by_params_are_those_of_a_plain_judge(
    unread: Store, found: list[dict[str, str]], left_out: set[str]
) -> None:
    runs = [run(number, one) for number, one in enumerate(found)]
    groups = await grouped(unread, runs, Grouping(params_except=tuple(left_out)), 0)
    names = sorted({name for one in found for name in one} - left_out)
    numbers = {name for name in names if all(numeric(one.get(name)) for one in found)}

    def mark(one: dict[str, str]) -> tuple[object, ...]:
        return tuple(float(one[name]) if name in numbers and name in one else one.get(name) for name in names)

    wanted: dict[object, list[int]] = {}
    for place, one in enumerate(found):
        wanted.setdefault(mark(one), []).append(place)
    assert groups.members == list(wanted.values())
    differing = [
        name for place, name in enumerate(names) if len({key[place] for key in map(mark, found)}) > 1
    ]
    assert groups.fields == tuple(BagField(Bag.PARAM, name) for name in differing)


async def test_groups_by_fields(unread: Store) -> None:
    runs = [
        run(0, {"lr": "0.1"}),
        run(1, {"lr": "1e-1"}, RunStatus.FAILED),
        run(2, {}),
        run(3, {"lr": "0.10"}),
        run(4, {}),
    ]
    by = (BagField(Bag.PARAM, "lr"), AttributeField(Attribute.STATUS))
    groups = await grouped(unread, runs, Grouping(by), 0)
    assert groups.members == [[0, 3], [1], [2, 4]]
    assert [column.values for column in groups.keys] == [
        [0.1, 0.1, None],
        ["COMPLETED", "FAILED", "COMPLETED"],
    ]


async def test_no_runs_are_no_groups(unread: Store) -> None:
    for by in (Grouping(params_except=()), Grouping((BagField(Bag.TAG, "x"),))):
        assert (await grouped(unread, [], by, 0)).members == []


cells = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf]))


@given(st.lists(st.lists(cells, min_size=1, max_size=6), min_size=1, max_size=5))
def test_numbers_come_to_mean_and_spread_of_what_is_finite(groups: list[list[float | None]]) -> None:
    flat = [value for group in groups for value in group]
    places = iter(range(len(flat)))
    members = [[next(places) for _ in group] for group in groups]
    means, spreads = merged(Values(ValueType.NUMBER, list(flat)), members)
    assert spreads is not None
    for group, mean, spread in zip(groups, means, spreads, strict=True):
        given_ = [value for value in group if value is not None]
        finite = [value for value in given_ if math.isfinite(value)]
        if not given_:
            assert mean is None
        elif not finite:
            assert isinstance(mean, float)
            assert math.isnan(mean)
        else:
            assert mean == pytest.approx(fmean(finite), abs=1e-6)
        if len(finite) < 2:
            assert spread is None
        else:
            assert spread == pytest.approx(stdev(finite), abs=1e-6)


def test_other_values_are_shared_or_nothing() -> None:
    texts = Values(ValueType.TEXT, ["a", "a", "b", None])
    assert merged(texts, [[0, 1], [1, 2], [3]]) == (["a", None, None], None)
    times = Values(ValueType.TIME, [1.0, 3.0, None, None])
    assert merged(times, [[0, 1], [1, 2], [3]]) == ([3.0, 3.0, None], None)
