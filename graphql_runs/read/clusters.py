"""How many nodes of a cluster are in which state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from graphql_runs.model.records import Cluster


@dataclass(frozen=True, slots=True)
class NodeStates:
    """Nodes by state, in the states of Azure Machine Learning's compute; `other` counts those in any other state."""

    idle: int = 0
    running: int = 0
    preparing: int = 0
    unusable: int = 0
    leaving: int = 0
    preempted: int = 0
    other: int = 0


_NAMES = frozenset(NodeStates.__slots__) - {"other"}


def node_states(cluster: Cluster) -> NodeStates:
    """The counts that the cluster's system gives, or else those of its nodes, one by one. Case does not matter."""
    counts: Counter[str] = Counter()
    for state, count in cluster.node_states.items() or Counter(node.state for node in cluster.nodes).items():
        name = state.lower()
        counts[name if name in _NAMES else "other"] += count
    return NodeStates(**counts)
