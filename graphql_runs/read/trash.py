"""What lists show: runs that are not in the trash, unless their filter speaks of it."""

from __future__ import annotations

from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    Not,
    Op,
    Or,
    RunFilter,
)

TRASHED_AT = AttributeField(Attribute.TRASHED_AT)


def in_trash(trashed: bool) -> RunFilter:
    """The condition that a run is in the trash, or that it is not."""
    return Compare(TRASHED_AT, Op.EXISTS, trashed)


def outside_trash(where: RunFilter | None) -> RunFilter:
    """The filter of a list: what is asked for (None: everything) without the trash, unless it is asked for by the filter itself.
    What it asks of children or ancestors does not count."""
    if where is None:
        return in_trash(False)
    return where if _speaks_of_trash(where) else And((where, in_trash(False)))


def _speaks_of_trash(where: RunFilter) -> bool:
    match where:
        case And(parts) | Or(parts):
            return any(map(_speaks_of_trash, parts))
        case Not(part):
            return _speaks_of_trash(part)
        case Compare(field):
            return field == TRASHED_AT
    return False
