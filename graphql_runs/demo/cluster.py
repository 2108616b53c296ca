"""The cluster on which the children queue, kept in a JSON document shaped like Azure ML's AmlCompute.

Its nodes are two places on this machine in which a child may run.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql_runs.demo.files import timestamp, write_json

NAME = "digits-cpu"
VM_SIZE = "STANDARD_D1_V2"
MAX_NODES = 2
_STATES = ("idle", "running", "preparing", "unusable", "leaving", "preempted")


@dataclass(slots=True)
class Node:
    """A node that exists now; ``run_id`` is what runs on it."""

    node_id: str
    state: str
    run_id: str | None = None


class Cluster:
    """Scales from no node to MAX_NODES and back; every change rewrites the document. Safe for threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._created = self._changed = timestamp()
        self._resizing = False
        self._target = 0
        self.nodes: list[Node] = []
        self._write()

    def grow(self) -> None:
        """Ask for all nodes; they are being prepared."""
        with self._lock:
            self._resize(MAX_NODES)
            ids = [hashlib.sha256(f"{NAME}/{number}".encode()).hexdigest() for number in range(MAX_NODES)]
            self.nodes = [Node(f"tvmps_{digest}_d", "preparing") for digest in ids]
            self._write()

    def ready(self) -> None:
        """The nodes that were asked for can take runs."""
        with self._lock:
            for node in self.nodes:
                node.state = "idle"
            self._settle()

    def assign(self, node: Node, run_id: str) -> None:
        """RUN_ID has NODE for itself."""
        with self._lock:
            node.state, node.run_id = "running", run_id
            self._write()

    def release(self, node: Node) -> None:
        """NODE is free again."""
        with self._lock:
            node.state, node.run_id = "idle", None
            self._write()

    def shrink(self) -> None:
        """Ask for no nodes; those there are leave. Does nothing when there are none."""
        with self._lock:
            if not self.nodes:
                return
            self._resize(0)
            for node in self.nodes:
                node.state, node.run_id = "leaving", None
            self._write()

    def empty(self) -> None:
        """The last node has left. Does nothing when there are none."""
        with self._lock:
            if not self.nodes:
                return
            self.nodes = []
            self._settle()

    def _resize(self, target: int) -> None:
        self._target, self._resizing, self._changed = target, True, timestamp()

    def _settle(self) -> None:
        self._resizing, self._changed = False, timestamp()
        self._write()

    def _write(self) -> None:
        states = [node.state for node in self.nodes]
        document: dict[str, Any] = {
            "name": NAME,
            "type": "AmlCompute",
            "provisioningState": "Succeeded",
            "allocationState": "Resizing" if self._resizing else "Steady",
            "allocationStateTransitionTime": self._changed,
            "creationTime": self._created,
            "modifiedTime": timestamp(),
            "currentNodeCount": len(self.nodes),
            "targetNodeCount": self._target,
            "scaleSettings": {
                "minNodeCount": 0,
                "maxNodeCount": MAX_NODES,
                "nodeIdleTimeBeforeScaleDown": "PT0S",
            },
            "vmSize": VM_SIZE,
            "vmPriority": "Dedicated",
            "nodeStateCounts": {f"{state}NodeCount": states.count(state) for state in _STATES},
            "nodes": [{"nodeId": n.node_id, "nodeState": n.state, "runId": n.run_id} for n in self.nodes],
            "errors": None,
        }
        write_json(self._path, document)
