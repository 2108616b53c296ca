"""The metrics of a run: pages of them in any order, and pages of one metric's rows."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.points import Points
from graphql_runs.model.records import Metric
from graphql_runs.read.points import read_points
from graphql_runs.read.text import fold
from graphql_runs.store.port import Store
from graphql_runs.store.segment import step_missing as step_missing

_CHUNK = 1000


class MetricOrder(StrEnum):
    """The order of a run's metrics."""

    NAME = "NAME"
    FIRST_NON_FINITE_STEP = "FIRST_NON_FINITE_STEP"
    LAST_AT = "LAST_AT"


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """Which metrics of a run, in which order. `contains` ignores the case of ASCII letters."""

    run: str
    names: tuple[str, ...] | None = None
    contains: str | None = None
    non_finite: bool | None = None
    order: MetricOrder = MetricOrder.NAME


async def page_metrics(store: Store, choice: MetricChoice, *, after: Key | None, first: int) -> list[Metric]:
    """The first metrics of the choice after a key. Raises InvalidInput (field after) when the key is of another order."""
    if after is not None and not _fitting(choice, after):
        raise InvalidInput("after is not a cursor of this list", field="after")
    if choice.names is None and choice.non_finite is None and choice.order is MetricOrder.NAME:
        name = None if after is None else str(after.values[0])
        return await store.list_named(Metric, choice.run, after=name, first=first, contains=choice.contains)
    found = sorted(
        [metric async for metric in _chosen(store, choice)], key=lambda metric: _rank(choice, metric)
    )
    if after is not None:
        place = _comparable(choice, after.values)
        found = [metric for metric in found if _rank(choice, metric) > place]
    return found[:first]


async def count_metrics(store: Store, choice: MetricChoice) -> int:
    """How many metrics the choice has."""
    if choice.names is None and choice.non_finite is None:
        return await store.count(Metric, choice.run, contains=choice.contains)
    return sum([1 async for _ in _chosen(store, choice)])


def metric_key(choice: MetricChoice, metric: Metric) -> Key:
    """Where a metric stands in the order of the choice."""
    match choice.order:
        case MetricOrder.NAME:
            return Key((metric.name,), metric.id)
        case MetricOrder.FIRST_NON_FINITE_STEP:
            return Key((metric.first_non_finite_step, metric.name), metric.id)
        case MetricOrder.LAST_AT:
            return Key((metric.last_at, metric.name), metric.id)


def _fitting(choice: MetricChoice, key: Key) -> bool:
    match key.values:
        case (str(),):
            return choice.order is MetricOrder.NAME
        case (int() | float() | None, str()):
            return choice.order is not MetricOrder.NAME
    return False


async def _chosen(store: Store, choice: MetricChoice) -> AsyncIterator[Metric]:
    if choice.names is not None:
        wanted = [ids.metric_id(choice.run, name) for name in dict.fromkeys(choice.names)]
        for metric in await store.get(Metric, wanted):
            if metric is not None and _fits(choice, metric):
                yield metric
        return
    after: str | None = None
    while True:
        found = await store.list_named(
            Metric, choice.run, after=after, first=_CHUNK, contains=choice.contains
        )
        for metric in found:
            if _fits(choice, metric):
                yield metric
        if len(found) < _CHUNK:
            return
        after = found[-1].name


def _fits(choice: MetricChoice, metric: Metric) -> bool:
    if choice.non_finite is not None and choice.non_finite != (metric.non_finite > 0):
        return False
    # Names were not asked of the store, so `contains` is still to be looked at.
    return choice.contains is None or fold(choice.contains) in fold(metric.name)


def _rank(choice: MetricChoice, metric: Metric) -> tuple[float, str]:
    return _comparable(choice, metric_key(choice, metric).values)


def _comparable(choice: MetricChoice, values: Sequence[str | int | float | None]) -> tuple[float, str]:
    """Ascending: earliest non-finite step first, latest time first, missing ones last, then by name."""
    *head, name = values
    if not head:
        return 0.0, str(name)
    number = head[0]
    if not isinstance(number, int | float):
        return math.inf, str(name)
    return (-number if choice.order is MetricOrder.LAST_AT else number), str(name)


async def page_rows(store: Store, metric: Metric, start: int, first: int) -> Points:
    """Rows `[start, start + first)` of a metric, fewer where it ends earlier."""
    return await read_points(store, metric.id, start, min(start + first, metric.count))
