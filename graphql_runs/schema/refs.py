"""Names for types that refer to each other in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from graphql_runs.schema.artifact import Artifact
    from graphql_runs.schema.cluster import Cluster
    from graphql_runs.schema.experiment import Experiment
    from graphql_runs.schema.log import LogFile
    from graphql_runs.schema.metric import Metric
    from graphql_runs.schema.run import Run
    from graphql_runs.schema.workspace import Workspace

ArtifactRef = Annotated["Artifact", strawberry.lazy("graphql_runs.schema.artifact")]
ClusterRef = Annotated["Cluster", strawberry.lazy("graphql_runs.schema.cluster")]
ExperimentRef = Annotated["Experiment", strawberry.lazy("graphql_runs.schema.experiment")]
LogFileRef = Annotated["LogFile", strawberry.lazy("graphql_runs.schema.log")]
MetricRef = Annotated["Metric", strawberry.lazy("graphql_runs.schema.metric")]
RunRef = Annotated["Run", strawberry.lazy("graphql_runs.schema.run")]
WorkspaceRef = Annotated["Workspace", strawberry.lazy("graphql_runs.schema.workspace")]
