"""Runs in groups: those that share some values, and what the values of a group come to.

Groups come in the order of their first run. A run without a value is in a group with the others that have none. Numbers are equal
as numbers: `0.1` and `1e-1` are one value of a param all of whose values are numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphql_runs.model.filter import Bag, BagField, Field
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.read.values import Value, Values, ValueType, number_of, param_values, values_of
from graphql_runs.store.port import Store


@dataclass(frozen=True, slots=True)
class Grouping:
    """What groups are told apart by: some fields, or every param but those of some names."""

    fields: tuple[Field, ...] = ()
    params_except: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """Some runs in groups.

    members: of each group, the places of its runs in the list that was grouped, ascending.
    fields:  what tells the groups apart. Where every param does, those by name that not all groups have the same value of.
    keys:    for each of the fields, the value of every group.
    """

    members: list[list[int]]
    fields: tuple[Field, ...]
    keys: list[Values]


async def grouped(store: Store, runs: Sequence[Run], grouping: Grouping, now: Micros) -> Groups:
    """The groups of some runs."""
    if grouping.params_except is not None:
        return _by_params(runs, frozenset(grouping.params_except))
    found = await values_of(store, runs, grouping.fields, now)
    marks = zip(*(map(_mark, column.values) for column in found), strict=True) if found else [()] * len(runs)
    members = _members(marks)
    firsts = [places[0] for places in members]
    keys = [Values(column.type, [column.values[place] for place in firsts]) for column in found]
    return Groups(members, grouping.fields, keys)


def _by_params(runs: Sequence[Run], left_out: frozenset[str]) -> Groups:
    numbers: dict[str, Value] = {text: number_of(text) for run in runs for text in run.params.values()}
    texts = {key for run in runs for key, text in run.params.items() if numbers[text] is None}
    members = _members(
        frozenset(
            (key, text if key in texts else _mark(numbers[text]))
            for key, text in run.params.items()
            if key not in left_out
        )
        for run in runs
    )
    params: list[Mapping[str, str]] = [runs[places[0]].params for places in members]
    fields, keys = [], []
    for name in sorted({name for found in params for name in found} - left_out):
        column = param_values([found.get(name) for found in params])
        if len(set(map(_mark, column.values))) > 1:
            fields.append(BagField(Bag.PARAM, name))
            keys.append(column)
    return Groups(members, tuple(fields), keys)


def _members(marks: Iterable[Hashable]) -> list[list[int]]:
    found: dict[Hashable, list[int]] = {}
    for place, mark in enumerate(marks):
        found.setdefault(mark, []).append(place)
    return list(found.values())


def _mark(value: Value) -> Value:
    """What equal values have in common; NaN equals nothing, not even itself."""
    return "NaN" if value != value else value


def merged(column: Values, members: Sequence[Sequence[int]]) -> tuple[list[Value], list[float | None] | None]:
    """What the values of each group come to, and their spread where they are numbers.

    Numbers come to the mean of the finite ones, NaN where there are others only; their spread is the sample standard deviation
    (n - 1), None for fewer than two. Of times it is the latest, of all else the value that all runs of the group share.
    """
    groups = [[column.values[place] for place in places] for places in members]
    match column.type:
        case ValueType.NUMBER:
            found = [_mean_and_spread(values) for values in groups]
            return [mean for mean, _ in found], [spread for _, spread in found]
        case ValueType.TIME:
            return [max(numbers, default=None) for numbers in map(_numbers, groups)], None
    return [values[0] if len(set(values)) == 1 else None for values in groups], None


def _mean_and_spread(values: Sequence[Value]) -> tuple[float | None, float | None]:
    numbers = np.array(_numbers(values), dtype=np.float64)
    if not len(numbers):
        return None, None
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return float("nan"), None
    with np.errstate(over="ignore", invalid="ignore"):
        return float(finite.mean()), float(finite.std(ddof=1)) if len(finite) > 1 else None


def _numbers(values: Sequence[Value]) -> list[int | float]:
    return [value for value in values if isinstance(value, int | float)]
