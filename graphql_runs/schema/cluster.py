"""Clusters, as a compute page shows them."""

from dataclasses import dataclass
from typing import Annotated

import strawberry

from graphql_runs.model import ids, records
from graphql_runs.model.filter import And, Attribute, AttributeField, Compare, Op
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.model.status import StatusClass
from graphql_runs.read.clusters import node_states
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import After, First
from graphql_runs.schema.context import Info, Loaded
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.node import Node
from graphql_runs.schema.refs import RunRef, WorkspaceRef
from graphql_runs.schema.run_edge import cursor_of_workspace, one_run
from graphql_runs.schema.runs import Filter, OrderBy, RunConnection, RunPage, Where, equals, run_page
from graphql_runs.schema.scalars import DateTime
from graphql_runs.schema.waits import StatusTime, queue_wait, status_times

Parent = strawberry.Parent[records.Cluster]
_UNFINISHED = [StatusClass.PENDING, StatusClass.ACTIVE, StatusClass.POST_PROCESSING]


@dataclass(frozen=True, slots=True)
class _Place:
    node: records.ClusterNode
    workspace: str


@strawberry.type(description="How many nodes are in which state.")
class NodeStates:
    idle: int = field("Free.")
    running: int = field("Busy with a run.")
    preparing: int = field("Being set up.")
    unusable: int = field("Broken.")
    leaving: int = field("Being given back.")
    preempted: int = field("Taken away by the provider.")
    other: int = field("In some other state.")


async def _node_run(root: strawberry.Parent[_Place], info: Info) -> RunRecord | None:
    run = root.node.run
    return None if run is None else await one_run(info, ids.run_id(root.workspace, run))


@strawberry.type(description="One machine of a cluster.")
class ClusterNode:
    name: str = field("Its name.", of=lambda place: place.node.name)
    state: str = field("Its state, in the words of the cluster's system.", of=lambda place: place.node.state)
    run_id: str | None = field("The producer's id of the run on it.", of=lambda place: place.node.run)
    run: RunRef | None = field("The run on it, if we know it.", _node_run)
    ip: str | None = field("Its address.", of=lambda place: place.node.ip)
    port: int | None = field("The port to reach it at.", of=lambda place: place.node.port)


def _workspace(root: Parent, info: Info) -> Loaded[records.Workspace]:
    return info.context.load(records.Workspace, root.workspace)


async def _runs(
    root: Parent,
    info: Info,
    classes: Annotated[
        list[StatusClass] | None, argument("Only runs in one of these classes; an empty list shows all.")
    ] = _UNFINISHED,
    filter: Filter = None,
    where: Where = None,
    order_by: OrderBy = None,
    first: First = 50,
    after: After = None,
) -> RunPage:
    scope = equals(Attribute.CLUSTER, root.id)
    if classes:
        names = tuple(str(found) for found in classes)
        scope = And((scope, Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, names)))
    return await run_page(
        info, first, after, filter, order_by, where=where, scope=scope, workspace=root.workspace
    )


async def _live_cursor(root: Parent, info: Info) -> str:
    return await cursor_of_workspace(info.context, root.workspace)


def _portal_url(root: Parent, info: Info) -> str:
    return info.context.url(f"/clusters/{root.id}")


@strawberry.type(
    description="A compute target: training cluster, SLURM partition, Kubernetes namespace, one machine."
)
class Cluster(Node):
    name: str = field("Its name, unique in the workspace.")
    workspace: WorkspaceRef = field("The workspace it is in.", _workspace)
    kind: str = field("What kind of compute it is.")
    state: str = field("Its state, in the words of its system.")
    vm_size: str | None = field("The size of its machines.")
    vm_priority: str | None = field("Whether its machines are dedicated or may be taken away.")
    min_nodes: int | None = field("The fewest nodes it shrinks to.")
    max_nodes: int | None = field("The most nodes it grows to.")
    current_nodes: int | None = field("How many nodes it has.")
    target_nodes: int | None = field("How many nodes it is growing or shrinking to.")
    node_states: NodeStates = field("How many nodes are in which state.", of=node_states)
    nodes: list[ClusterNode] = field(
        "Its nodes.", of=lambda cluster: [_Place(node, cluster.workspace) for node in cluster.nodes]
    )
    updated_at: DateTime = field("When it was last described.")
    runs: RunConnection = field("Its queued and active runs; finished ones leave the list.", _runs)
    queue_wait: list[float] | None = field(
        "Quantiles of the seconds that runs waited until they began; runs that still wait do not count. Null if there are none.",
        queue_wait,
    )
    status_times: list[StatusTime] = field("How long its runs were in which status.", status_times)
    live_cursor: str = field("The cluster and its runs as of this answer.", _live_cursor)
    portal_url: str = field("The page of this cluster on this server.", _portal_url)
    origin_url: str | None = field(
        "The page of this cluster in its own system.", of=lambda cluster: cluster.portal_url
    )
