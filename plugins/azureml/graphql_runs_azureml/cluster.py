"""Clusters: Azure's compute resource, as the SDK serializes it, as the REST API gives it, or flat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unit, Unreadable
from graphql_runs.model.operation import DescribeCluster
from graphql_runs.model.records import ClusterNode
from graphql_runs_azureml.document import load
from graphql_runs_azureml.fields import Fields

_MARKS = (
    b'"allocationState"',
    b'"provisioningState"',
    b'"computeType"',
    b'"scaleSettings"',
    b'"nodeStateCounts"',
)
_FOLDERS = frozenset({"computes", "clusters"})
_COUNT = "NodeCount"
_NODES = 10_000
_NESTED = ("properties", "status")


def may_be_at(path: PurePosixPath) -> bool:
    """May the file be a cluster by its name: `cluster.json`, or a JSON file in a folder `computes` or `clusters`?"""
    return path.name == "cluster.json" or (path.suffix == ".json" and path.parent.name in _FOLDERS)


def may_be_cluster(head: bytes) -> bool:
    """Does a file that begins like this look like a compute resource?"""
    return any(mark in head for mark in _MARKS)


def read_cluster(unit: Unit, context: Context) -> Iterator[Delivery]:
    """The cluster as it is now. Raises Unreadable when the file is no JSON object or names no cluster."""
    path = unit.files[0]
    document = load(context.tree.folder, path, context.limits.json_bytes)
    if not isinstance(document.value, dict):
        raise Unreadable("is no JSON object", path=str(path))
    fields = Fields(document.value)
    cluster = describe(fields)
    if cluster is None:
        raise Unreadable("names no cluster", path=str(path))
    skipped = [Skipped(str(path), problem) for problem in dict.fromkeys(fields.problems)]
    yield Delivery({}, clusters=[cluster], skipped=skipped)


def describe(fields: Fields) -> DescribeCluster | None:
    """The cluster in a compute resource, None when it has no name."""
    name = fields.name("name")
    if name is None:
        return None
    layers = list(_layers(fields, 3))

    def text(*names: str) -> str | None:
        return next((found for layer in layers if (found := layer.text(*names)) is not None), None)

    def count(key: str) -> int | None:
        return next((found for layer in layers if (found := layer.count(key)) is not None), None)

    scale = next(
        (layer.nested("scaleSettings") for layer in layers if layer.value.get("scaleSettings")), Fields({})
    )
    provisioning, allocation = text("provisioningState"), text("allocationState")
    return DescribeCluster(
        name=name,
        kind=text("computeType")
        or (None if "/" in (text("type") or "/") else text("type")),  # a resource's type is a path
        # A cluster that is there is steady or resizing; one that is not is creating, deleting or failed.
        state=allocation if provisioning in (None, "Succeeded") and allocation is not None else provisioning,
        vm_size=text("vmSize"),
        vm_priority=text("vmPriority"),
        min_nodes=scale.count("minNodeCount"),
        max_nodes=scale.count("maxNodeCount"),
        current_nodes=count("currentNodeCount"),
        target_nodes=count("targetNodeCount"),
        node_states=next((_states(layer) for layer in layers if layer.value.get("nodeStateCounts")), None),
        nodes=next((_nodes(layer) for layer in layers if layer.value.get("nodes") is not None), None),
    )


def _layers(fields: Fields, depth: int) -> Iterator[Fields]:
    """The object itself, then `properties`, `status` and what is nested in them, where resource and SDK put fields."""
    yield fields
    if depth:
        for name in _NESTED:
            if isinstance(fields.value.get(name), dict):
                yield from _layers(fields.nested(name), depth - 1)


def _states(layer: Fields) -> dict[str, int]:
    counts = layer.nested("nodeStateCounts")
    return {
        state: count
        for key in counts.value
        if (state := key.removesuffix(_COUNT)) and (count := counts.count(key)) is not None
    }


def _nodes(layer: Fields) -> tuple[ClusterNode, ...]:
    given = layer.objects("nodes")
    if len(given) > _NODES:
        layer.note("nodes", f"has {len(given)} entries, those after the first {_NODES} were left out")
    found = []
    for node in given[:_NODES]:
        name = node.name("nodeId", "name")
        if name is None:
            layer.problems.append(f"{node.path.removesuffix('.')} has no nodeId")
            continue
        state = node.text("nodeState", "state") or "unknown"
        ip = node.text("privateIpAddress", "publicIpAddress", "publicIp", "ipAddress")
        found.append(ClusterNode(name, state, node.name("runId"), ip, node.count("port")))
    return tuple(found)
