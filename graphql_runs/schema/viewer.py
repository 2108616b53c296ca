"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass

import strawberry

from graphql_runs.schema.field import field


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. `key` is the same for the same person and differs between persons; it never leaves the server."""

    authenticated: bool = False
    key: str = ""


@strawberry.type(name="Viewer", description="Who asks.")
class ViewerType:
    authenticated: bool = field(
        "true: a valid token came with the request. false: this server asks for none."
    )
