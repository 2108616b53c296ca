"""The names that fields have in a filter's text."""

from __future__ import annotations

from graphql_runs.model.filter import Attribute, Bag, Stat

TIMES = frozenset(
    {
        Attribute.CREATED_AT,
        Attribute.STARTED_AT,
        Attribute.ENDED_AT,
        Attribute.TRASHED_AT,
        Attribute.STALE_AT,
    }
)
"""Attributes that are written as times."""

FLAGS = ("stale", "trashed", "alias")
"""Names that are true or false."""

ENTITIES: dict[str, Bag | type[Stat] | type[Attribute]] = {
    "metric": Stat, "metrics": Stat,
    "param": Bag.PARAM, "params": Bag.PARAM, "parameter": Bag.PARAM, "parameters": Bag.PARAM,
    "tag": Bag.TAG, "tags": Bag.TAG,
    "property": Bag.PROPERTY, "properties": Bag.PROPERTY,
    "identity": Bag.IDENTITY, "identities": Bag.IDENTITY,
    "attribute": Attribute, "attributes": Attribute, "attr": Attribute, "run": Attribute,
}  # fmt: skip
"""What may be written before a dot."""

BAGS = {Bag.PARAM: "params", Bag.TAG: "tags", Bag.PROPERTY: "properties", Bag.IDENTITY: "identities"}
"""How the printer writes them."""

STATS = {
    "last": Stat.LAST, "min": Stat.MIN, "max": Stat.MAX, "mean": Stat.MEAN, "avg": Stat.MEAN, "count": Stat.COUNT,
    "first_non_finite_step": Stat.FIRST_NON_FINITE_STEP,
}  # fmt: skip
"""The numbers of a metric's summary."""

_MLFLOW = {
    "runname": Attribute.NAME, "userid": Attribute.SUBMITTED_BY, "starttime": Attribute.STARTED_AT,
    "endtime": Attribute.ENDED_AT, "created": Attribute.CREATED_AT, "experimentid": Attribute.EXPERIMENT,
}  # fmt: skip
_UNKNOWN = {
    "artifacturi": "outputs have no address to filter by",
    "lifecyclestage": "write trashed = true or trashed = false",
}


def folded(name: str) -> str:
    """A name without what spellings differ in: `Run name`, `runName` and `run_name` are one."""
    return name.lower().replace("_", "").replace(" ", "")


_ATTRIBUTES = {folded(attribute.value): attribute for attribute in Attribute} | _MLFLOW


def attribute_of(name: str) -> Attribute | None:
    """The attribute of that name, ours, GraphQL's or MLflow's; None when there is none."""
    return _ATTRIBUTES.get(folded(name))


def advice(name: str) -> str:
    """What to write instead of the name of an attribute that there is none of."""
    return _UNKNOWN.get(folded(name)) or f"attributes are {', '.join([*Attribute, *FLAGS])}"
