"""Putting the schema together."""

from __future__ import annotations

from strawberry.printer import print_schema as print_strawberry
from strawberry.schema.config import StrawberryConfig

from graphql_runs.schema.artifact import Artifact
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.log import LogFile
from graphql_runs.schema.metric import Metric
from graphql_runs.schema.mutation import Mutation
from graphql_runs.schema.query import Query
from graphql_runs.schema.scalars import SCALARS
from graphql_runs.schema.schema import RunsSchema
from graphql_runs.schema.server import Source
from graphql_runs.schema.subscription import Subscription


def build_schema(limits: SchemaLimits | None = None) -> RunsSchema:
    """The schema that is served, with the default limits unless others are given."""
    return RunsSchema(
        limits or SchemaLimits(),
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[LogFile, Metric, Artifact, Source],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def print_schema() -> str:
    """The schema as text, as schema.graphql holds it."""
    return print_strawberry(build_schema()) + "\n"
