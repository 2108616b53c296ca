"""Bounds of what one operation may ask for. The server's settings set them; docs/settings.md lists them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from graphql_runs.model.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class SchemaLimits:
    """Limits of one GraphQL operation. Passing one is an error that says so; nothing is cut without a word."""

    depth: int = 15
    """Levels of nested fields in an operation; introspection has a limit of its own."""
    aliases: int = 100
    """Aliases in an operation, fragments counted where they are spread."""
    tokens: int = 20_000
    """Tokens of a document."""
    cost: int = 100_000
    """Objects that an operation could return at most, by its page sizes; a curve counts as one per 1000 points."""
    page: int = 100
    """Entries of a page of a connection."""
    lines: int = 1000
    """Log lines of a page."""
    points: int = 1_000_000
    """Points of one curve."""
    rows: int = 100_000
    """Rows of one page of a metric's rows."""
    ids: int = 100
    """Ids in one list of ids (`nodes`, `requestCancel`)."""

    def as_json(self) -> dict[str, int]:
        """What `server { limits }` shows."""
        return asdict(self)


def bounded(value: int, limit: int, field: str, *, least: int = 0) -> int:
    """The value, if it lies within `least` and `limit`. Raises InvalidInput naming the argument."""
    if not least <= value <= limit:
        raise InvalidInput(f"{field} must be between {least} and {limit}, {value} was given", field=field)
    return value
