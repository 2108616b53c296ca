"""Runs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar

import strawberry

from graphql_runs.model import ids, records, time
from graphql_runs.model import run as model
from graphql_runs.model.cursor import decode_page, encode_page
from graphql_runs.model.filter import Attribute, Key, Under
from graphql_runs.model.run import Goal
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.read import progress as bars
from graphql_runs.read.aliases import joined
from graphql_runs.read.git import git_info
from graphql_runs.read.logs import main_log, run_logs
from graphql_runs.read.metrics import MetricChoice, MetricOrder, count_metrics, metric_key, page_metrics
from graphql_runs.read.phases import duration, is_stale, phases, queue_seconds
from graphql_runs.schema import enums as enums
from graphql_runs.schema.artifact import Artifact, artifact_page, artifact_path
from graphql_runs.schema.best import RunningBest, best_child, running_best
from graphql_runs.schema.common import KeyValue, pairs
from graphql_runs.schema.connection import After, Connection, First, Page
from graphql_runs.schema.context import Info, Loaded
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.log import LogFile
from graphql_runs.schema.log_line import LogLineConnection
from graphql_runs.schema.metric import Metric
from graphql_runs.schema.node import Node
from graphql_runs.schema.progress import Progress
from graphql_runs.schema.refs import ClusterRef, ExperimentRef, RunRef, WorkspaceRef
from graphql_runs.schema.run_edge import cursor_of_tree, one_cluster, one_run, that_run
from graphql_runs.schema.runs import Filter, OrderBy, RunConnection, RunPage, Where, equals, run_page
from graphql_runs.schema.scalars import DateTime
from graphql_runs.schema.search import SEARCH, searched
from graphql_runs.schema.union import RunConflict, alias_of, aliases, conflicts

Parent = strawberry.Parent[model.Run]
Owned = TypeVar("Owned", records.Metric, records.LogFile)


async def _origin(root: strawberry.Parent[model.StatusEvidence], info: Info) -> model.Run | None:
    return await one_run(info, root.origin)


@strawberry.type(description="One statement about a run's status: who said it, and when.")
class StatusEvidence:
    status: RunStatus = field("The status it states.")
    at: DateTime = field("The time it speaks of.")
    until: DateTime | None = field("The last time that the same was said again; null where it was not.")
    reported: bool = field(
        "true: the run's own system says so. false: we derived it, from an exit code or a log line, say."
    )
    source: str = field("Where it was read: a file with its line, or `api`.")
    original: str | None = field("The word for the status in the run's own system, where it is another one.")
    detail: str | None = field("What else was said.")
    run: RunRef | None = field(
        "The alias that it was said to, of whose source it is; null where it is this run's own.", _origin
    )


@strawberry.type(description="Why something failed.")
class RunError:
    message: str = field("What went wrong, for people.")
    code: str | None = field("A code for programs.")
    detail: str | None = field("More, such as a traceback.")


@strawberry.type(description="A warning that the run's system gave.")
class RunWarning:
    message: str = field("What it says.")
    source: str | None = field("What part of the system it comes from.")


@strawberry.type(description="Why a run still waits, as its system says.")
class Queueing:
    code: str | None = field("A code for programs.")
    message: str | None = field("The reason, for people.")
    refreshed_at: DateTime | None = field("When this was said.")
    position: int | None = field("Its place in the queue.")


@strawberry.type(name="Phase", description="A stretch of time that a run was in one status.")
class PhaseType:
    status: RunStatus = field("The status.")
    status_class: StatusClass = field("What it means for somebody who waits.")
    start: DateTime = field("When it began.")
    end: DateTime | None = field("When it ended; null while it lasts.")
    seconds: float = field("How long it lasted, or lasts so far.")


@strawberry.type(description="The state of the repository that a run was started from.")
class GitInfo:
    repository: str | None = field("The address of the repository.")
    branch: str | None = field("The branch.")
    commit: str | None = field("The commit.")
    dirty: bool | None = field("There were changes that were not committed.")


def _workspace(root: Parent, info: Info) -> Loaded[records.Workspace]:
    return info.context.load(records.Workspace, root.workspace)


def _experiment(root: Parent, info: Info) -> Loaded[records.Experiment]:
    return info.context.load(records.Experiment, root.experiment)


async def _cluster(root: Parent, info: Info) -> records.Cluster | None:
    return None if root.cluster is None else await one_cluster(info, root.cluster, root.workspace)


async def _parent(root: Parent, info: Info) -> model.Run | None:
    return await one_run(info, root.parent)


async def _root(root: Parent, info: Info) -> model.Run:
    return await that_run(info, root.root)


async def _children(
    root: Parent,
    info: Info,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: First = 50,
    after: After = None,
) -> RunPage:
    scope = equals(Attribute.PARENT, root.id)
    return await run_page(
        info, first, after, filter, order_by, where=where, scope=scope, workspace=root.workspace
    )


async def _descendants(
    root: Parent,
    info: Info,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: First = 50,
    after: After = None,
) -> RunPage:
    scope = Under(root.id, root.root)
    return await run_page(
        info, first, after, filter, order_by, where=where, scope=scope, workspace=root.workspace
    )


async def _metrics(
    root: Parent,
    info: Info,
    names: Annotated[list[str] | None, argument("Only metrics of these names.")] = None,
    contains: Annotated[str | None, argument("Only names with this text; ASCII letters in any case.")] = None,
    non_finite: Annotated[
        bool | None, argument("true: only those with NaN or infinities; false: only those without.")
    ] = None,
    order_by: Annotated[MetricOrder, argument("The order.")] = MetricOrder.NAME,
    first: First = 100,
    after: After = None,
) -> Page[records.Metric]:
    context = info.context
    bounded(first, context.limits.page, "first")
    choice = MetricChoice(root.id, None if names is None else tuple(names), contains, non_finite, order_by)
    kind = f"metrics:{root.id}:{order_by}"
    key = None if after is None else decode_page(kind, after)
    members = await context.members(root)

    async def page(run: model.Run, key: Key | None, most: int) -> list[records.Metric]:
        return await page_metrics(context.store, replace(choice, run=run.id), after=key, first=most)

    async def count() -> int:
        return sum([await count_metrics(context.store, replace(choice, run=run.id)) for run in members])

    found = await joined(members, key, first + 1, page)
    nodes = found[:first]
    return Page(
        nodes,
        cursor=lambda index: encode_page(kind, metric_key(choice, nodes[index])),
        has_next=len(found) > first,
        has_previous=after is not None,
        count=count,
    )


def _metric(
    root: Parent, info: Info, name: Annotated[str, argument("The metric's name.")]
) -> Loaded[records.Metric]:
    return _first(root, info, records.Metric, lambda run: ids.metric_id(run, name))


def _first(root: model.Run, info: Info, kind: type[Owned], id_of: Callable[[str], str]) -> Loaded[Owned]:
    """What is named of the run itself, or else of the first of its aliases that has it."""
    own = info.context.load(kind, id_of(root.id))
    return own if not root.identities else _first_of_all(root, info, kind, id_of)


async def _first_of_all(
    root: model.Run, info: Info, kind: type[Owned], id_of: Callable[[str], str]
) -> Owned | None:
    for run in await info.context.members(root):
        if (found := await info.context.get(kind, id_of(run.id))) is not None:
            return found
    return None


async def _logs(root: Parent, info: Info) -> list[records.LogFile]:
    members = await info.context.members(root)
    return [log for run in members for log in await run_logs(info.context.store, run.id)]


def _log(
    root: Parent, info: Info, path: Annotated[str, argument("The file's path within the run.")]
) -> Loaded[records.LogFile]:
    return _first(root, info, records.LogFile, lambda run: ids.log_id(run, path))


async def _main_log(root: Parent, info: Info) -> records.LogFile | None:
    for run in await info.context.members(root):
        if (log := main_log(await run_logs(info.context.store, run.id))) is not None:
            return log
    return None


async def _progress(root: Parent, info: Info) -> bars.Progress | None:
    log = await _main_log(root, info)
    return None if log is None else await bars.log_progress(info.context.store, log)


async def _artifacts(
    root: Parent,
    info: Info,
    prefix: Annotated[
        str | None, argument("Only paths that begin with this, such as `checkpoints/`.")
    ] = None,
    first: First = 100,
    after: After = None,
) -> Page[records.Artifact]:
    members = await info.context.members(root)
    return await artifact_page(info.context, members, first, after, prefix)


def _upload_url(
    root: Parent,
    info: Info,
    path: Annotated[str, argument("The path that the output will have within the run.")],
) -> str:
    return info.context.url(artifact_path(root.id, path))


def _portal_url(root: Parent, info: Info) -> str:
    return info.context.url(f"/runs/{root.id}")


async def _live_cursor(root: Parent, info: Info) -> str:
    return await cursor_of_tree(info.context, root.root)


@strawberry.type(
    description="A run: a job, a sweep, a pipeline or a step of one, in a tree of its parent and children."
)
class Run(Node):
    run_id: str = field("The id its producer gave it, unique in the workspace.")
    number: int = field("Its number within the experiment, from 1.")
    name: str = field("Its name.")
    display_name: str | None = field("The name people gave it.")
    description: str | None = field("What people wrote about it.")
    kind: str | None = field("What kind of run it is, such as `sweep`.")
    source: str = field("Where we know it from: an ingester and its place, or `api`.")
    placeholder: bool = field("It was named as a parent, and nothing else is known of it yet.")
    workspace: WorkspaceRef = field("The workspace it is in.", _workspace)
    experiment: ExperimentRef = field("The experiment it is part of.", _experiment)
    cluster: ClusterRef | None = field("The cluster it runs on.", _cluster)
    target: str | None = field("The compute target it was sent to, by name.")
    submitted_by: str | None = field("Who started it.")
    status: RunStatus = field("Its status, by all that was said about it.")
    status_class: StatusClass = field(
        "What its status means for somebody who waits.", of=lambda run: run.status.status_class
    )
    status_at: DateTime = field("Since when it has this status.")
    original_status: str | None = field("The word for the status in its own system, where it is another one.")
    status_evidence: list[StatusEvidence] = field(
        "Every statement about its status, in the order they came.", of=lambda run: run.evidence
    )
    stale: bool = field(
        "It announced heartbeats, has not ended, and missed three of them. The next sign of life makes it fresh again.",
        of=lambda run: is_stale(run, time.now()),
    )
    error: RunError | None = field("Why it failed.")
    warnings: list[RunWarning] = field("Warnings that its system gave.")
    queueing: Queueing | None = field("Why it still waits.")
    created_at: DateTime = field("When it was created.")
    started_at: DateTime | None = field("When its code began to run.")
    ended_at: DateTime | None = field("When it ended.")
    heartbeat_at: DateTime | None = field("The last sign of life; data that comes in counts as one.")
    heartbeat_seconds: float | None = field("How often it announced to send heartbeats.")
    cancel_requested_at: DateTime | None = field("When somebody asked to cancel it.")
    identities: list[str] = field(
        "What other sources may know it by too, such as `slurm:cluster/4242`: runs of different sources that share one are one run."
    )
    alias_of: RunRef | None = field(
        "The run that this is another source's view of, which has all that is known; lists leave this one out.",
        alias_of,
    )
    aliases: list[RunRef] = field(
        "Views of this run by other sources. Their metrics, logs and outputs are in its lists, behind its own.",
        aliases,
    )
    conflicts: list[RunConflict] = field("What its sources state differently.", conflicts)
    trashed_at: DateTime | None = field(
        "Since when it is in the trash, where lists leave it out; null if it is not."
    )
    duration: float | None = field(
        "Seconds from creation to end, time in queues included; null until it ended.", of=duration
    )
    queue_seconds: float = field(
        "Seconds it waited so far, in statuses of the class PENDING.",
        of=lambda run: queue_seconds(run, time.now()),
    )
    phases: list[PhaseType] = field(
        "How long it was in which status, in order.", of=lambda run: phases(run, time.now())
    )
    parent: RunRef | None = field("The run above it.", _parent)
    root: RunRef = field("The run at the top of its tree; itself if nothing is above it.", _root)
    depth: int = field("How many runs are above it.")
    children: RunConnection = field("The runs right below it.", _children)
    descendants: RunConnection = field("All runs below it, at any depth.", _descendants)
    tags: list[KeyValue] = field("Tags: labels that may change.", of=lambda run: pairs(run.tags))
    properties: list[KeyValue] = field(
        "Properties: facts that its system recorded.", of=lambda run: pairs(run.properties)
    )
    params: list[KeyValue] = field("Parameters it was started with.", of=lambda run: pairs(run.params))
    git: GitInfo | None = field(
        "The code it was started from, if its properties or tags say so.", of=git_info
    )
    primary_metric: str | None = field("The name of the metric that counts.")
    primary_metric_goal: Goal | None = field("Which way that metric is better.")
    best_child: RunRef | None = field(
        "The child whose primary metric is best; null where this run names no such metric, or no goal for it.",
        best_child,
    )
    running_best: RunningBest | None = field(
        "How the best of its children came about, for the chart of a sweep; null where bestChild is for want of a metric or goal.",
        running_best,
    )
    exit_code: int | None = field("The exit code of its process.")
    metrics: Connection[Metric] = field("Its metrics, with their summaries.", _metrics)
    metric: Metric | None = field("One metric, by name.", _metric)
    logs: list[LogFile] = field("Its log files, by path.", _logs)
    log: LogFile | None = field("One log file, by path.", _log)
    main_log: LogFile | None = field(
        "The log to watch: the one that shows what the user's code prints.", _main_log
    )
    search_logs: LogLineConnection = field(SEARCH, searched)
    progress: Progress | None = field("The newest progress bar or counter of its main log.", _progress)
    artifacts: Connection[Artifact] = field("Its output files, by path.", _artifacts)
    upload_url: str = field("Where to PUT the bytes of a new output file.", _upload_url)
    portal_url: str = field("The page of this run on this server.", _portal_url)
    origin_url: str | None = field("The page of this run in its own system.", of=lambda run: run.portal_url)
    live_cursor: str = field(
        "Its tree as of this answer: `runTree(after:)` goes on from exactly here.", _live_cursor
    )
