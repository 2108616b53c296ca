"""Into the middle of a list: the key of a row by its number, without reading the rows before it.

Stores find a page by the key before it. The key of a row is found by counting: of some runs drawn from the list, one near the
row wanted is taken, and how many runs come before its value says on which side of it the row lies. Ids are hashes, so the
runs with the least ids are a fair sample of any list, and the same one each time. A list of 100,000 runs takes about two rounds of
one page and two counts, then a page of at most `NEAR` runs; work in a list of n runs grows with what the store needs to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from operator import attrgetter

from graphql_runs.model.bags import bag_of
from graphql_runs.model.errors import Conflict
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    BagField,
    Compare,
    Field,
    Key,
    MetricField,
    Not,
    Op,
    Or,
    Order,
    RunFilter,
)
from graphql_runs.model.run import Run
from graphql_runs.read.phases import duration
from graphql_runs.read.values import Value, metrics_of, number_of
from graphql_runs.store.port import Store

NEAR = 1000
"""So many rows are walked one by one."""
_SAMPLE = 500
_ID = AttributeField(Attribute.ID)
_ALWAYS = {
    AttributeField(attribute)
    for attribute in (
        Attribute.ID,
        Attribute.RUN_ID,
        Attribute.NUMBER,
        Attribute.NAME,
        Attribute.SOURCE,
        Attribute.STATUS,
        Attribute.STATUS_CLASS,
        Attribute.CREATED_AT,
        Attribute.DEPTH,
    )
}
"""Fields that every run has a value of."""


async def key_of_row(store: Store, where: RunFilter, order: Sequence[Order], row: int) -> Key | None:
    """The key of the row of that number, from 0, in a list of runs; None when the list has not so many.

    Runs that come and go meanwhile may shift it by as many rows; raises Conflict when hardly any are left of it.
    """
    count = await store.count_runs(where)
    if row >= count:
        return None
    part = _Part(where, row, count)
    for by in (*order, Order(_ID)):
        if part.row < NEAR:
            break
        part = await _within(store, part, by)
    found = await store.find_runs(part.where, order, first=part.row + 1)
    return found[-1].key if found else None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a list that is in one piece: the runs that match, the number in it of the row wanted, and of all of its rows."""

    where: RunFilter
    row: int
    count: int


async def _within(store: Store, part: _Part, by: Order) -> _Part:
    """A part that has the row among its first `NEAR`, or whose runs are all equal by this criterion."""
    given, count = part.where, part.count
    if by.field not in _ALWAYS:
        given = And((part.where, Compare(by.field, Op.EXISTS, True)))
        count = await store.count_runs(given)
    lacking = part.count - count
    start = lacking if by.nulls_first else 0
    if not start <= part.row < start + count:
        row = part.row - (0 if by.nulls_first else count)
        return _Part(And((part.where, Compare(by.field, Op.EXISTS, False))), row, lacking)
    # The bounds that the sample is drawn between, and how many runs come before each.
    part = _Part(given, part.row - start, count)
    low, low_row, high, high_row = given, 0, None, count
    while part.row - low_row >= NEAR:
        inside = low if high is None else And((low, high))
        pivot = await _pivot(store, inside, by, (part.row - low_row) / (high_row - low_row))
        if pivot is None:
            raise Conflict("the list changed while its rows were counted; ask again")
        before = _before(by.field, pivot, by.descending)
        above = await store.count_runs(And((given, before)))
        if above > part.row:
            high, high_row = before, above
            continue
        equal = And((given, Compare(by.field, Op.EQ, pivot)))
        same = await store.count_runs(equal)
        if part.row < above + same:
            return _Part(equal, part.row - above, same)
        low = And((given, _before(by.field, pivot, not by.descending)))
        low_row = above + same
    return _Part(low, part.row - low_row, count - low_row)


async def _pivot(store: Store, inside: RunFilter, by: Order, fraction: float) -> str | int | float | None:
    """A value that about such a fraction of the runs come before, or a little less; None when there are no runs."""
    runs = [found.run for found in await store.find_runs(inside, [Order(_ID)], first=_SAMPLE)]
    values = [value for value in await _sorted_by(store, runs, by.field) if value is not None]
    values.sort(key=lambda value: (isinstance(value, str), value), reverse=by.descending)
    place = fraction * len(values)
    # By as much too early as a sample is off: then what is left lies right behind it, and a short way is walked.
    return values[int(max(0.0, place - sqrt(place * (1 - fraction))))] if values else None


async def _sorted_by(store: Store, runs: Sequence[Run], field: Field) -> list[str | int | float | None]:
    """The values that runs are sorted by, as `Order` has them."""
    found: list[Value]
    match field:
        case MetricField(name, stat):
            metrics = (await metrics_of(store, runs, [name]))[name]
            found = [None if one is None else getattr(one, stat.value) for one in metrics]
        case BagField(bag, key):
            texts = [bag_of(run, bag).get(key) for run in runs]
            found = [None if text is None else _number_or(text) for text in texts]
        case AttributeField(Attribute.DURATION):
            found = [duration(run) for run in runs]
        case AttributeField(Attribute.STATUS_CLASS):
            found = [run.status.status_class.value for run in runs]
        case AttributeField(attribute):
            found = list(map(attrgetter(attribute.value), runs))
    return [None if value is None or value != value else value for value in found]


def _number_or(text: str) -> int | float | str:
    number = number_of(text)
    return text if number is None or number != number else number


def _before(field: Field, value: str | int | float, descending: bool) -> RunFilter:
    """The runs that come before a value. Of the texts of a bag those that spell numbers are less than all others."""
    compared = Compare(field, Op.GT if descending else Op.LT, value)
    if not isinstance(field, BagField):
        return compared
    number = Compare(field, Op.LTE, float("inf"))
    other = And((Compare(field, Op.EXISTS, True), Not(number)))
    if isinstance(value, str):
        return And((compared, other)) if descending else Or((compared, number))
    return Or((compared, other)) if descending else compared
