"""What mutations are given."""

import strawberry

from graphql_runs.model.records import LogStream, MetricKind
from graphql_runs.model.run import Goal
from graphql_runs.model.status import RunStatus
from graphql_runs.schema import enums as enums
from graphql_runs.schema.building import build_directly
from graphql_runs.schema.common import KeyValueInput
from graphql_runs.schema.field import field, optional
from graphql_runs.schema.scalars import JSON, Column, DateTime, FloatColumn, TimeColumn

DEFAULT_WORKSPACE = "default"
_HOME = "The name of the workspace; it is made if missing."


@strawberry.input(description="A new workspace.")
class CreateWorkspaceInput:
    name: str = field("Its name.")
    description: str | None = optional("What people should know about it.")


@strawberry.input(description="A new experiment.")
class CreateExperimentInput:
    workspace: str = optional(_HOME, DEFAULT_WORKSPACE)
    name: str = field("Its name, unique in the workspace.")
    description: str | None = optional("What people should know about it.")
    tags: list[KeyValueInput] | None = optional("Its tags.")


@strawberry.input(description="A status, as of a time.")
class StatusInput:
    status: RunStatus = field("The status.")
    at: DateTime | None = optional("Since when; now unless given. A time in the future counts as now.")
    original: str | None = optional("The word for it in the run's own system, where it is another one.")
    detail: str | None = optional("What else is to be said.")


@strawberry.input(description="A new run.")
class CreateRunInput:
    workspace: str = optional(_HOME, DEFAULT_WORKSPACE)
    experiment: str = field("The name of the experiment; it is made if missing.")
    name: str = field("Its name.")
    run_id: str | None = optional(
        "An id of your own, unique in the workspace. It makes the call repeatable: the same id with the same content "
        "gives the run that is there. One is made up unless given."
    )
    display_name: str | None = optional("A name for people.")
    description: str | None = optional("What people should know about it.")
    kind: str | None = optional("What kind of run it is, such as `sweep`.")
    parent: strawberry.ID | None = optional(
        "The run above it in the same workspace: the server's id or the producer's. It is fixed for good."
    )
    cluster: str | None = optional("The name of the cluster it runs on; it is made if missing.")
    target: str | None = optional("The compute target it is sent to, by name.")
    submitted_by: str | None = optional("Who started it.")
    status: StatusInput | None = optional("Its status; NOT_STARTED unless given.")
    created_at: DateTime | None = optional("When it was created; now unless given.")
    tags: list[KeyValueInput] | None = optional("Its tags.")
    params: list[KeyValueInput] | None = optional("Its parameters.")
    properties: list[KeyValueInput] | None = optional("Its properties.")
    identities: list[str] | None = optional(
        "What other sources may know it by too, each `system:id`, such as `slurm:cluster/4242`. Runs of different sources that share "
        "one are shown as one run."
    )
    primary_metric: str | None = optional("The name of the metric that counts.")
    primary_metric_goal: Goal | None = optional("Which way that metric is better.")
    heartbeat_seconds: float | None = optional(
        "A promise to give a sign of life this often; after three missed ones the run is shown as stale."
    )
    portal_url: str | None = optional("The page of this run in its own system; shown as originUrl.")


@strawberry.input(description="Points of one metric of single numbers. The columns have the same length.")
class PointsInput:
    metric: str = field("The metric's name.")
    values: FloatColumn = field("The values, in order.")
    steps: FloatColumn | None = optional("The step of each value.")
    at: TimeColumn | None = optional("When each value was logged, in Unix seconds; now unless given.")
    kind: MetricKind = optional("How it is logged; SCALAR or LIST.", MetricKind.SCALAR)


@strawberry.input(description="A column of rows.")
class ColumnInput:
    name: str = field("Its name.")
    values: Column = field("Its values, one for each row.")


@strawberry.input(description="Rows of one metric of named columns, which have the same length.")
class RowsInput:
    metric: str = field("The metric's name.")
    columns: list[ColumnInput] = field("The columns.")
    steps: FloatColumn | None = optional("The step of each row.")
    at: TimeColumn | None = optional("When each row was logged, in Unix seconds; now unless given.")
    kind: MetricKind = optional("How they are logged.", MetricKind.ROW)


@strawberry.input(
    description="A row of a metric that is a document with a schema, or an image. Either `payload` or `artifact` is given."
)
class PayloadInput:
    metric: str = field("The metric's name.")
    kind: MetricKind = field(
        "CONFUSION_MATRIX, ACCURACY_TABLE, RESIDUALS, PREDICTIONS or HISTOGRAM with a payload, IMAGE with an artifact."
    )
    step: float | None = optional("The step of the row.")
    at: DateTime | None = optional("When it was logged; now unless given.")
    payload: JSON | None = optional(
        "The document, as Azure ML has it: `{schema_type, schema_version, data}`. It is checked against the kind's schema."
    )
    artifact: str | None = optional(
        "The path of the image among the run's outputs. It may be uploaded before or afterwards."
    )


@strawberry.input(description="Text for the end of a log file.")
class LogInput:
    path: str = field("The file's path within the run; the file is made if missing.")
    text: str = field("The text. Lines end with a line feed; the last one may be open.")
    stream: LogStream | None = optional("Which stream of the job the file holds.")
    rank: int | None = optional("The rank of the process that writes it.")
    complete: bool | None = optional("The file will not grow any more.")


