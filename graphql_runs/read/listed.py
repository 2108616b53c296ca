"""What lists show: runs that are neither in the trash nor another source's view of one, unless their filter speaks of it."""

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
ALIAS_OF = AttributeField(Attribute.ALIAS_OF)


def in_trash(trashed: bool) -> RunFilter:
    """The condition that a run is in the trash, or that it is not."""
    return Compare(TRASHED_AT, Op.EXISTS, trashed)


def is_alias(alias: bool) -> RunFilter:
    """The condition that a run is an alias of another one, or that it is not."""
    return Compare(ALIAS_OF, Op.EXISTS, alias)


def listed(where: RunFilter | None) -> RunFilter:
    """The filter of a list: what is asked for (None: everything) without the trash and without aliases, each unless it is asked for
    by the filter itself. What it asks of children or ancestors does not count."""
    parts = [] if where is None else [where]
    parts += [
        Compare(field, Op.EXISTS, False)
        for field in (TRASHED_AT, ALIAS_OF)
        if where is None or not _speaks_of(where, field)
    ]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _speaks_of(where: RunFilter, field: AttributeField) -> bool:
    match where:
        case And(parts) | Or(parts):
            return any(_speaks_of(part, field) for part in parts)
        case Not(part):
            return _speaks_of(part, field)
        case Compare(other):
            return other == field
    return False
