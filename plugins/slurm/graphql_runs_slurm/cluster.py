"""Partitions and nodes as clusters: `scontrol show partition` and `scontrol show node`, as JSON (23.02 and later) or lines."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql_runs.model.operation import DescribeCluster
from graphql_runs.model.records import ClusterNode
from graphql_runs_slurm.facts import cluster_name, name_of
from graphql_runs_slurm.oneline import records
from graphql_runs_slurm.value import count, nested, text, words

KIND = "slurm"
NODES = 10_000
"""Nodes of one partition that are listed one by one."""
_STATES = (
    ("POWERING_DOWN", "leaving"), ("POWER_DOWN", "leaving"), ("POWERED_DOWN", "off"), ("POWER_SAVING", "off"), ("FUTURE", "off"),
    ("POWERING_UP", "preparing"), ("POWER_UP", "preparing"), ("REBOOT_ISSUED", "preparing"), ("REBOOT", "preparing"),
    ("DOWN", "unusable"), ("ERROR", "unusable"), ("FAIL", "unusable"), ("INVALID_REG", "unusable"), ("INVAL", "unusable"),
    ("NOT_RESPONDING", "unusable"), ("NO_RESPOND", "unusable"), ("UNKNOWN", "unusable"), ("DRAIN", ""), ("MAINTENANCE", "other"),
    ("MAINT", "other"), ("ALLOCATED", "running"), ("MIXED", "running"), ("IDLE", "idle"),
)  # fmt: skip
"""Words of sinfo(1), "NODE STATE CODES", the strongest first, with the kinds of states that clusters have here."""
_BUSY = frozenset({"ALLOCATED", "MIXED"})
_GOING = frozenset({"POWERING_DOWN", "POWER_DOWN"})


@dataclass(frozen=True, slots=True)
class Node:
    """A node. `words` is its state, `partitions` those it is in."""

    name: str
    words: tuple[str, ...]
    partitions: frozenset[str]
    address: str
    port: int | None
    size: str

    @property
    def state(self) -> str:
        """As Slurm writes it: `MIXED+DRAIN`."""
        return "+".join(self.words) or "UNKNOWN"

    @property
    def kind(self) -> str:
        """Which of the states of clusters here it is in."""
        there = set(self.words)
        if "DRAIN" in there and not there & {"DOWN", "POWERED_DOWN"}:
            return "leaving" if there & _BUSY else "unusable"
        return next((kind for word, kind in _STATES if word in there and kind), "other")


def nodes_of(document: object) -> list[Node]:
    """The nodes of a JSON document."""
    listed = nested(document, "nodes")
    return [
        node
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and (node := _node(one)) is not None
    ]


def _node(one: Mapping[str, object]) -> Node | None:
    name = name_of(text(one.get("name")), "")
    partitions = one.get("partitions")
    # 21.08 and 22.05 keep the flags apart, `sinfo --json` included.
    found = (*words(one.get("state")), *words(one.get("state_flags")))
    return _sized(
        name,
        found,
        [text(part) for part in partitions] if isinstance(partitions, list) else [],
        text(one.get("address")),
        count(one.get("port")),
        (count(one.get("cpus")), count(one.get("real_memory")), text(one.get("gres"))),
    )


def nodes_in(said: str) -> list[Node]:
    """The nodes of `scontrol show node --oneliner`."""
    found = (
        _sized(
            name_of(text(one.get("NodeName")), ""),
            words(one.get("State", "")),
            text(one.get("Partitions")).split(","),
            text(one.get("NodeAddr")),
            _integer(one.get("Port")),
            (_integer(one.get("CPUTot")), _integer(one.get("RealMemory")), text(one.get("Gres"))),
        )
        for one in records(said)
    )
    return [node for node in found if node is not None]


def _sized(
    name: str,
    state: tuple[str, ...],
    partitions: Iterable[str],
    address: str,
    port: int | None,
    size: tuple[int | None, int | None, str],
) -> Node | None:
    if not name:
        return None
    cpus, memory, gres = size
    parts = [f"{cpus} CPUs" if cpus else "", f"{memory} MB" if memory else "", gres]
    return Node(
        name,
        tuple(dict.fromkeys(state)),
        frozenset(partitions),
        address,
        port,
        ", ".join(filter(None, parts)),
    )


def partitions_of(document: object) -> dict[str, str]:
    """The partitions of a JSON document with their states."""
    listed = nested(document, "partitions")
    found = {}
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and (name := text(one.get("name"))):
            found[name] = "+".join(words(nested(one, "partition", "state")) or words(one.get("state")))
    return found


def partitions_in(said: str) -> dict[str, str]:
    """The partitions of `scontrol show partition --oneliner`."""
    return {name: text(one.get("State")) for one in records(said) if (name := text(one.get("PartitionName")))}


def describe(
    cluster: str, partitions: Mapping[str, str], nodes: Sequence[Node], runs: Mapping[str, str]
) -> Iterator[DescribeCluster]:
    """A cluster for each partition. `runs` has the run that began last on each node."""
    for partition, state in partitions.items():
        own = sorted((node for node in nodes if partition in node.partitions), key=lambda node: node.name)
        kinds = Counter(node.kind for node in own)
        sizes = {node.size for node in own}
        there = len(own) - kinds["unusable"] - kinds["off"] - kinds["preparing"]
        yield DescribeCluster(
            name=name_of(cluster_name(cluster, partition), cluster),
            kind=KIND,
            state=state or "unknown",
            vm_size=sizes.pop() if len(sizes) == 1 else None,
            # Nodes of a cloud come and go, all others are there for good.
            min_nodes=sum("CLOUD" not in node.words for node in own),
            max_nodes=len(own),
            current_nodes=there,
            target_nodes=there + kinds["preparing"] - sum(bool(_GOING & set(node.words)) for node in own),
            node_states=dict(sorted(kinds.items())),
            nodes=tuple(
                ClusterNode(node.name, node.state, runs.get(node.name), _ip(node.address), node.port)
                for node in own[:NODES]
            ),
        )


def _ip(address: str) -> str | None:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def _integer(given: object) -> int | None:
    return (
        int(given)
        if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 10
        else None
    )
