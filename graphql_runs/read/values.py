"""What runs have as the value of a field, many runs at a time: the cells of tables, and what groups are told apart by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from graphql_runs.model import ids
from graphql_runs.model.bags import bag_of
from graphql_runs.model.filter import Attribute, AttributeField, Bag, BagField, Field, MetricField, Stat
from graphql_runs.model.records import Cluster, Experiment, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.read.phases import duration, is_stale
from graphql_runs.store.port import Store

Value = str | int | float | bool | None
"""None is no value."""

METRICS_AT_ONCE = 10_000
"""Summaries of metrics that are asked of the store in one read."""
_NUMBER = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity|nan))", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_INT64 = 1 << 63


class ValueType(StrEnum):
    """What the values of a column are. Times are Unix seconds."""

    NUMBER = "NUMBER"
    TEXT = "TEXT"
    BOOLEAN = "BOOLEAN"
    TIME = "TIME"
    STATUS = "STATUS"


@dataclass(frozen=True, slots=True)
class Values:
    """One value for each of some runs, in their order."""

    type: ValueType
    values: Sequence[Value]


def number_of(text: str) -> int | float | None:
    """The number that a text spells, by the rule by which filters and orders compare texts with numbers; a text that spells NaN is
    one too, as it is to be shown."""
    if not _NUMBER.fullmatch(text):
        return None
    if _INTEGER.fullmatch(text) and -_INT64 <= (exact := int(text)) < _INT64:
        return exact
    return float(text)


def param_values(texts: Sequence[str | None]) -> Values:
    """A param of some runs: numbers where all the texts spell numbers, else the texts."""
    numbers: list[Value] = []
    for text in texts:
        number = None if text is None else number_of(text)
        if number is None and text is not None:
            return Values(ValueType.TEXT, list(texts))
        numbers.append(number)
    some = any(number is not None for number in numbers)
    return Values(ValueType.NUMBER, numbers) if some else Values(ValueType.TEXT, list(texts))


async def values_of(store: Store, runs: Sequence[Run], fields: Sequence[Field], now: Micros) -> list[Values]:
    """The values of every field, in the order of fields. Metrics and names are read once for all runs; `now` decides what is stale.

    Workspaces, experiments and clusters are given by name. A param is a number where all that these runs have of it are.
    """
    wanted = dict.fromkeys(field.name for field in fields if isinstance(field, MetricField))
    metrics = await metrics_of(store, runs, list(wanted))
    names = {
        field.attribute: await _names(store, runs, field.attribute)
        for field in fields
        if isinstance(field, AttributeField) and field.attribute in _NAMED
    }
    return [_values(runs, field, metrics, names, now) for field in fields]


async def metrics_of(
    store: Store, runs: Sequence[Run], names: Sequence[str]
) -> Mapping[str, Sequence[Metric | None]]:
    """The metrics of these names, for each name one of every run, None where the run has none."""
    wanted = [ids.metric_id(run.id, name) for name in names for run in runs]
    found: list[Metric | None] = []
    for start in range(0, len(wanted), METRICS_AT_ONCE):
        found += await store.get(Metric, wanted[start : start + METRICS_AT_ONCE])
    return {name: found[i * len(runs) : (i + 1) * len(runs)] for i, name in enumerate(names)}


def _values(
    runs: Sequence[Run],
    field: Field,
    metrics: Mapping[str, Sequence[Metric | None]],
    names: Mapping[Attribute, Mapping[str, str]],
    now: Micros,
) -> Values:
    match field:
        case MetricField(name, stat):
            read = _STATS[stat]
            values = [None if metric is None else read(metric) for metric in metrics[name]]
            return Values(ValueType.NUMBER, values)
        case BagField(bag, key):
            texts = [bag_of(run, bag).get(key) for run in runs]
            return param_values(texts) if bag is Bag.PARAM else Values(ValueType.TEXT, list(texts))
        case AttributeField(Attribute.STALE_AT):
            return Values(ValueType.BOOLEAN, [is_stale(run, now) for run in runs])
        case AttributeField(attribute) if attribute in _NAMED:
            known = names[attribute]
            return Values(ValueType.TEXT, [known.get(getattr(run, attribute.value) or "") for run in runs])
        case AttributeField(attribute):
            return Values(_TYPES.get(attribute, ValueType.TEXT), list(map(_reader(attribute), runs)))


def _reader(attribute: Attribute) -> Callable[[Run], Value]:
    if attribute is Attribute.DURATION:
        return duration
    if attribute is Attribute.STATUS_CLASS:
        return lambda run: run.status.status_class
    read = attrgetter(attribute.value)
    return (lambda run: _seconds(read(run))) if _TYPES.get(attribute) is ValueType.TIME else read


def _seconds(at: Micros | None) -> float | None:
    return None if at is None else at / 1e6


async def _names(store: Store, runs: Sequence[Run], attribute: Attribute) -> dict[str, str]:
    wanted = [id for id in dict.fromkeys(getattr(run, attribute.value) for run in runs) if id is not None]
    found: list[Workspace | None] | list[Experiment | None] | list[Cluster | None]
    match attribute:
        case Attribute.WORKSPACE:
            found = await store.get(Workspace, wanted)
        case Attribute.EXPERIMENT:
            found = await store.get(Experiment, wanted)
        case _:
            found = await store.get(Cluster, wanted)
    return {record.id: record.name for record in found if record is not None}


_NAMED = frozenset({Attribute.WORKSPACE, Attribute.EXPERIMENT, Attribute.CLUSTER})
_TYPES = {
    Attribute.STATUS: ValueType.STATUS,
    Attribute.NUMBER: ValueType.NUMBER,
    Attribute.DEPTH: ValueType.NUMBER,
    Attribute.DURATION: ValueType.NUMBER,
    Attribute.CREATED_AT: ValueType.TIME,
    Attribute.STARTED_AT: ValueType.TIME,
    Attribute.ENDED_AT: ValueType.TIME,
    Attribute.TRASHED_AT: ValueType.TIME,
}
_STATS: dict[Stat, Callable[[Metric], int | float | None]] = {stat: attrgetter(stat.value) for stat in Stat}