@strawberry.input(
    description="What happened to one run, as one durable batch: all of it is written or nothing."
)
class RecordInput:
    run: strawberry.ID = field("The run: the server's id, or the producer's if only one workspace has it.")
    writer: str | None = optional(
        "A name for whoever writes, new for every process. Together with sequence it makes a retry harmless."
    )
    sequence: int | None = optional(
        "0, 1, 2, … for each writer of a run tree. A number that was taken before is acknowledged again and written once."
    )
    points: list[PointsInput] | None = optional("Points of metrics.")
    rows: list[RowsInput] | None = optional("Rows of metrics.")
    payloads: list[PayloadInput] | None = optional("Documents and images, each a row of its metric.")
    logs: list[LogInput] | None = optional("Log text.")
    status: StatusInput | None = optional("A new status.")
    tags: list[KeyValueInput] | None = optional("Tags, merged by key.")
    params: list[KeyValueInput] | None = optional("Parameters, merged by key.")
    properties: list[KeyValueInput] | None = optional("Properties, merged by key.")
    exit_code: int | None = optional("The exit code of its process.")
    heartbeat_at: DateTime | None = optional(
        "A sign of life. Points, rows and log text are signs of life by themselves."
    )


@strawberry.input(description="Why a run failed.")
class RunErrorInput:
    message: str = field("What went wrong, for people.")
    code: str | None = optional("A code for programs.")
    detail: str | None = optional("More, such as a traceback.")


@strawberry.input(description="A warning about a run.")
class RunWarningInput:
    message: str = field("What it says.")
    source: str | None = optional("What part of the system it comes from.")


@strawberry.input(description="Why a run still waits.")
class QueueingInput:
    code: str | None = optional("A code for programs.")
    message: str | None = optional("The reason, for people.")
    refreshed_at: DateTime | None = optional("When this was said.")
    position: int | None = optional("Its place in the queue.")


@strawberry.input(description="Facts about a run. What is not given stays as it is.")
class UpdateRunInput:
    run: strawberry.ID = field("The run: the server's id, or the producer's if only one workspace has it.")
    display_name: str | None = optional("A name for people.")
    description: str | None = optional("What people should know about it.")
    tags: list[KeyValueInput] | None = optional("Tags, merged by key.")
    remove_tags: list[str] | None = optional("Keys of tags that go away.")
    params: list[KeyValueInput] | None = optional("Parameters, merged by key.")
    properties: list[KeyValueInput] | None = optional("Properties, merged by key.")
    identities: list[str] | None = optional("What other sources may know it by too, besides those it has.")
    status: StatusInput | None = optional("A new status.")
    started_at: DateTime | None = optional("When its code began to run.")
    ended_at: DateTime | None = optional("When it ended.")
    heartbeat_at: DateTime | None = optional("A sign of life.")
    exit_code: int | None = optional("The exit code of its process.")
    error: RunErrorInput | None = optional("Why it failed.")
    warnings: list[RunWarningInput] | None = optional("Its warnings, instead of those it has.")
    queueing: QueueingInput | None = optional("Why it still waits.")
    cluster: str | None = optional("The name of the cluster it runs on; it is made if missing.")
    target: str | None = optional("The compute target it was sent to, by name.")
    primary_metric: str | None = optional("The name of the metric that counts.")
    primary_metric_goal: Goal | None = optional("Which way that metric is better.")
    portal_url: str | None = optional("The page of this run in its own system; shown as originUrl.")


@strawberry.input(description="How many nodes are in a state.")
class NodeStateInput:
    state: str = field(
        "The state: idle, running, preparing, unusable, leaving, preempted, or any other word."
    )
    count: int = field("How many nodes are in it.")


@strawberry.input(description="One machine of a cluster.")
class ClusterNodeInput:
    name: str = field("Its name.")
    state: str = field("Its state, in the words of the cluster's system.")
    run_id: str | None = optional("The producer's id of the run on it.")
    ip: str | None = optional("Its address.")
    port: int | None = optional("The port to reach it at.")


@strawberry.input(description="A cluster as it is now. What is not given stays as it is.")
class UpsertClusterInput:
    workspace: str = optional(_HOME, DEFAULT_WORKSPACE)
    name: str = field("Its name, unique in the workspace; the cluster is made if missing.")
    kind: str | None = optional("What kind of compute it is.")
    state: str | None = optional("Its state, in the words of its system.")
    vm_size: str | None = optional("The size of its machines.")
    vm_priority: str | None = optional("Whether its machines are dedicated or may be taken away.")
    min_nodes: int | None = optional("The fewest nodes it shrinks to.")
    max_nodes: int | None = optional("The most nodes it grows to.")
    current_nodes: int | None = optional("How many nodes it has.")
    target_nodes: int | None = optional("How many nodes it is growing or shrinking to.")
    node_states: list[NodeStateInput] | None = optional(
        "How many nodes are in which state, instead of what it has."
    )
    nodes: list[ClusterNodeInput] | None = optional("Its nodes, instead of those it has.")
    portal_url: str | None = optional("The page of this cluster in its own system; shown as originUrl.")


build_directly(
    RecordInput, PointsInput, RowsInput, ColumnInput, PayloadInput, LogInput, StatusInput, KeyValueInput
)
