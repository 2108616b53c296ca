"""Inputs that compare one value, and how they become conditions."""

from collections.abc import Iterator, Sized
from dataclasses import fields

import strawberry

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Compare, Field, Op, Operand
from graphql_runs.model.filter import Stat as Stat
from graphql_runs.model.regex import compiled
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.read.where import Bounds
from graphql_runs.schema import enums as enums
from graphql_runs.schema.field import field, optional
from graphql_runs.schema.scalars import DateTime

_EQ = "Equal to this."
_NE = "Not equal to this; a missing value does not match."
_IN = "Equal to one of these."
_NOT_IN = "Equal to none of these; a missing value does not match."
_EXISTS = "true: has a value; false: has none."
_LT, _LTE, _GT, _GTE = "Less than this.", "This or less.", "Greater than this.", "This or greater."
_LIKE = "Like this pattern: `%` is any text, `_` any character, a backslash takes the next one as it is."
_ILIKE = "The same, ASCII letters in any case."
_CONTAINS = "Contains this text, ASCII letters in any case."
_REGEX = (
    "A regular expression is found in it: the part of the language that every store understands and that needs no "
    "backtracking (docs/filters.md); `^` and `$` are its beginning and end, `(?i)` at the start ignores the case of ASCII letters."
)


@strawberry.input(description="Conditions on a text; all that are given have to hold.")
class StringMatch:
    eq: str | None = optional(_EQ)
    ne: str | None = optional(_NE)
    in_: list[str] | None = optional(_IN, name="in")
    not_in: list[str] | None = optional(_NOT_IN)
    exists: bool | None = optional(_EXISTS)
    like: str | None = optional(_LIKE)
    ilike: str | None = optional(_ILIKE)
    contains: str | None = optional(_CONTAINS)
    regex: str | None = optional(_REGEX)


@strawberry.input(description="Conditions on an integer; all that are given have to hold.")
class IntMatch:
    eq: int | None = optional(_EQ)
    ne: int | None = optional(_NE)
    in_: list[int] | None = optional(_IN, name="in")
    not_in: list[int] | None = optional(_NOT_IN)
    exists: bool | None = optional(_EXISTS)
    lt: int | None = optional(_LT)
    lte: int | None = optional(_LTE)
    gt: int | None = optional(_GT)
    gte: int | None = optional(_GTE)


@strawberry.input(description="Conditions on a number; all that are given have to hold.")
class FloatMatch:
    eq: float | None = optional(_EQ)
    ne: float | None = optional(_NE)
    in_: list[float] | None = optional(_IN, name="in")
    not_in: list[float] | None = optional(_NOT_IN)
    exists: bool | None = optional(_EXISTS)
    lt: float | None = optional(_LT)
    lte: float | None = optional(_LTE)
    gt: float | None = optional(_GT)
    gte: float | None = optional(_GTE)


@strawberry.input(description="Conditions on a time; all that are given have to hold.")
class TimeMatch:
    eq: DateTime | None = optional(_EQ)
    ne: DateTime | None = optional(_NE)
    in_: list[DateTime] | None = optional(_IN, name="in")
    not_in: list[DateTime] | None = optional(_NOT_IN)
    exists: bool | None = optional(_EXISTS)
    lt: DateTime | None = optional("Before this.")
    lte: DateTime | None = optional("At this or before.")
    gt: DateTime | None = optional("After this.")
    gte: DateTime | None = optional("At this or after.")


@strawberry.input(description="Conditions on a status; all that are given have to hold.")
class StatusMatch:
    eq: RunStatus | None = optional(_EQ)
    ne: RunStatus | None = optional("Not equal to this.")
    in_: list[RunStatus] | None = optional(_IN, name="in")
    not_in: list[RunStatus] | None = optional("Equal to none of these.")
    exists: bool | None = optional("true: has a status, which every run has.")
    class_: list[StatusClass] | None = optional("Of one of these classes.", name="class")


@strawberry.input(
    description=(
        "Conditions on the value of one key; all that are given have to hold. lt, lte, gt and gte compare numbers: a value "
        "that is no number does not match."
    )
)
class KeyedMatch:
    key: str = field("The key.")
    eq: str | None = optional(_EQ)
    ne: str | None = optional(_NE)
    in_: list[str] | None = optional(_IN, name="in")
    not_in: list[str] | None = optional(_NOT_IN)
    exists: bool | None = optional(_EXISTS)
    like: str | None = optional(_LIKE)
    ilike: str | None = optional(_ILIKE)
    contains: str | None = optional(_CONTAINS)
    regex: str | None = optional(_REGEX)
    lt: float | None = optional(_LT)
    lte: float | None = optional(_LTE)
    gt: float | None = optional(_GT)
    gte: float | None = optional(_GTE)


@strawberry.input(
    description=(
        "Conditions on a number of a metric's summary; all that are given have to hold. A run without the metric has no "
        "value, and neither has one whose last value is NaN."
    )
)
class MetricMatch:
    name: str = field("The metric's name.")
    stat: Stat = optional("Which number of its summary.", Stat.LAST)
    non_finite: bool | None = optional("true: has values that are NaN or infinite; false: has none.")
    eq: float | None = optional(_EQ)
    ne: float | None = optional(_NE)
    in_: list[float] | None = optional(_IN, name="in")
    not_in: list[float] | None = optional(_NOT_IN)
    exists: bool | None = optional(_EXISTS)
    lt: float | None = optional(_LT)
    lte: float | None = optional(_LTE)
    gt: float | None = optional(_GT)
    gte: float | None = optional(_GTE)


Match = StringMatch | IntMatch | FloatMatch | TimeMatch | StatusMatch | KeyedMatch | MetricMatch
_OPS = {
    "eq": Op.EQ, "ne": Op.NE, "in_": Op.IN, "not_in": Op.NOT_IN, "exists": Op.EXISTS, "lt": Op.LT, "lte": Op.LTE,
    "gt": Op.GT, "gte": Op.GTE, "like": Op.LIKE, "ilike": Op.ILIKE, "contains": Op.CONTAINS,
    "regex": Op.REGEX,
}  # fmt: skip


def comparisons(match: Match, of: Field, place: str, bounds: Bounds) -> Iterator[Compare]:
    """The conditions that are given. Raises InvalidInput naming the place of what is too long or no regular expression."""
    for entry in fields(match):
        op, operand = _OPS.get(entry.name), getattr(match, entry.name)
        if op is None or operand is None:
            continue
        if isinstance(operand, list):
            name = f"{place}.{'in' if op is Op.IN else 'notIn'}"
            _check_length(operand, bounds.values, name, "entries")
            operand = tuple(map(_plain, operand))
        if op is Op.REGEX:
            _check_length(operand, bounds.regex, f"{place}.regex", "characters")
            compiled(operand, f"{place}.regex")
        yield Compare(of, op, _plain(operand))


def _check_length(operand: Sized, limit: int, place: str, unit: str) -> None:
    if len(operand) > limit:
        raise InvalidInput(f"{place} has {len(operand)} {unit}, the limit is {limit}", field=place)


def _plain(operand: Operand) -> Operand:
    return str(operand) if isinstance(operand, RunStatus | StatusClass) else operand
