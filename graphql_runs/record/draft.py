"""What one batch will change in a run tree, built call by call on top of what is known of the tree.

A call is applied to a layer of its own that is merged when all of it went well, so a refused call leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model import ids
from graphql_runs.model.change import Entry, Growth, Hint, RunChange
from graphql_runs.model.errors import InvalidInput, NotFound, SequenceConflict, SequenceGap
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    LogText,
    RestoreRun,
    SetStatus,
    TrashRun,
    UniteRun,
)
from graphql_runs.model.points import Points
from graphql_runs.model.records import Artifact, ColumnType, LogFile, Metric
from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs.record import facts
from graphql_runs.record.columns import columns_after
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.request import NewPoints, Request
from graphql_runs.record.routes import Astray
from graphql_runs.record.status import with_evidence
from graphql_runs.record.summary import carry_on
from graphql_runs.record.trash import restored, trashed
from graphql_runs.store import segment
from graphql_runs.store.port import Append, Batch, Item, Position, TreeRecord

T = TypeVar("T", Run, Metric, LogFile, Artifact)
BATCH_BYTES = 8 << 20
_HEARTBEAT_EVERY = 1_000_000
"""Micros. Data is a sign of life, but is written to the run at most once a second."""


class Full(Exception):
    """The call does not fit into this batch and starts the next one."""


@dataclass(slots=True)
class Known:
    """What this process remembers of a tree at position `n`. None stands for a record that does not exist. `whole`: all runs of
    the tree are among the records."""

    root: str
    n: int
    records: dict[str, TreeRecord | None] = field(default_factory=dict)
    positions: dict[str, Position | None] = field(default_factory=dict)
    whole: bool = False


@dataclass(slots=True)
class _Layer:
    records: dict[str, TreeRecord] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    points: dict[str, list[Points]] = field(default_factory=dict)
    texts: dict[str, list[bytes]] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    journaled: set[str] = field(default_factory=set)
    unsettled: set[str] = field(default_factory=set)
    size: int = 0


class Draft:
    """One batch in the making."""

    def __init__(self, known: Known, limits: RecordLimits) -> None:
        self.known = known
        self._limits = limits
        self._all = _Layer()
        self._layer = _Layer()
        self._arrival: Micros = 0

    @property
    def empty(self) -> bool:
        """Nothing to commit."""
        return not self._all.records and not self._all.positions

    def apply(self, request: Request) -> bool:
        """Take one call in. False when it was a repetition, and nothing was taken.

        Raises Full when it has to wait for the next batch, Astray when a run lies in another tree, otherwise the caller's error.
        """
        self._layer = _Layer()
        self._arrival = request.arrival
        if request.place is not None and self._repeated(request, *request.place):
            return False
        for operation in request.operations:
            self._operation(request, operation)
        if self._all.size and self._all.size + self._layer.size > BATCH_BYTES:
            raise Full
        self._merge()
        request.unsettled = self._layer.unsettled
        return True

    # Writers

    def _repeated(self, request: Request, writer: str, sequence: int) -> bool:
        last = self._all.positions.get(writer) or self.known.positions.get(writer)
        expected = 0 if last is None else last.sequence + 1
        if sequence > expected:
            raise SequenceGap(f"writer {writer!r} sent {sequence}, {expected} comes next", expected=expected)
        if last is not None and sequence <= last.sequence:
            if sequence == last.sequence and request.digest != last.digest:
                raise SequenceConflict(
                    f"writer {writer!r} sent {sequence} before, with a different content",
                    field="sequence",
                )
            return True
        self._layer.positions[writer] = Position(writer, sequence, request.digest, request.note)
        return False

    # Operations

    def _operation(self, request: Request, operation: object) -> None:
        match operation:
            case DeclareRun():
                self._declare(request, operation)
            case NewPoints():
                self._points(request, operation)
            case LogText():
                self._text(request, operation)
            case SetStatus():
                self._status(request, operation)
            case Annotate():
                run = self._run(request, operation.run_id)
                cluster = None if operation.cluster is None else request.clusters[operation.cluster]
                self._put_run(run, facts.annotated(run, operation, cluster, self._limits))
            case AddArtifact():
                self._artifact(request, operation)
            case TrashRun():
                self._move(operation, request, trashed)
            case RestoreRun():
                self._move(operation, request, restored)
            case UniteRun():
                run = self._run(request, operation.run_id)
                self._put_run(run, replace(run, alias_of=operation.principal))

    def _declare(self, request: Request, operation: DeclareRun) -> None:
        id = request.run(operation.run_id)
        cluster = None if operation.cluster is None else request.clusters[operation.cluster]
        experiment = request.experiments[operation.experiment]
        old = self._here(self._get(Run, id))
        if old is not None:
            parent = old.parent if operation.parent is None else request.run(operation.parent)
            if parent != old.parent:
                raise InvalidInput(
                    f"the parent of run {operation.run_id!r} is fixed and is not {operation.parent!r}",
                    field="parent",
                )
            self._put_run(old, facts.declared_again(old, operation, experiment, cluster, self._limits))
            return
        parent_run = self._parent(request, operation, experiment)
        run = facts.declared(
            operation,
            id=id,
            workspace=request.workspace,
            experiment=experiment,
            cluster=cluster,
            parent=parent_run,
            number=request.numbers[id],
            arrival=request.arrival,
            limits=self._limits,
        )
        self._create(run)

    def _parent(self, request: Request, operation: DeclareRun, experiment: str) -> Run | None:
        """The parent's record; placeholders for it and for a root above it are made where nothing declared them yet."""
        if operation.parent is None:
            return None
        if (found := self._here(self._get(Run, request.run(operation.parent)))) is not None:
            return found
        above = None
        if operation.root is not None and operation.root != operation.parent:
            above = self._or_placeholder(request, operation.root, experiment, None)
        return self._or_placeholder(request, operation.parent, experiment, above)

    def _or_placeholder(self, request: Request, run_id: str, experiment: str, parent: Run | None) -> Run:
        id = request.run(run_id)
        found = self._here(self._get(Run, id))
        if found is None:
            found = facts.placeholder(
                run_id,
                id=id,
                workspace=request.workspace,
                experiment=experiment,
                parent=parent,
                number=request.numbers[id],
                arrival=request.arrival,
            )
            self._create(found)
        return found

    def _points(self, request: Request, new: NewPoints) -> None:
        run = self._run(request, new.run_id)
        id = ids.metric_id(run.id, new.metric)
        metric = self._get(Metric, id) or Metric(
            id, run.id, run.root, run.workspace, run.experiment, new.metric, kind=new.kind
        )
        if metric.kind is not new.kind:
            raise InvalidInput(f"metric {new.metric!r} is {metric.kind}, {new.kind} was given", field="kind")
        at = new.at if new.at is not None else np.full(new.count, request.arrival, dtype=np.int64)
        piece = Points(metric.count, new.columns, new.steps, at)
        columns = columns_after(metric, new.columns)
        values = next(
            (new.columns[c.name] for c in columns if c.type is not ColumnType.TEXT and c.name in new.columns),
            None,
        )
        if metric.columns != columns:
            metric = replace(metric, columns=columns)
        self._layer.records[id] = carry_on(metric, values, new.steps, at)
        for before, error in (
            (
                self._layer.points,
                InvalidInput(f"metric {new.metric!r} changes its columns within one call", field="columns"),
            ),
            (self._all.points, Full()),
        ):
            if id in before and segment.shape(before[id][-1]) != segment.shape(piece):
                raise error
        self._layer.points.setdefault(id, []).append(piece)
        self._layer.size += sum(map(_bytes, new.columns.values()))
        self._touch(run)

    def _text(self, request: Request, operation: LogText) -> None:
        run = self._run(request, operation.run_id)
        id = ids.log_id(run.id, operation.path)
        old = self._get(LogFile, id)
        log = old or LogFile(id, run.id, run.root, operation.path)
        data = operation.data
        self._layer.records[id] = replace(
            log,
            stream=operation.stream or log.stream,
            rank=log.rank if operation.rank is None else operation.rank,
            size=log.size + len(data),
            lines=log.lines + data.count(b"\n"),
            ends_open=not data.endswith(b"\n") if data else log.ends_open,
            complete=log.complete if operation.complete is None else operation.complete,
        )
        if data:
            self._layer.texts.setdefault(id, []).append(data)
            self._layer.size += len(data)
            self._touch(run)
        self._layer.journaled.add(id)

    def _status(self, request: Request, operation: SetStatus) -> None:
        run = self._run(request, operation.run_id)
        statement = StatusEvidence(
            operation.status,
            min(request.arrival if operation.at is None else operation.at, request.arrival),
            operation.reported,
            operation.source,
            operation.original,
            operation.detail,
            operation.origin,
        )
        self._put_run(run, with_evidence(run, statement, self._limits.evidence))

    def _artifact(self, request: Request, operation: AddArtifact) -> None:
        run = self._run(request, operation.run_id)
        id = ids.artifact_id(run.id, operation.path)
        old = self._get(Artifact, id)
        new = Artifact(
            id,
            run.id,
            run.root,
            operation.path,
            operation.size,
            created_at=operation.created_at or (request.arrival if old is None else old.created_at),
            content_type=operation.content_type,
            sha256=operation.sha256,
            blob=operation.blob,
            location=operation.location,
        )
        if new != old:
            self._layer.records[id] = new
            self._layer.journaled.add(id)

    def _move(
        self,
        operation: TrashRun | RestoreRun,
        request: Request,
        moved: Callable[[Mapping[str, Run], Run, Micros], list[Run]],
    ) -> None:
        run = self._run(request, operation.run_id)
        records = {**self.known.records, **self._all.records, **self._layer.records}
        tree = {
            id: found for id, found in records.items() if isinstance(found, Run) and found.root == run.root
        }
        for new in moved(tree, run, request.arrival):
            self._put_run(tree[new.id], new)

    # Records

    def _get(self, kind: type[T], id: str) -> T | None:
        for records in (self._layer.records, self._all.records, self.known.records):
            if id in records:
                found = records[id]
                assert found is None or isinstance(found, kind)
                return found
        return None

    def _run(self, request: Request, run_id: str) -> Run:
        found = self._here(self._get(Run, request.run(run_id)))
        if found is None:
            raise NotFound(f"there is no run {run_id!r}", field="run")
        return found

    def _here(self, run: Run | None) -> Run | None:
        """The run, which has to lie in this tree."""
        if run is not None and run.root != self.known.root:
            raise Astray
        return run

    def _create(self, run: Run) -> None:
        self._here(run)
        self._layer.records[run.id] = run
        self._mark(run.id)
        if run.identities:
            self._layer.unsettled.add(run.id)

    def _put_run(self, old: Run, new: Run) -> None:
        if new is not old and new != old:
            self._layer.records[new.id] = new
            self._mark(new.id)
            # Who it is may have changed, or it has something to tell its principal.
            if new.alias_of or (new.identities, new.placeholder) != (old.identities, old.placeholder):
                self._layer.unsettled.add(new.id)

    def _mark(self, run: str) -> None:
        self._layer.journaled.add(run)
        self._layer.touched[run] = None

    def _touch(self, run: Run) -> None:
        self._layer.touched[run.id] = None
        if run.heartbeat_at is None or self._arrival - run.heartbeat_at >= _HEARTBEAT_EVERY:
            self._layer.records[run.id] = replace(run, heartbeat_at=self._arrival)

    def _merge(self) -> None:
        layer, whole = self._layer, self._all
        whole.records.update(layer.records)
        whole.positions.update(layer.positions)
        whole.touched.update(layer.touched)
        whole.journaled |= layer.journaled
        whole.size += layer.size
        for id, pieces in layer.points.items():
            whole.points.setdefault(id, []).extend(pieces)
        for id, texts in layer.texts.items():
            whole.texts.setdefault(id, []).extend(texts)

    # The batch

    def batch(self) -> Batch:
        """What the store is to commit."""
        known, made = self.known, self._all
        creates = tuple(record for id, record in made.records.items() if known.records.get(id) is None)
        replaces = tuple(record for id, record in made.records.items() if known.records.get(id) is not None)
        appends, metrics, logs = [], [], []
        for id, pieces in made.points.items():
            joined = segment.concat(pieces)
            data = segment.encode(joined.columns, joined.steps, joined.at)
            appends.append(Append(id, Item(joined.start, joined.end, data)))
            metrics.append(Growth(id, joined.start, joined.end))
        for id, texts in made.texts.items():
            before = known.records.get(id)
            start, mark = (before.size, before.lines) if isinstance(before, LogFile) else (0, 0)
            text = b"".join(texts)
            appends.append(Append(id, Item(start, start + len(text), text, mark)))
            logs.append(Growth(id, start, start + len(text)))
        entry = Entry(
            at=self._arrival,
            runs=tuple(self._run_change(id) for id in made.journaled if id.startswith("run_")),
            metrics=tuple(metrics),
            # A log that only became complete is told by an empty growth.
            logs=(*logs, *self._unchanged_logs(made)),
            artifacts=tuple(id for id in made.journaled if id.startswith("artifact_")),
        )
        return Batch(
            root=known.root,
            entry=Item(known.n, known.n + 1, entry.encode()),
            creates=creates,
            replaces=replaces,
            appends=tuple(appends),
            positions=tuple(made.positions.values()),
            hints=tuple(self._hint(id) for id in made.touched),
        )

    def accept(self) -> None:
        """The batch is committed: what was in the making is now known."""
        self.known.n += 1
        self.known.records.update(self._all.records)
        self.known.positions.update(self._all.positions)

    def _run_change(self, id: str) -> RunChange:
        old, new = self.known.records.get(id), self._all.records[id]
        assert isinstance(new, Run)
        before: RunStatus | None = old.status if isinstance(old, Run) else None
        changed = before is not new.status
        return RunChange(id, old is None, before if changed else None, new.status if changed else None)

    def _unchanged_logs(self, made: _Layer) -> list[Growth]:
        found = []
        for id in made.journaled:
            log = made.records.get(id)
            if isinstance(log, LogFile) and id not in made.texts:
                found.append(Growth(id, log.size, log.size))
        return found

    def _hint(self, id: str) -> Hint:
        run = self._all.records.get(id) or self.known.records[id]
        assert isinstance(run, Run)
        return Hint(run.workspace, run.id, run.root, self._arrival)


def _bytes(values: NDArray[Any]) -> int:
    """About how much a column takes."""
    texts = sum(len(text) for text in values.tolist() if text) if values.dtype == object else 0
    return 24 * len(values) + texts
