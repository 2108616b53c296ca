"""One batch of a copy in the making."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphql_runs.maintain.digest import canonical
from graphql_runs.maintain.mark import Mark
from graphql_runs.model.change import Entry, Growth, Hint, RunChange
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import now
from graphql_runs.store.port import Append, Batch, Item, Position, TreeRecord

_BYTES = 4 << 20
"""Data and documents of a batch, about; MongoDB takes 14 MiB at once."""
_PARTS = 1000
"""Records, items and positions of a batch."""


@dataclass(slots=True)
class Draft:
    """What the next commit will bring to a tree of the target.

    A metric or log file gets its record with its last rows, never before, and the journal says that it grew only then: so
    whatever reads the target meanwhile finds every record complete.
    """

    root: str
    creates: list[TreeRecord] = field(default_factory=list)
    replaces: list[TreeRecord] = field(default_factory=list)
    appends: dict[str, Item] = field(default_factory=dict)
    positions: list[Position] = field(default_factory=list)
    runs: list[RunChange] = field(default_factory=list)
    metrics: list[Growth] = field(default_factory=list)
    logs: list[Growth] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    hints: dict[str, Hint] = field(default_factory=dict)
    bytes: int = 0

    @property
    def empty(self) -> bool:
        """Nothing is in it."""
        return not (self.creates or self.replaces or self.appends or self.positions)

    @property
    def full(self) -> bool:
        """To be committed before anything else is put in."""
        parts = len(self.creates) + len(self.replaces) + len(self.appends) + len(self.positions)
        return self.bytes >= _BYTES or parts >= _PARTS

    def put(self, record: TreeRecord, old: TreeRecord | None) -> None:
        """Create a record, or replace the one that is there."""
        (self.creates if old is None else self.replaces).append(record)
        self.bytes += 2 * len(canonical(record))
        match record:
            case Run():
                before = old.status if isinstance(old, Run) else None
                changed = before is not record.status
                self.runs.append(
                    RunChange(
                        record.id,
                        old is None,
                        before if changed else None,
                        record.status if changed else None,
                    )
                )
            case Metric():
                start = old.count if isinstance(old, Metric) else 0
                self.metrics.append(Growth(record.id, start, record.count))
            case LogFile():
                start = old.size if isinstance(old, LogFile) else 0
                self.logs.append(Growth(record.id, start, record.size))
            case Artifact():
                self.artifacts.append(record.id)

    def append(self, stream: str, item: Item) -> bool:
        """Put rows at the end of a stream. False, and nothing changed, when this batch has rows of it already."""
        if stream in self.appends:
            return False
        self.appends[stream] = item
        self.bytes += len(item.data)
        return True

    def stand(self, position: Position) -> None:
        """Say where a writer stands."""
        self.positions.append(position)
        self.bytes += len(position.note or b"") + len(position.writer)

    def touch(self, run: Run) -> None:
        """Tell those who watch lists about a run."""
        self.hints[run.id] = Hint(run.workspace, run.id, run.root, now())

    def batch(self, mark: Mark, row: int) -> Batch:
        """What the target is to commit, at this row of its journal."""
        entry = Entry(
            now(),
            runs=tuple(self.runs),
            metrics=tuple(self.metrics),
            logs=tuple(self.logs),
            artifacts=tuple(self.artifacts),
        )
        return Batch(
            root=self.root,
            entry=Item(row, row + 1, entry.encode()),
            creates=tuple(self.creates),
            replaces=tuple(self.replaces),
            appends=tuple(Append(stream, item) for stream, item in self.appends.items()),
            positions=(*self.positions, mark.position()),
            hints=tuple(self.hints.values()),
        )
