"""Pages of lists, as Relay has them: https://relay.dev/graphql/connections.htm"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from graphql_runs.model.cursor import decode_page, encode_page
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.read import records
from graphql_runs.schema.context import Context
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.limits import bounded

T = TypeVar("T")
V = TypeVar("V", str, int)
N = TypeVar("N", Workspace, Cluster, Experiment, Metric, LogFile, Artifact)

First = Annotated[int, argument("How many entries the page has at most.")]
After = Annotated[
    str | None, argument("Begin after the entry with this cursor; the page before ends at its endCursor.")
]


@dataclass(slots=True)
class Entry(Generic[T]):
    """A node with its cursor."""

    node: T
    cursor: str


@dataclass(slots=True)
class Page(Generic[T]):
    """One page, before anything of it is shown. Cursors and the count are made when they are asked for."""

    nodes: Sequence[T]
    cursor: Callable[[int], str]
    """The cursor of the node at an index."""
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]] | None = None
    start: str | None = None
    """Where to go on backwards, if not before the first node."""
    end: str | None = None
    """Where to go on, if not after the last node."""

    @property
    def edges(self) -> list[Entry[T]]:
        """The nodes with their cursors."""
        return [Entry(node, self.cursor(index)) for index, node in enumerate(self.nodes)]


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = field("There are entries after this page.", of=lambda page: page.has_next)
    has_previous_page: bool = field(
        "There may be entries before this page.", of=lambda page: page.has_previous
    )
    start_cursor: str | None = field(
        "The cursor of the page's first entry.",
        of=lambda page: page.start or (page.cursor(0) if page.nodes else None),
    )
    end_cursor: str | None = field(
        "The cursor of the page's last entry: give it as `after` for the next page.",
        of=lambda page: page.end or (page.cursor(len(page.nodes) - 1) if page.nodes else None),
    )


@strawberry.type(description="An entry of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = field("Where the entry stands in the list.")
    node: T = field("The entry.")


async def _total(root: strawberry.Parent[Page[Any]]) -> int:
    assert root.count is not None
    return await root.count()


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = field(
        "The entries with their cursors.",
        of=lambda page: page.edges,
    )
    nodes: list[T] = field("The entries alone.")
    page_info: PageInfo = field("Where this page lies in the list.", of=lambda page: page)
    total_count: int = field("How many entries the whole list has; counted only when asked for.", _total)


def place(kind: type[V], list_name: str, cursor: str | None, field: str = "after") -> V | None:
    """The one value of a cursor of a list that is sorted by one thing. Raises InvalidInput when it is not of that kind."""
    if cursor is None:
        return None
    match decode_page(list_name, cursor, field=field).values:
        case [value] if isinstance(value, kind):
            return value
    raise InvalidInput(f"{field} is not a cursor of this list", field=field)


async def named_page(
    context: Context,
    kind: type[N],
    owner: str,
    first: int,
    after: str | None,
    *,
    contains: str | None = None,
    prefix: str | None = None,
) -> Page[N]:
    """A page of what belongs to an owner, by name or path."""
    bounded(first, context.limits.page, "first")
    key = f"{kind.__name__}:{owner}"
    name = place(str, key, after)
    found = await records.page(
        context.store, kind, owner, after=name, first=first + 1, contains=contains, prefix=prefix
    )
    nodes = found[:first]
    return Page(
        nodes,
        cursor=lambda index: encode_page(key, Key((records.name_of(nodes[index]),), nodes[index].id)),
        has_next=len(found) > first,
        has_previous=after is not None,
        count=lambda: records.count(context.store, kind, owner, contains=contains, prefix=prefix),
    )
