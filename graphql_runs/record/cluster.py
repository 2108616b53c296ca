"""A cluster's record, carried on by what its system says now."""

from __future__ import annotations

from dataclasses import replace

from graphql_runs.model.operation import DescribeCluster
from graphql_runs.model.records import Cluster
from graphql_runs.model.time import Micros

_FIELDS = (
    "kind", "state", "vm_size", "vm_priority", "min_nodes", "max_nodes", "current_nodes", "target_nodes", "node_states",
    "nodes", "portal_url",
)  # fmt: skip


def described(cluster: Cluster, said: DescribeCluster, at: Micros) -> Cluster:
    """The cluster after a description; the same object when nothing changed."""
    changes = {name: value for name in _FIELDS if (value := getattr(said, name)) is not None}
    new = replace(cluster, **changes)
    return cluster if new == cluster and cluster.updated_at else replace(new, updated_at=at)
