"""Things with a global id."""

from typing import Any

import strawberry

from graphql_runs.model import records, run, source
from graphql_runs.schema.field import field

_TYPES = {
    records.Workspace: "Workspace",
    records.Cluster: "Cluster",
    records.Experiment: "Experiment",
    run.Run: "Run",
    records.Metric: "Metric",
    records.LogFile: "LogFile",
    records.Artifact: "Artifact",
    source.SourceReport: "Source",
}


@strawberry.interface(description="Something with an id that is unique on this server and names it for good.")
class Node:
    id: strawberry.ID = field("The server's id. Its prefix tells the type: `run_…`, `metric_…`.")

    @classmethod
    def resolve_type(cls, value: Any, info: Any, abstract_type: Any) -> str:
        """The type of a value, which is one of the domain's own."""
        return _TYPES[type(value)]

    @classmethod
    def is_type_of(cls, value: Any, info: Any) -> bool:
        """Every value comes from a resolver that says what it gives."""
        return True
