"""One call to the recorder, checked and normalised: what it says, who says it, and who waits for the answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    LogPoints,
    LogRows,
    LogText,
    RestoreRun,
    RunOperation,
    SetStatus,
    TrashRun,
    UniteRun,
)
from graphql_runs.model.records import PAYLOAD, PAYLOAD_KINDS, Artifact, LogFile, Metric, MetricKind
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.record import columns
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.payload import check_payload
from graphql_runs.record.validation import check_name, check_operation, check_path
from graphql_runs.store.port import TreeRecord


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call did.

    root:     server id of the tree's root run.
    runs:     server ids of the runs that the operations named, in order of first mention.
    n:        the tree's position after the call: everything of it is seen by a cursor at n.
    repeated: this writer and sequence had been taken before; nothing was written.
    """

    root: str
    runs: tuple[str, ...]
    n: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class NewPoints:
    """LogPoints and LogRows with typed arrays. `at` is None where the time of arrival counts."""

    run_id: str
    metric: str
    kind: MetricKind
    columns: Mapping[str, NDArray[Any]]
    steps: NDArray[Any] | None
    at: NDArray[np.int64] | None
    count: int


Prepared = (
    DeclareRun | NewPoints | LogText | SetStatus | Annotate | AddArtifact | TrashRun | RestoreRun | UniteRun
)


@dataclass(slots=True)
class Request:
    """A call on its way to one run tree."""

    workspace: str
    operations: Sequence[Prepared]
    arrival: Micros
    digest: bytes
    writer: str | None = None
    sequence: int | None = None
    note: bytes | None = None
    root: str = ""
    experiments: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """Run numbers drawn for runs that this call creates, kept over retries."""
    unsettled: set[str] = field(default_factory=set)
    """Server ids of runs that may be one with others now, or have something to tell their principal."""
    done: asyncio.Future[Recorded] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def run(self, run_id: str) -> str:
        """The server id of a producer's run id in this request's workspace."""
        return ids.run_id(self.workspace, run_id)

    @property
    def place(self) -> tuple[str, int] | None:
        """Writer and sequence, of a call that has them."""
        return None if self.writer is None or self.sequence is None else (self.writer, self.sequence)

    @property
    def runs(self) -> tuple[str, ...]:
        """Server ids of the runs named, in order of first mention."""
        return tuple(dict.fromkeys(self.run(operation.run_id) for operation in self.operations))

    @property
    def named(self) -> set[str]:
        """Server ids of the runs named, also those that are only named as being above another."""
        above = [
            self.run(run_id)
            for operation in self.operations
            if isinstance(operation, DeclareRun)
            for run_id in (operation.parent, operation.root)
            if run_id is not None
        ]
        return {*self.runs, *above}

    @property
    def needs_tree(self) -> bool:
        """All runs of the tree have to be known."""
        return any(isinstance(operation, TrashRun | RestoreRun) for operation in self.operations)

    @property
    def looked_at(self) -> list[tuple[type[TreeRecord], str]]:
        """The records that the operations read or change, by kind and server id."""
        found: list[tuple[type[TreeRecord], str]] = []
        for operation in self.operations:
            run = self.run(operation.run_id)
            found.append((Run, run))
            match operation:
                case NewPoints():
                    found.append((Metric, ids.metric_id(run, operation.metric)))
                case LogText():
                    found.append((LogFile, ids.log_id(run, operation.path)))
                case AddArtifact():
                    found.append((Artifact, ids.artifact_id(run, operation.path)))
                case DeclareRun():
                    above = (operation.parent, operation.root)
                    found.extend((Run, self.run(run_id)) for run_id in above if run_id is not None)
        return found

    def renew(self) -> None:
        """Make it wait for an answer once more."""
        self.done = asyncio.get_running_loop().create_future()

    def succeed(self, n: int, *, repeated: bool) -> None:
        """Answer the caller, unless it went away."""
        if not self.done.done():
            self.done.set_result(Recorded(self.root, self.runs, n, repeated))

    def fail(self, error: BaseException) -> None:
        """Answer the caller with an error, unless it went away."""
        if not self.done.done():
            self.done.set_exception(error)


