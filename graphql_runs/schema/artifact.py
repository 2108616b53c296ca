"""Output files."""

from urllib.parse import quote

import strawberry

from graphql_runs.model import records
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import field
from graphql_runs.schema.node import Node
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import that_run
from graphql_runs.schema.scalars import DateTime


def artifact_path(run: str, path: str) -> str:
    """Where the server keeps a run's output, as a path of its own."""
    return f"/artifacts/{run}/{quote(path)}"


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
