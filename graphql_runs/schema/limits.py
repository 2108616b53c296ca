"""Bounds of what one operation may ask for. The server's settings set them; docs/settings.md lists them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from graphql_runs.model.errors import InvalidInput
from graphql_runs.read.where import Bounds


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
    """Objects that an operation could return at most, by its page sizes; a curve counts as one per 1000 points, a table as one per row
    and per 10 cells."""
    page: int = 100
    """Entries of a page of a connection."""
    lines: int = 1000
    """Log lines of a page."""
    search_seconds: int = 10
    """Seconds that a search of logs takes before its page ends early."""
    points: int = 1_000_000
    """Points of one curve."""
    rows: int = 100_000
    """Rows of one page of a metric's rows."""
    ids: int = 100
    """Ids in one list of ids (`nodes`, `requestCancel`)."""
    table_rows: int = 1000
    """Rows of one page of a run table."""
    table_columns: int = 100
    """Columns of a run table, and criteria to group by."""
    group_runs: int = 10_000
    """Runs that are looked at to group them, for a sweep's running best, or for a cluster's waiting times."""
    compare_runs: int = 1000
    """Runs of one `compare`."""
    compare_metrics: int = 20
    """Metrics of one `compare`."""
    compare_rows: int = 20_000_000
    """Points that one `compare` reads."""
    compare_points: int = 2_000_000
    """Points of all curves of one `compare` together."""
    name_records: int = 50_000
    """Runs and metrics that are looked at for one list of names; a list that would need more says that it is not complete."""

    filter_text: int = 10_000
    """Characters of a filter that is given as text."""
    filter_depth: int = 16
    """Levels of nesting in a filter."""
    filter_conditions: int = 500
    """Conditions of a filter."""
    filter_list: int = 1000
    """Entries of one list in a filter."""
    filter_regex: int = 1000
    """Characters of a regular expression."""

    @property
    def filters(self) -> Bounds:
        """The bounds of a filter."""
        return Bounds(
            length=self.filter_text,
            depth=self.filter_depth,
            conditions=self.filter_conditions,
            values=self.filter_list,
            regex=self.filter_regex,
        )

    def as_json(self) -> dict[str, int]:
        """What `server { limits }` shows."""
        return asdict(self)


def bounded(value: int, limit: int, field: str, *, least: int = 0) -> int:
    """The value, if it lies within `least` and `limit`. Raises InvalidInput naming the argument."""
    if not least <= value <= limit:
        raise InvalidInput(f"{field} must be between {least} and {limit}, {value} was given", field=field)
    return value
