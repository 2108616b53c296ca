"""What filters and orders mean, in plain Python, written without a look at any store: the judge in the contract suite."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

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
    Operand,
    Or,
    Order,
    RunFilter,
    SortValue,
    Under,
)
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run

_UPPER = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})


@dataclass(frozen=True)
class Sample:
    """A run with its metrics."""

    run: Run
    metrics: tuple[Metric, ...] = ()


def matching(samples: Sequence[Sample], where: RunFilter | None) -> list[Sample]:
    """The runs that match."""
    known = {sample.run.id: sample for sample in samples}
    return [sample for sample in samples if where is None or _holds(sample, where, known)]


def ordered(samples: Sequence[Sample], order: Sequence[Order]) -> list[Sample]:
    """The runs in order."""

    def compare(one: Sample, other: Sample) -> int:
        for by in order:
            result = _compare(sort_value(one, by.field), sort_value(other, by.field), by)
            if result:
                return result
        return -1 if one.run.id < other.run.id else 1

    return sorted(samples, key=cmp_to_key(compare))


def sort_value(sample: Sample, field: Field) -> SortValue:
    """What a run is sorted by: None when it lacks a value."""
    value = _value(sample, field)
    if isinstance(field, BagField) and isinstance(value, str):
        spelled = spells(value)
        return value if spelled is None else spelled
    return value


def spells(text: str) -> int | float | None:
    """The number that a text spells."""
    if re.fullmatch("[+-]?[0-9]+", text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text) or (
        text.lower().lstrip("+-") in ("inf", "infinity") and len(text) - len(text.lstrip("+-")) < 2
    ):
        return float(text)
    return None


def _holds(sample: Sample, where: RunFilter, known: Mapping[str, Sample]) -> bool:
    match where:
        case And(parts):
            return all(_holds(sample, part, known) for part in parts)
        case Or(parts):
            return any(_holds(sample, part, known) for part in parts)
        case Not(part):
            return not _holds(sample, part, known)
        case Under(run, root):
            return sample.run.root == root and any(above.run.id == run for above in _above(sample, known))
        case Child(part):
            return any(
                other.run.parent == sample.run.id and _holds(other, part, known) for other in known.values()
            )
        case Ancestor(part):
            return any(_holds(above, part, known) for above in _above(sample, known))
        case Compare(field, op, operand):
            return _compares(_value(sample, field), isinstance(field, BagField), op, operand)


def _above(sample: Sample, known: Mapping[str, Sample]) -> Iterator[Sample]:
    while sample.run.parent is not None:
        sample = known[sample.run.parent]
        yield sample


def _value(sample: Sample, field: Field) -> SortValue:
    run = sample.run
    match field:
        case AttributeField(Attribute.STATUS):
            return str(run.status.value)
        case AttributeField(Attribute.STATUS_CLASS):
            return str(run.status.status_class.value)
        case AttributeField(Attribute.DURATION):
            return None if run.ended_at is None else (run.ended_at - run.created_at) / 1_000_000
        case AttributeField(Attribute.STALE_AT):
            if run.heartbeat_seconds is None or run.status.value in ("COMPLETED", "FAILED", "CANCELED"):
                return None
            last_sign = max(run.created_at, run.status_at, run.heartbeat_at or 0)
            return last_sign + round(3_000_000 * run.heartbeat_seconds)
        case AttributeField(attribute):
            found: SortValue = getattr(run, attribute.value)
            return found
        case BagField(bag, key):
            if bag is Bag.IDENTITY:
                return "" if key in run.identities else None
            return {Bag.TAG: run.tags, Bag.PARAM: run.params, Bag.PROPERTY: run.properties}[bag].get(key)
        case MetricField(name, stat):
            for metric in sample.metrics:
                if metric.name == name:
                    number: float | None = getattr(metric, stat.value)
                    return None if number is None or math.isnan(number) else number
            return None


def _compares(value: SortValue, text_or_number: bool, op: Op, operand: Operand) -> bool:
    if op is Op.EXISTS:
        return (value is not None) is operand
    if value is None:
        return False
    if op is Op.IN:
        assert isinstance(operand, tuple)
        return any(_compares(value, text_or_number, Op.EQ, one) for one in operand)
    if op is Op.NOT_IN:
        assert isinstance(operand, tuple)
        return all(_compares(value, text_or_number, Op.NE, one) for one in operand)
    if isinstance(operand, str):
        assert isinstance(value, str)
        return _TEXT[op](value, operand)
    assert not isinstance(operand, tuple)
    operand = _nearest(operand)
    number = spells(value) if text_or_number and isinstance(value, str) else value
    if number is None or operand != operand:
        return False
    assert not isinstance(number, str)
    return _NUMBER[op](number, operand)


_NUMBER: dict[Op, Callable[[float, float], bool]] = {
    Op.EQ: lambda one, other: one == other,
    Op.NE: lambda one, other: one != other,
    Op.LT: lambda one, other: one < other,
    Op.LTE: lambda one, other: one <= other,
    Op.GT: lambda one, other: one > other,
    Op.GTE: lambda one, other: one >= other,
}


def _nearest(operand: float) -> float:
    """What an operand stands for: integers beyond 64 bits are doubles."""
    if not isinstance(operand, int) or -(2**63) <= operand < 2**63:
        return operand
    try:
        return float(operand)
    except OverflowError:
        return math.inf if operand > 0 else -math.inf


def _like(text: str, like: str) -> bool:
    wild = {"%": ".*", "_": "."}
    pieces = re.findall(r"\\.|[^\\]", like, re.DOTALL)
    return bool(
        re.fullmatch("".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces), text, re.DOTALL)
    )


_TEXT: dict[Op, Callable[[str, str], bool]] = {
    Op.EQ: lambda one, other: one == other,
    Op.NE: lambda one, other: one != other,
    Op.LT: lambda one, other: one < other,
    Op.LTE: lambda one, other: one <= other,
    Op.GT: lambda one, other: one > other,
    Op.GTE: lambda one, other: one >= other,
    Op.LIKE: _like,
    Op.ILIKE: lambda text, like: _like(text.translate(_UPPER), like.translate(_UPPER)),
    Op.CONTAINS: lambda text, part: part.translate(_UPPER) in text.translate(_UPPER),
    Op.REGEX: lambda text, pattern: re.search(pattern, text, re.ASCII) is not None,
}


def _compare(one: SortValue, other: SortValue, by: Order) -> int:
    if one is None or other is None:
        if one is other:
            return 0
        return -1 if (one is None) is by.nulls_first else 1
    left, right = (isinstance(one, str), one), (isinstance(other, str), other)
    if left == right:
        return 0
    return -1 if (left < right) is not by.descending else 1
