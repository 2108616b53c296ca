import pytest

from graphql_runs_slurm.cluster import Node, describe, nodes_in, nodes_of, partitions_in, partitions_of
from plugins.slurm.tests.recorded import VERSIONS, document, said


def _node(name: str, state: str, size: str = "4 CPUs") -> Node:
    return Node(name, tuple(state.split("+")), frozenset({"main"}), "10.0.0.1", 17, size)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("IDLE", "idle"),
        ("ALLOCATED", "running"),
        ("MIXED", "running"),
        ("IDLE+DRAIN", "unusable"),
        ("MIXED+DRAIN", "leaving"),
        ("DOWN", "unusable"),
        ("DOWN+DRAIN", "unusable"),
        ("IDLE+NOT_RESPONDING", "unusable"),
        ("UNKNOWN+NOT_RESPONDING", "unusable"),
        ("IDLE+CLOUD+POWERED_DOWN", "off"),
        ("IDLE+CLOUD+POWERING_DOWN", "leaving"),
        ("ALLOCATED+POWERING_UP", "preparing"),
        ("IDLE+MAINTENANCE", "other"),
        ("IDLE+PLANNED", "idle"),
        ("IDLE+RESERVED", "idle"),
        ("FUTURE", "off"),
        ("SOMETHING", "other"),
    ],
)
def test_states_of_nodes(state: str, kind: str) -> None:
    assert _node("a", state).kind == kind


def test_a_cluster_that_grows_and_shrinks() -> None:
    nodes = [
        _node("a", "MIXED"),
        _node("b", "IDLE+CLOUD"),
        _node("c", "IDLE+CLOUD+POWERED_DOWN"),
        _node("d", "ALLOCATED+CLOUD+POWERING_UP"),
        _node("e", "IDLE+CLOUD+POWERING_DOWN"),
        _node("f", "DOWN", "8 CPUs"),
    ]
    [one] = describe("c", {"main": "UP"}, nodes, {"a": "slurm/c/7"})
    assert (one.name, one.kind, one.state, one.vm_size) == ("c/main", "slurm", "UP", None)
    assert (one.min_nodes, one.max_nodes, one.current_nodes, one.target_nodes) == (2, 6, 3, 3)
    assert one.node_states == {"idle": 1, "leaving": 1, "off": 1, "preparing": 1, "running": 1, "unusable": 1}
    assert one.nodes is not None
    assert [(node.name, node.run, node.ip) for node in one.nodes][:2] == [
        ("a", "slurm/c/7", "10.0.0.1"),
        ("b", None, "10.0.0.1"),
    ]


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("moment", ["early", "late"])
def test_lines_tell_the_same_as_json(version: str, moment: str) -> None:
    as_json = nodes_of(document(version, moment, "nodes.json"))
    as_lines = nodes_in(said(version, moment, "nodes.txt").decode())
    assert as_json == as_lines
    assert [node.name for node in as_json] == ["node1", "node2", "node3", "node4"]
    partitions = partitions_of(document(version, moment, "partitions.json"))
    assert partitions == partitions_in(said(version, moment, "partitions.txt").decode())
    assert partitions == {"main": "UP", "spare": "UP", "urgent": "UP"}


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_nodes_are_as_recorded(version: str) -> None:
    given = {str(one["name"]): one for one in document(version, "early", "nodes.json")["nodes"]}
    for node in nodes_of({"nodes": list(given.values())}):
        one = given[node.name]
        assert node.state == "+".join(one["state"])  # type: ignore[arg-type]  # as it comes
        assert node.partitions == set(one["partitions"])  # type: ignore[call-overload]
        assert (node.address, node.port) == (one["address"], one["port"])
        gres = f", {one['gres']}" if one["gres"] else ""
        assert node.size == f"{one['cpus']} CPUs, {one['real_memory']} MB{gres}"
