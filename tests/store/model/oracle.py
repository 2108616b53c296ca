"""What was decided, in the order of the commit points: the truth that everything else is compared with."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.store.model.database import Entry, Violation


class Oracle:
    """Told of each commit point as it happens."""

    def __init__(self) -> None:
        self.log: dict[str, list[Entry]] = defaultdict(list)
        """By tree the entries that have a row in the journal."""
        self.rows: dict[str, list[Any]] = defaultdict(list)
        """By stream all rows since it was made, trimmed ones too."""
        self.purges: dict[str, int] = defaultdict(int)
        self.sequences: dict[str, int] = {}
        """By writer the number of its last batch."""
        self.homes: dict[str, str] = {}
        """By run the tree it lies in."""
        self.batches: set[int] = set()
        """The `id` of every batch that was committed."""

    def decided(self, root: str, entry: Entry) -> None:
        """The commit point of an entry. Raises Violation when it must not have happened."""
        if entry.row < 0:
            return
        if entry.row != len(self.log[root]):
            raise Violation(
                f"row {entry.row} of the journal of {root} is written after row {len(self.log[root]) - 1}"
            )
        self.log[root].append(entry)
        if entry.kind == "purge":
            self._purged(root)
            return
        batch = entry.batch
        self.batches.add(id(batch))
        if batch.sequence != self.sequences.get(batch.writer, -1) + 1:
            raise Violation(f"{batch.name} is committed after {self.sequences.get(batch.writer)}")
        self.sequences[batch.writer] = batch.sequence
        for stream, start, rows in batch.appends:
            if start != len(self.rows[stream]):
                raise Violation(f"{stream} ends at {len(self.rows[stream])} and goes on at {start}")
            self.rows[stream].extend(rows)
        for run, _ in batch.creates:
            if run.startswith("run"):
                if run in self.homes:
                    raise Violation(f"{run} is made in {root}, and lies in {self.homes[run]}")
                self.homes[run] = root

    def _purged(self, root: str) -> None:
        self.purges[root] += 1
        for stream in [stream for stream in self.rows if stream.endswith(f" of {root}")]:
            del self.rows[stream]
        for run in [run for run, home in self.homes.items() if home == root]:
            del self.homes[run]
