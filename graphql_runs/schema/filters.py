"""RunFilter and RunOrder: what clients write, and the conditions and orders of `model.filter` that it becomes."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import strawberry

from graphql_runs.model import filter as conditions
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    MetricField,
    Not,
    Op,
    Or,
    Order,
    Stat,
)  # fmt: skip
from graphql_runs.schema.enums import Direction, Nulls, describe
from graphql_runs.schema.field import field, optional
from graphql_runs.schema.match import (
    FloatMatch,
    IntMatch,
    KeyedMatch,
    MetricMatch,
    StatusMatch,
    StringMatch,
    TimeMatch,
    comparisons,
)  # fmt: skip

DEPTH = 16
"""How deep and, or and not may be nested."""
CONDITIONS = 500
"""Conditions of one filter."""
ORDERS = 8
"""Entries of orderBy."""


@strawberry.input(
    description=(
        "Conditions on runs; all that are given have to hold. A missing value fails every comparison, and NaN counts as "
        "missing: ask for these with `exists: false`. workspace, experiment and cluster take names or ids, parent and root the "
        "producer's or the server's ids."
    )
)
class RunFilter:
    and_: list["RunFilter"] | None = optional("All of these hold.", name="and")
    or_: list["RunFilter"] | None = optional("One of these holds.", name="or")
    not_: "RunFilter | None" = optional("This does not hold.", name="not")
    id: StringMatch | None = optional("The server's id.")
    run_id: StringMatch | None = optional("The producer's id.")
    number: IntMatch | None = optional("The number within the experiment.")
    name: StringMatch | None = optional("The name.")
    display_name: StringMatch | None = optional("The name people gave it.")
    workspace: StringMatch | None = optional("The workspace, by name or id.")
    experiment: StringMatch | None = optional("The experiment, by name or id.")
    cluster: StringMatch | None = optional("The cluster, by name or id.")
    kind: StringMatch | None = optional("What kind of run it is, such as `sweep`.")
    source: StringMatch | None = optional("Where we know it from.")
    target: StringMatch | None = optional("The compute target it was sent to.")
    submitted_by: StringMatch | None = optional("Who started it.")
    status: StatusMatch | None = optional("The status.")
    created_at: TimeMatch | None = optional("When it was created.")
    started_at: TimeMatch | None = optional("When it began to run.")
    ended_at: TimeMatch | None = optional("When it ended.")
    duration: FloatMatch | None = optional("Seconds from creation to end; missing until it ended.")
    parent: StringMatch | None = optional("The parent run; `exists: false` finds the roots.")
    root: StringMatch | None = optional("The root of its tree.")
    depth: IntMatch | None = optional("How many runs are above it.")
    tag: KeyedMatch | None = optional("A tag.")
    param: KeyedMatch | None = optional("A parameter.")
    property: KeyedMatch | None = optional("A property.")
    metric: MetricMatch | None = optional("A metric's summary.")


class RunField(StrEnum):
    """A field of a run to sort by."""

    NAME = "name"
    DISPLAY_NAME = "display_name"
    RUN_ID = "run_id"
    NUMBER = "number"
    KIND = "kind"
    SOURCE = "source"
    TARGET = "target"
    SUBMITTED_BY = "submitted_by"
    STATUS = "status"
    CREATED_AT = "created_at"
    STARTED_AT = "started_at"
    ENDED_AT = "ended_at"
    DURATION = "duration"
    DEPTH = "depth"


describe(
    RunField,
    "A field of a run to sort by.",
    {
        "NAME": "The name.",
        "DISPLAY_NAME": "The name people gave it.",
        "RUN_ID": "The producer's id.",
        "NUMBER": "The number within the experiment.",
        "KIND": "What kind of run it is.",
        "SOURCE": "Where we know it from.",
        "TARGET": "The compute target it was sent to.",
        "SUBMITTED_BY": "Who started it.",
        "STATUS": "The status, in alphabetical order.",
        "CREATED_AT": "When it was created.",
        "STARTED_AT": "When it began to run.",
        "ENDED_AT": "When it ended.",
        "DURATION": "Seconds from creation to end.",
        "DEPTH": "How many runs are above it.",
    },
)


@strawberry.input(description="A number of a metric's summary.")
class MetricRef:
    name: str = field("The metric's name.")
    stat: Stat = optional("Which number of its summary.", Stat.LAST)


@strawberry.input(one_of=True, description="Something that runs have a value of.")
class RunColumn:
    field: RunField | None = optional("A field of the run.", strawberry.UNSET)
    metric: MetricRef | None = optional("A number of a metric.", strawberry.UNSET)
    param: str | None = optional("A parameter, by key.", strawberry.UNSET)
    tag: str | None = optional("A tag, by key.", strawberry.UNSET)
    property: str | None = optional("A property, by key.", strawberry.UNSET)


@strawberry.input(
    description="One criterion to sort runs by. Ties are broken by the next one, in the end by id."
)
class RunOrder:
    by: RunColumn = field("What to sort by.")
    direction: Direction = optional("Smallest or largest first.", Direction.ASC)
    nulls: Nulls = optional("Where runs without a value go.", Nulls.LAST)


def run_filter(given: RunFilter | None, place: str = "filter") -> conditions.RunFilter | None:
    """The conditions of a filter, None for no filter. Raises InvalidInput naming the place of what is too much."""
    if given is None:
        return None
    found = tuple(_conditions(given, place, 1))
    if (count := sum(map(_size, found))) > CONDITIONS:
        raise InvalidInput(f"{place} has {count} conditions, the limit is {CONDITIONS}", field=place)
    return And(found)


def run_order(given: Sequence[RunOrder] | None, place: str = "orderBy") -> tuple[Order, ...]:
    """The order of a list of runs: the newest first unless something else is given."""
    if not given:
        return (Order(AttributeField(Attribute.CREATED_AT), descending=True),)
    if len(given) > ORDERS:
        raise InvalidInput(f"{place} has {len(given)} entries, the limit is {ORDERS}", field=place)
    return tuple(
        Order(_column(entry.by), entry.direction is Direction.DESC, entry.nulls is Nulls.FIRST)
        for entry in given
    )


def _column(column: RunColumn) -> conditions.Field:
    if column.field:
        return AttributeField(Attribute(column.field.value))
    if column.metric:
        return MetricField(column.metric.name, column.metric.stat)
    for bag in Bag:
        if key := getattr(column, bag.value):
            return BagField(bag, key)
    raise InvalidInput("orderBy.by names an empty key", field="orderBy")


def _conditions(given: RunFilter, place: str, depth: int) -> Iterator[conditions.RunFilter]:
    if depth > DEPTH:
        raise InvalidInput(f"{place} is nested deeper than {DEPTH} levels", field=place)
    for name, parts in (("and", given.and_), ("or", given.or_)):
        if parts is not None:
            below = tuple(
                And(tuple(_conditions(part, f"{place}.{name}[{index}]", depth + 1)))
                for index, part in enumerate(parts)
            )
            yield And(below) if name == "and" else Or(below)
    if given.not_ is not None:
        yield Not(And(tuple(_conditions(given.not_, f"{place}.not", depth + 1))))
    for attribute in Attribute:
        if match := getattr(given, attribute.value, None):
            yield from comparisons(match, AttributeField(attribute), f"{place}.{attribute}")
    if given.status and given.status.class_ is not None:
        classes = tuple(str(found) for found in given.status.class_)
        yield Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, classes)
    for bag in Bag:
        if match := getattr(given, bag.value):
            yield from comparisons(match, BagField(bag, match.key), f"{place}.{bag}")
    if given.metric is not None:
        yield from comparisons(
            given.metric, MetricField(given.metric.name, given.metric.stat), f"{place}.metric"
        )
        if given.metric.non_finite is not None:
            some = Compare(MetricField(given.metric.name, Stat.FIRST_NON_FINITE_STEP), Op.EXISTS, True)
            yield some if given.metric.non_finite else Not(some)


def _size(condition: conditions.RunFilter) -> int:
    match condition:
        case And(parts) | Or(parts):
            return 1 + sum(map(_size, parts))
        case Not(part):
            return 1 + _size(part)
    return 1
