"""Output files."""

from collections.abc import Sequence
from urllib.parse import quote

import strawberry

from graphql_runs.model import records
from graphql_runs.model.cursor import decode_page, encode_page
from graphql_runs.model.filter import Key
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read import records as read
from graphql_runs.read.aliases import joined
from graphql_runs.schema.connection import Page, place
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.field import field
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.node import Node
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import that_run
from graphql_runs.schema.scalars import DateTime


def artifact_path(run: str, path: str) -> str:
    """Where the server keeps a run's output, as a path of its own."""
    return f"/artifacts/{run}/{quote(path)}"


async def artifact_page(
    context: Context, runs: Sequence[RunRecord], first: int, after: str | None, prefix: str | None
) -> Page[records.Artifact]:
    """A page of the outputs of runs, by run and then by path."""
    bounded(first, context.limits.page, "first")
    name = f"Artifact:{runs[0].id}"
    key = None if after is None else decode_page(name, after)

    async def page(run: RunRecord, key: Key | None, most: int) -> list[records.Artifact]:
        path = None if key is None or after is None else place(str, name, after)
        return await read.page(context.store, records.Artifact, run.id, after=path, first=most, prefix=prefix)

    async def count() -> int:
        return sum([await read.count(context.store, records.Artifact, run.id, prefix=prefix) for run in runs])

    found = await joined(runs, key, first + 1, page)
    nodes = found[:first]
    return Page(
        nodes,
        cursor=lambda index: encode_page(name, Key((nodes[index].path,), nodes[index].id)),
        has_next=len(found) > first,
        has_previous=after is not None,
        count=count,
    )


async def _run(root: strawberry.Parent[records.Artifact], info: Info) -> RunRecord:
    return await that_run(info, root.run)


def _url(root: strawberry.Parent[records.Artifact], info: Info) -> str:
    return info.context.url(artifact_path(root.run, root.path))


@strawberry.type(description="An output file of a run.")
class Artifact(Node):
    path: str = field("Its path within the run.")
    run: RunRef = field("The run it belongs to.", _run)
    size: float = field("Its size in bytes.")
    content_type: str | None = field("Its media type, such as `image/png`.")
    sha256: str | None = field("The SHA-256 of its bytes in hexadecimal, where it is known.")
    created_at: DateTime = field("When it was first seen.")
    url: str = field("Where its bytes are: GET gives them (ranges too), PUT replaces them.", _url)
