"""RunFilter and RunOrder: what clients write, and the conditions and orders of `model.filter` that it becomes."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import strawberry

from graphql_runs.model import filter as conditions
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    MetricField,
    Not,
    Op,
    Or,
    Order,
    Stat,
)  # fmt: skip
from graphql_runs.model.time import Micros
from graphql_runs.model.time import now as clock
from graphql_runs.read.listed import in_trash, is_alias, listed
from graphql_runs.read.where import Bounds, parse
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

DEFAULT = Bounds()
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
    stale: bool | None = optional(
        "true: gave no sign of life for three of the heartbeats that it announced, and has not ended; false: all others."
    )
    child: "RunFilter | None" = optional("Some direct child matches this.")
    ancestor: "RunFilter | None" = optional("Some run above matches this.")
    trashed: bool | None = optional(
        "true: only runs in the trash. Unless a filter says something of it, lists leave these out."
    )
    alias: bool | None = optional(
        "true: only runs that are another source's view of one (aliasOf). Unless a filter says something of it, lists leave these out."
    )
    identity: str | None = optional("Has this identity, such as `slurm:cluster/4242`.")


class RunField(StrEnum):
    """A field of a run to show or to sort by."""

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
    STATUS_CLASS = "status_class"
    TRASHED_AT = "trashed_at"
    STALE = "stale_at"
    WORKSPACE = "workspace"
    EXPERIMENT = "experiment"
    CLUSTER = "cluster"
    PARENT = "parent"
    ROOT = "root"


_UNSORTED = (
    RunField.STALE,
    RunField.WORKSPACE,
    RunField.EXPERIMENT,
    RunField.CLUSTER,
    RunField.PARENT,
    RunField.ROOT,
)
"""Fields that stores have no order of: they are kept as ids, or follow from the time."""

describe(
    RunField,
    "A field of a run.",
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
        "STATUS_CLASS": "What its status means for somebody who waits.",
        "TRASHED_AT": "Since when it is in the trash.",
        "STALE": "Whether it missed three of the heartbeats it announced. Not to sort by.",
        "WORKSPACE": "The name of its workspace. Not to sort by.",
        "EXPERIMENT": "The name of its experiment. Not to sort by.",
        "CLUSTER": "The name of its cluster. Not to sort by.",
        "PARENT": "The server's id of the run above it. Not to sort by.",
        "ROOT": "The server's id of the run at the top of its tree. Not to sort by.",
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


def run_filter(
    given: RunFilter | None,
    where: str | None = None,
    *,
    bounds: Bounds = DEFAULT,
    now: Micros | None = None,
    place: str = "filter",
) -> conditions.RunFilter:
    """The conditions of a list by a filter and a filter's text, which leave out the trash and aliases by themselves. Of the time `now` (the
    clock's unless given) a run is stale or not: read a filter again for every look at the list.

    Raises InvalidInput naming the place of what is wrong or too much.
    """
    now = clock() if now is None else now
    parts: list[conditions.RunFilter] = []
    if given is not None:
        found = tuple(_Conditions(bounds, now).of(given, place, 1))
        if (count := sum(map(_size, found))) > bounds.conditions:
            raise InvalidInput(
                f"{place} has {count} conditions, the limit is {bounds.conditions}", field=place
            )
        parts.append(And(found))
    if where is not None and (read := parse(where, now, bounds)) is not None:
        parts.append(read)
    return listed(And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None)


def run_order(given: Sequence[RunOrder] | None, place: str = "orderBy") -> tuple[Order, ...]:
    """The order of a list of runs: the newest first unless something else is given."""
    if not given:
        return (Order(AttributeField(Attribute.CREATED_AT), descending=True),)
    if len(given) > ORDERS:
        raise InvalidInput(f"{place} has {len(given)} entries, the limit is {ORDERS}", field=place)
    return tuple(
        Order(_sortable(entry.by, place), entry.direction is Direction.DESC, entry.nulls is Nulls.FIRST)
        for entry in given
    )


def _sortable(column: RunColumn, place: str) -> conditions.Field:
    if column.field and column.field in _UNSORTED:
        raise InvalidInput(f"{place}: runs cannot be sorted by {column.field.name}", field=place)
    return run_field(column, place)


def run_field(column: RunColumn, place: str) -> conditions.Field:
    """What a column is of. Raises InvalidInput naming the place when it is of an empty name."""
    if column.field:
        return AttributeField(Attribute(column.field.value))
    if column.metric and column.metric.name:
        return MetricField(column.metric.name, column.metric.stat)
    for bag in (Bag.TAG, Bag.PARAM, Bag.PROPERTY):
        if key := getattr(column, bag.value):
            return BagField(bag, key)
    raise InvalidInput(f"{place} names an empty key", field=place)


class _Conditions:
    """What a filter's fields mean."""

    def __init__(self, bounds: Bounds, now: Micros) -> None:
        self._bounds = bounds
        self._now = now

    def of(self, given: RunFilter, place: str, depth: int) -> Iterator[conditions.RunFilter]:
        """The conditions that are given, all of which have to hold."""
        if depth > self._bounds.depth:
            raise InvalidInput(f"{place} is nested deeper than {self._bounds.depth} levels", field=place)
        yield from self._nested(given, place, depth)
        yield from self._attributes(given, place)
        for bag in (Bag.TAG, Bag.PARAM, Bag.PROPERTY):
            if match := getattr(given, bag.value):
                yield from comparisons(match, BagField(bag, match.key), f"{place}.{bag}", self._bounds)
        if given.metric is not None:
            yield from self._metric(given.metric, f"{place}.metric")

    def _nested(self, given: RunFilter, place: str, depth: int) -> Iterator[conditions.RunFilter]:
        if given.and_ is not None:
            yield And(self._each(given.and_, f"{place}.and", depth))
        if given.or_ is not None:
            yield Or(self._each(given.or_, f"{place}.or", depth))
        for name, part, wrap in (
            ("not", given.not_, Not),
            ("child", given.child, Child),
            ("ancestor", given.ancestor, Ancestor),
        ):
            if part is not None:
                yield wrap(And(tuple(self.of(part, f"{place}.{name}", depth + 1))))

    def _each(self, parts: Sequence[RunFilter], place: str, depth: int) -> tuple[conditions.RunFilter, ...]:
        return tuple(
            And(tuple(self.of(part, f"{place}[{index}]", depth + 1))) for index, part in enumerate(parts)
        )

    def _attributes(self, given: RunFilter, place: str) -> Iterator[conditions.RunFilter]:
        for attribute in Attribute:
            if match := getattr(given, attribute.value, None):
                yield from comparisons(match, AttributeField(attribute), f"{place}.{attribute}", self._bounds)
        if given.trashed is not None:
            yield in_trash(given.trashed)
        if given.alias is not None:
            yield is_alias(given.alias)
        if given.identity is not None:
            yield Compare(BagField(Bag.IDENTITY, given.identity), Op.EXISTS, True)
        if given.stale is not None:
            stale = Compare(AttributeField(Attribute.STALE_AT), Op.LT, self._now)
            yield stale if given.stale else Not(stale)
        if given.status and given.status.class_ is not None:
            classes = tuple(str(found) for found in given.status.class_)
            yield Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, classes)

    def _metric(self, match: MetricMatch, place: str) -> Iterator[conditions.RunFilter]:
        yield from comparisons(match, MetricField(match.name, match.stat), place, self._bounds)
        if match.non_finite is not None:
            some = Compare(MetricField(match.name, Stat.FIRST_NON_FINITE_STEP), Op.EXISTS, True)
            yield some if match.non_finite else Not(some)


def _size(condition: conditions.RunFilter) -> int:
    match condition:
        case And(parts) | Or(parts):
            return 1 + sum(map(_size, parts))
        case Not(part) | Child(part) | Ancestor(part):
            return 1 + _size(part)
    return 1
