"""Cluster descriptions in the shapes of the REST API, of the SDK and flat."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphql_runs.ingest.api import Unreadable
from graphql_runs.model.operation import DescribeCluster
from graphql_runs.model.records import ClusterNode
from graphql_runs_azureml import AzureMLIngester
from plugins.azureml.tests.builder import new_run, put, read, reasons, tree_of

COUNTS = {
    "idleNodeCount": 1,
    "runningNodeCount": 1,
    "preparingNodeCount": 0,
    "unusableNodeCount": 0,
    "leavingNodeCount": 0,
    "preemptedNodeCount": 0,
}
SCALE = {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT120S"}
NODES = [
    {
        "nodeId": "tvmps_1",
        "privateIpAddress": "10.0.0.4",
        "publicIpAddress": "20.1.1.1",
        "port": 50000,
        "nodeState": "running",
        "runId": "HD_1_0",
    },
    {"nodeId": "tvmps_2", "nodeState": "idle", "runId": None},
]
STATUS = {
    "currentNodeCount": 2,
    "targetNodeCount": 3,
    "nodeStateCounts": COUNTS,
    "allocationState": "Resizing",
    "errors": None,
    "nodes": NODES,
}
AML = {"vmSize": "STANDARD_D2_V2", "vmPriority": "LowPriority", "scaleSettings": SCALE}
EXPECTED = DescribeCluster(
    name="cpu-cluster",
    kind="AmlCompute",
    state="Resizing",
    vm_size="STANDARD_D2_V2",
    vm_priority="LowPriority",
    min_nodes=0,
    max_nodes=4,
    current_nodes=2,
    target_nodes=3,
    node_states={"idle": 1, "running": 1, "preparing": 0, "unusable": 0, "leaving": 0, "preempted": 0},
    nodes=(ClusterNode("tvmps_1", "running", "HD_1_0", "10.0.0.4", 50000), ClusterNode("tvmps_2", "idle")),
)
FLAT = {"name": "cpu-cluster", "type": "AmlCompute", "provisioningState": "Succeeded", **STATUS, **AML}
SDK = {
    "id": "/subscriptions/x",
    "name": "cpu-cluster",
    "location": "eastus",
    "properties": {
        "computeType": "AmlCompute",
        "provisioningState": "Succeeded",
        "properties": AML,
        "status": STATUS,
    },
}
REST = {
    "name": "cpu-cluster",
    "type": "Microsoft.MachineLearningServices/workspaces/computes",
    "properties": {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": AML | STATUS},
}


@pytest.mark.parametrize("document", [FLAT, SDK, REST])
@pytest.mark.parametrize(
    "place", ["cluster.json", "azureml/cluster.json", "computes/cpu.json", "clusters/cpu.json"]
)
def test_shapes_and_places(tmp_path: Path, document: dict[str, object], place: str) -> None:
    put(tmp_path, {place: document})
    reading = read(tmp_path)
    assert (reading.clusters, reading.operations, reading.skipped, reading.errors) == ([EXPECTED], [], [], [])


def test_a_cluster_that_is_not_there_yet(tmp_path: Path) -> None:
    put(
        tmp_path,
        {"cluster.json": {"name": "c", "provisioningState": "Creating", "allocationState": "Steady"}},
    )
    assert read(tmp_path).clusters == [DescribeCluster("c", state="Creating")]


def test_it_is_read_afresh_at_every_start_and_change(tmp_path: Path) -> None:
    put(tmp_path, {"cluster.json": FLAT})
    first = read(tmp_path)
    assert read(tmp_path, first.checkpoints).clusters == [EXPECTED]
    put(tmp_path, {"cluster.json": FLAT | {"currentNodeCount": 0}})
    assert read(tmp_path, first.checkpoints).clusters[0].current_nodes == 0


def test_files_that_are_no_clusters_are_left_alone(tmp_path: Path) -> None:
    put(
        tmp_path,
        {"cluster.json": {"name": "of points", "size": 3}, "computes/notes.json": "[]", "other.json": FLAT},
    )
    new_run(tmp_path / "r", "r")
    assert [unit for unit in AzureMLIngester().units(tree_of(tmp_path)) if unit.run is None] == []


@pytest.mark.parametrize(
    ("content", "message", "line"),
    [
        ('{"name": "c",\n"allocationState": ', "not JSON", 2),
        ('{"allocationState": "Steady"}', "names no cluster", None),
        ('["allocationState"]', "no JSON object", None),
    ],
)
def test_bad_descriptions(tmp_path: Path, content: str, message: str, line: int | None) -> None:
    put(tmp_path, {"cluster.json": content})
    [error] = read(tmp_path).errors
    assert isinstance(error, Unreadable)
    assert message in str(error)
    assert (error.path, error.line) == ("cluster.json", line)


def test_wrong_fields_are_left_out_one_by_one(tmp_path: Path) -> None:
    wrong = {
        "currentNodeCount": "two",
        "scaleSettings": {"minNodeCount": -1, "maxNodeCount": 3},
        "nodes": [{"nodeState": "idle"}, 7, {"nodeId": "n"}],
    }
    put(
        tmp_path,
        {"cluster.json": {"name": "c", "allocationState": "Steady", "targetNodeCount": True, **wrong}},
    )
    reading = read(tmp_path)
    assert reading.clusters == [
        DescribeCluster("c", state="Steady", max_nodes=3, nodes=(ClusterNode("n", "unknown"),))
    ]
    assert sorted(reasons(reading.skipped)) == [
        "currentNodeCount is a text, not a whole number",
        "nodes[0] has no nodeId",
        "nodes[1] is a number, not an object",
        "scaleSettings.minNodeCount is a number, not a whole number",
        "targetNodeCount is a boolean, not a whole number",
    ]
