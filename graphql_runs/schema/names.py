"""Lists of names: what runs can be filtered, sorted and compared by."""

from dataclasses import dataclass
from typing import Annotated

import strawberry

from graphql_runs.model import records
from graphql_runs.model.cursor import encode_page
from graphql_runs.model.filter import Attribute, Key
from graphql_runs.model.filter import RunFilter as Condition
from graphql_runs.model.records import MetricKind
from graphql_runs.read.vocabulary import Name as Found
from graphql_runs.read.vocabulary import NameKind, vocabulary
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import After, Connection, First, Page, place
from graphql_runs.schema.context import Info
from graphql_runs.schema.enums import describe
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.runs import Filter, Where, equals, run_list

describe(
    NameKind,
    "What names are of.",
    {
        "METRIC": "Metrics.",
        "PARAM": "Parameters, by key.",
        "TAG": "Tags, by key.",
        "PROPERTY": "Properties, by key.",
    },
)


@strawberry.type(description="A name that runs use.")
class Name:
    name: str = field("The name.")
    kind: MetricKind | None = field("How the newest run with it logged it; null for what is no metric.")
    runs: int = field("How many of the runs looked at have it.")


@dataclass(slots=True)
class NamePage(Page[Found]):
    """A page of names with what they were found in."""

    looked_at: int = 0
    complete: bool = True


@strawberry.type(description="A page of names, in alphabetical order.")
class NameConnection(Connection[Name]):
    looked_at: int = field("How many runs were looked at, the newest first.")
    complete: bool = field(
        "All runs that match were looked at. Otherwise there were too many (the limit `name_records`), and older ones may have names "
        "that are not here: narrow the filter."
    )


Of = Annotated[NameKind, argument("What the names are of.")]
Contains = Annotated[str | None, argument("Only names with this text; ASCII letters in any case.")]


async def workspace_names(
    root: strawberry.Parent[records.Workspace],
    info: Info,
    of: Of,
    filter: Filter = None,
    where: Where = None,
    contains: Contains = None,
    first: First = 100,
    after: After = None,
) -> NamePage:
    """The names that a workspace's runs use."""
    scope = equals(Attribute.WORKSPACE, root.id)
    listed = await run_list(info, filter, None, where=where, scope=scope, workspace=root.id)
    return await _page(info, listed.where, f"names:{of}:{root.id}", of, contains, first, after)


async def experiment_names(
    root: strawberry.Parent[records.Experiment],
    info: Info,
    of: Of,
    filter: Filter = None,
    where: Where = None,
    contains: Contains = None,
    first: First = 100,
    after: After = None,
) -> NamePage:
    """The names that an experiment's runs use."""
    scope = equals(Attribute.EXPERIMENT, root.id)
    listed = await run_list(info, filter, None, where=where, scope=scope, workspace=root.workspace)
    return await _page(info, listed.where, f"names:{of}:{root.id}", of, contains, first, after)


async def _page(
    info: Info, where: Condition, key: str, of: NameKind, contains: str | None, first: int, after: str | None
) -> NamePage:
    limits = info.context.limits
    bounded(first, limits.page, "first")
    last = place(str, key, after)
    found = await vocabulary(info.context.store, where, of, contains=contains, most=limits.name_records)
    later = [name for name in found.names if last is None or name.name > last]
    nodes = later[:first]

    async def count() -> int:
        return len(found.names)

    return NamePage(
        nodes,
        cursor=lambda index: encode_page(key, Key((nodes[index].name,), "")),
        has_next=len(later) > first,
        has_previous=last is not None,
        count=count,
        looked_at=found.looked_at,
        complete=found.complete,
    )
