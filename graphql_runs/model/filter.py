"""One tree of conditions on runs. GraphQL's RunFilter and every text form become this; each store compiles it.

Semantics: a condition is two-valued. A missing value and NaN fail every comparison (`exists: false` is how to ask for
them), and `Not` negates. Comparisons with params, tags and properties are numeric when the operand is a number, and then
a value that is not a number fails. An integer operand beyond 64 bits stands for the double nearest to it, an infinity beyond those. Text comparisons are by code point. `LIKE` knows `%` and `_`, with `\\` as escape;
`ILIKE` and `CONTAINS` ignore the case of ASCII letters (SQLite's rule, so that all stores agree). `REGEX` finds a pattern of `model.regex`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Attribute(StrEnum):
    """A field of the run itself."""

    ID = "id"
    RUN_ID = "run_id"
    NUMBER = "number"
    NAME = "name"
    DISPLAY_NAME = "display_name"
    WORKSPACE = "workspace"
    EXPERIMENT = "experiment"
    CLUSTER = "cluster"
    KIND = "kind"
    SOURCE = "source"
    TARGET = "target"
    SUBMITTED_BY = "submitted_by"
    STATUS = "status"
    STATUS_CLASS = "status_class"
    CREATED_AT = "created_at"
    STARTED_AT = "started_at"
    ENDED_AT = "ended_at"
    DURATION = "duration"
    PARENT = "parent"
    ROOT = "root"
    DEPTH = "depth"
    TRASHED_AT = "trashed_at"
    ALIAS_OF = "alias_of"
    STALE_AT = "stale_at"


class Stat(StrEnum):
    """A number of a metric's summary."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    COUNT = "count"
    FIRST_NON_FINITE_STEP = "first_non_finite_step"


class Bag(StrEnum):
    """A map of texts on the run; its identities are the keys of one whose texts are empty."""

    TAG = "tag"
    PARAM = "param"
    PROPERTY = "property"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class AttributeField:
    """A field of the run. WORKSPACE, EXPERIMENT, CLUSTER, PARENT, ROOT and ALIAS_OF compare server ids; times are microseconds,
    DURATION is seconds from creation to end (missing until the run ended), STALE_AT is `Run.stale_at`: a run is stale when
    that is before now."""

    attribute: Attribute


@dataclass(frozen=True, slots=True)
class BagField:
    """The value of one key of a run's tags, params, properties or identities."""

    bag: Bag
    key: str


@dataclass(frozen=True, slots=True)
class MetricField:
    """One number of the summary of the run's metric of that name. A NaN or infinite LAST is a value to sort by
    (-inf < finite < +inf, NaN counts as missing)."""

    name: str
    stat: Stat = Stat.LAST


Field = AttributeField | BagField | MetricField


class Op(StrEnum):
    """How a field is compared with the operand."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    NOT_IN = "not_in"
    EXISTS = "exists"
    LIKE = "like"
    ILIKE = "ilike"
    CONTAINS = "contains"
    REGEX = "regex"


Operand = str | int | float | bool | tuple[str, ...] | tuple[int | float, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op operand`. IN and NOT_IN take a tuple, EXISTS a bool, the text operators a str.

    NE and NOT_IN need a value: a missing one fails them, as it fails every comparison.
    """

    field: Field
    op: Op
    operand: Operand


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts; true when there are none."""

    parts: tuple[RunFilter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts; false when there are none."""

    parts: tuple[RunFilter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: RunFilter


@dataclass(frozen=True, slots=True)
class Under:
    """Runs below the run of that server id in its tree, at any depth; the run itself is not among them."""

    run: str
    root: str


@dataclass(frozen=True, slots=True)
class Child:
    """The part holds for some direct child of the run."""

    part: RunFilter


@dataclass(frozen=True, slots=True)
class Ancestor:
    """The part holds for some run above the run, at any distance."""

    part: RunFilter


RunFilter = And | Or | Not | Compare | Under | Child | Ancestor


def conjuncts(where: RunFilter | None) -> list[RunFilter]:
    """Conditions that all have to hold."""
    if where is None:
        return []
    if isinstance(where, And):
        return [one for part in where.parts for one in conjuncts(part)]
    return [where]


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by a field. Runs without a value come last unless `nulls_first`, whichever the direction. A keyset's last key
    is always the run's id, ascending."""

    field: Field
    descending: bool = False
    nulls_first: bool = False


SortValue = str | int | float | None


@dataclass(frozen=True, slots=True)
class Key:
    """Where a run stands in an order: its value for each Order, then its id. Opaque to clients."""

    values: tuple[SortValue, ...]
    id: str
