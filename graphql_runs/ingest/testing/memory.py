"""A recorder that keeps everything in memory and holds its callers to the rules of sequences."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from graphql_runs.model.errors import InvalidInput, NotFound, SequenceConflict, SequenceGap
from graphql_runs.model.operation import (
    DeclareRun,
    DescribeCluster,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
    SetStatus,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch is answered with."""

    repeated: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a writer stands."""

    sequence: int
    digest: bytes
    note: bytes | None


def _nothing(number: int) -> None:
    """Let the call pass."""


@dataclass
class MemoryRecords:
    """What was recorded. `before` is called with the number of each call (from 0) and may raise, so that nothing of it is
    kept; `after` likewise, when it is kept and only the answer gets lost."""

    before: Callable[[int], None] = _nothing
    after: Callable[[int], None] = _nothing
    name_bytes: int = 1024
    places: dict[tuple[str, str, str], Place] = field(default_factory=dict)
    roots: dict[tuple[str, str], str] = field(default_factory=dict)
    operations: list[RunOperation] = field(default_factory=list)
    clusters: list[DescribeCluster] = field(default_factory=list)
    calls: itertools.count[int] = field(default_factory=itertools.count)

    async def record(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
        create: bool = True,
    ) -> Answer:
        """Keep a batch, or refuse it as the recorder would."""
        assert writer is not None
        assert sequence is not None
        number = next(self.calls)
        self.before(number)
        await asyncio.sleep(0)
        if not operations:
            raise InvalidInput("there is nothing to record", field="operations")
        for index, operation in enumerate(operations):
            if (
                isinstance(operation, LogPoints | LogRows)
                and len(operation.metric.encode()) > self.name_bytes
            ):
                raise InvalidInput("metric is too long", field=f"operations[{index}].metric")
        root = self._root(workspace, operations)
        digest = hashlib.sha256(repr([repr(operation) for operation in operations]).encode()).digest()
        last = self.places.get((workspace, root, writer))
        expected = 0 if last is None else last.sequence + 1
        if sequence > expected:
            raise SequenceGap("gap", expected=expected)
        if last is not None and sequence <= last.sequence:
            if sequence == last.sequence and digest != last.digest:
                raise SequenceConflict("conflict")
            return Answer(repeated=True)
        for operation in operations:
            if isinstance(operation, DeclareRun):
                self.roots[workspace, operation.run_id] = root
        self.places[workspace, root, writer] = Place(sequence, digest, note)
        self.operations += operations
        self.after(number)
        return Answer(repeated=False)

    def _root(self, workspace: str, operations: Sequence[RunOperation]) -> str:
        declared: dict[str, str] = {}
        found = set()
        for operation in operations:
            if isinstance(operation, DeclareRun):
                declared[operation.run_id] = operation.root or operation.parent or operation.run_id
            root = declared.get(operation.run_id) or self.roots.get((workspace, operation.run_id))
            if root is None:
                raise NotFound(f"there is no run {operation.run_id!r}", field="run")
            found.add(root)
        [root] = found
        return root

    async def position(self, workspace: str, root_run_id: str, writer: str) -> Place | None:
        """Where a writer stands."""
        return self.places.get((workspace, root_run_id, writer))

    async def describe_cluster(self, workspace: str, cluster: DescribeCluster) -> object:
        """Keep a cluster."""
        self.before(next(self.calls))
        self.clusters.append(cluster)
        return None

    # What a test asks for

    def text(self, run_id: str, path: str) -> bytes:
        """The bytes of a log."""
        return b"".join(
            one.data
            for one in self.operations
            if isinstance(one, LogText) and (one.run_id, one.path) == (run_id, path)
        )

    def values(self, run_id: str, metric: str) -> list[object]:
        """The values of a metric."""
        return [
            value
            for one in self.operations
            if isinstance(one, LogPoints) and (one.run_id, one.metric) == (run_id, metric)
            for value in one.values
        ]

    def statuses(self, run_id: str) -> list[SetStatus]:
        """What was said of a run's status."""
        return [one for one in self.operations if isinstance(one, SetStatus) and one.run_id == run_id]

    def runs(self) -> dict[str, DeclareRun]:
        """The runs that were declared."""
        return {one.run_id: one for one in self.operations if isinstance(one, DeclareRun)}