def prepare(operations: Sequence[RunOperation], limits: RecordLimits) -> tuple[list[Prepared], bytes]:
    """Checked, typed operations and the hash of their content. Raises InvalidInput or LimitExceeded naming the place."""
    if not operations:
        raise InvalidInput("there is nothing to record", field="operations")
    if len(operations) > limits.operations:
        raise LimitExceeded(
            f"{len(operations)} operations in one call, the limit is {limits.operations}", field="operations"
        )
    prepared: list[Prepared] = []
    digest = hashlib.blake2b(digest_size=16)
    points = text = 0
    for index, operation in enumerate(operations):
        field_name = f"operations[{index}]"
        check_operation(operation, field_name, limits)
        if isinstance(operation, LogPoints | LogRows):
            new = _points(operation, field_name, limits)
            points += new.count
            if _has_payloads(new.kind, new.columns):
                text += sum(len(payload.encode()) for payload in new.columns[PAYLOAD])
            _hash_points(digest, new)
            prepared.append(new)
            continue
        if isinstance(operation, LogText):
            text += len(operation.data)
            digest.update(b"text")
            digest.update(f"{operation.run_id}\0{operation.path}\0{operation.complete}\0".encode())
            digest.update(operation.data)
        else:
            digest.update(_said(operation).encode())
        prepared.append(operation)
    if points > limits.points:
        raise LimitExceeded(f"{points} points in one call, the limit is {limits.points}", field="points")
    if text > limits.text_bytes:
        raise LimitExceeded(
            f"{text} bytes of log text and payloads in one call, the limit is {limits.text_bytes}",
            field="logs",
        )
    return prepared, digest.digest()


def _said(operation: RunOperation) -> str:
    """An operation as text; of the fields that came later (those left out of `repr`) what is given."""
    later = [getattr(operation, one.name) for one in fields(operation) if not one.repr]
    return f"{operation!r}{later if any(later) else ''}"


def _points(operation: LogPoints | LogRows, field_name: str, limits: RecordLimits) -> NewPoints:
    if isinstance(operation, LogPoints):
        found = {"value": columns.numbers(operation.values, f"{field_name}.values")}
    else:
        if not operation.columns:
            raise InvalidInput(f"{field_name}.columns is empty", field=f"{field_name}.columns")
        if len(operation.columns) > limits.columns:
            raise LimitExceeded(
                f"{field_name} has {len(operation.columns)} columns, the limit is {limits.columns}",
                field=field_name,
            )
        found = {}
        for name, values in operation.columns.items():
            check_name(name, f"{field_name}.columns", limits)
            found[name] = columns.column(values, f"{field_name}.columns[{name!r}]")
    if _has_payloads(operation.kind, found):
        found = _payloads(operation.kind, found, field_name, limits)
    elif operation.kind is MetricKind.IMAGE and found.get("path", np.zeros(0)).dtype == object:
        for path in found["path"].tolist():
            if path is not None:
                check_path(path, f"{field_name}.path", limits)
    sizes = {name: len(values) for name, values in found.items()}
    n = next(iter(sizes.values()))
    if any(size != n for size in sizes.values()):
        raise InvalidInput(f"{field_name}.columns differ in length: {sizes}", field=f"{field_name}.columns")
    return NewPoints(
        run_id=operation.run_id,
        metric=operation.metric,
        kind=operation.kind,
        columns=found,
        steps=columns.steps(operation.steps, n, f"{field_name}.steps"),
        at=None if operation.at is None else columns.times(operation.at, n, 0, f"{field_name}.at"),
        count=n,
    )


def _has_payloads(kind: MetricKind, found: Mapping[str, NDArray[Any]]) -> bool:
    return kind in PAYLOAD_KINDS or (kind is MetricKind.HISTOGRAM and PAYLOAD in found)


def _payloads(
    kind: MetricKind, found: Mapping[str, NDArray[Any]], field_name: str, limits: RecordLimits
) -> dict[str, NDArray[Any]]:
    """The one column of documents, each in its canonical form."""
    place = f"{field_name}.{PAYLOAD}"
    if list(found) != [PAYLOAD]:
        raise InvalidInput(f"{place} is wanted of a metric of the kind {kind}, and nothing else", field=place)
    texts = found[PAYLOAD].tolist()
    checked = []
    for index, text in enumerate(texts):
        where = place if len(texts) == 1 else f"{place}[{index}]"
        if not isinstance(text, str):
            raise InvalidInput(f"{where} is not the text of a JSON document", field=where)
        checked.append(check_payload(kind, text, where, limits))
    return {PAYLOAD: np.array([*checked, None], dtype=object)[:-1]}


def _hash_points(digest: hashlib.blake2b, new: NewPoints) -> None:
    digest.update(f"points\0{new.run_id}\0{new.metric}\0{new.kind}\0".encode())
    for name, values in new.columns.items():
        digest.update(name.encode())
        digest.update(repr(values.tolist()).encode() if values.dtype == object else values.data)
    for part in (new.steps, new.at):
        digest.update(b"-" if part is None else np.ascontiguousarray(part).data)
