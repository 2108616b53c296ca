"""Which metrics, params, tags and properties runs have, and how many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from graphql_runs.model.bags import bag_of
from graphql_runs.model.filter import Attribute, AttributeField, Bag, Key, Order, RunFilter
from graphql_runs.model.records import Metric, MetricKind
from graphql_runs.model.run import Run
from graphql_runs.read.merge import in_turns
from graphql_runs.read.text import fold
from graphql_runs.store.port import Store

_NEWEST_FIRST = (Order(AttributeField(Attribute.CREATED_AT), descending=True),)
_BLOCK = 1000
_TOGETHER = 16
"""Runs whose metrics are listed together."""


class NameKind(StrEnum):
    """What names are of."""

    METRIC = "METRIC"
    PARAM = "PARAM"
    TAG = "TAG"
    PROPERTY = "PROPERTY"


@dataclass(frozen=True, slots=True)
class Name:
    """A name, in how many of the runs it was found, and how the newest of them logged it if it is a metric's."""

    name: str
    kind: MetricKind | None
    runs: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names in code-point order, of the newest `looked_at` runs; `complete` if these are all."""

    names: list[Name]
    looked_at: int
    complete: bool


async def vocabulary(
    store: Store, where: RunFilter, of: NameKind, *, contains: str | None, most: int
) -> Vocabulary:
    """The names that the runs which match have. At most about `most` runs and metrics are looked at, the newest runs first.
    `contains` ignores the case of ASCII letters."""
    runs, complete = await _newest(store, where, most)
    if of is NameKind.METRIC:
        return await _of_metrics(store, runs, contains, most - len(runs), complete)
    bag = Bag(of.value.lower())
    counts = Counter(key for run in runs for key in bag_of(run, bag) if _fits(contains, key))
    return Vocabulary([Name(key, None, counts[key]) for key in sorted(counts)], len(runs), complete)


async def _newest(store: Store, where: RunFilter, most: int) -> tuple[list[Run], bool]:
    found: list[Run] = []
    after: Key | None = None
    while True:
        # One more than is looked at tells whether there are more.
        first = min(_BLOCK, most + 1 - len(found))
        page = await store.find_runs(where, _NEWEST_FIRST, after=after, first=first)
        found += [entry.run for entry in page]
        if len(found) > most:
            return found[:most], False
        if len(page) < first:
            return found, True
        after = page[-1].key


async def _of_metrics(
    store: Store, runs: Sequence[Run], contains: str | None, most: int, complete: bool
) -> Vocabulary:
    counts: Counter[str] = Counter()
    kinds: dict[str, MetricKind] = {}
    looked_at = 0
    for start in range(0, len(runs), _TOGETHER):
        block = runs[start : start + _TOGETHER]
        listed: dict[int, list[Metric]] = {}
        await in_turns(
            partial(_list, store, run, contains, most, listed, place) for place, run in enumerate(block)
        )
        for place in range(len(block)):
            # Of a run with more metrics than may be looked at some names are better than none.
            some = listed[place][: max(0, most)]
            whole = len(some) == len(listed[place])
            if not whole and looked_at:
                return _counted(counts, kinds, looked_at, False)
            most -= len(some)
            looked_at += 1
            counts.update(metric.name for metric in some)
            for metric in some:
                kinds.setdefault(metric.name, metric.kind)
            if not whole:
                return _counted(counts, kinds, looked_at, False)
    return _counted(counts, kinds, looked_at, complete)


def _counted(
    counts: Counter[str], kinds: dict[str, MetricKind], looked_at: int, complete: bool
) -> Vocabulary:
    return Vocabulary([Name(name, kinds[name], counts[name]) for name in sorted(counts)], looked_at, complete)


async def _list(
    store: Store, run: Run, contains: str | None, most: int, listed: dict[int, list[Metric]], place: int
) -> None:
    """A run's metrics by name, up to one more than `most`."""
    found = listed[place] = []
    while len(found) <= most:
        first = min(_BLOCK, most + 1 - len(found))
        after = found[-1].name if found else None
        page = await store.list_named(Metric, run.id, after=after, first=first, contains=contains)
        found += page
        if len(page) < first:
            return


def _fits(contains: str | None, name: str) -> bool:
    return contains is None or fold(contains) in fold(name)
