"""What was decided, in the order of the commit points: the truth that everything else is compared with."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.store.model.database import SHARED, Entry, Violation


class Oracle:
    """Told of each commit point as it happens."""

    def __init__(self) -> None:
        self.log: dict[str, list[Entry]] = defaultdict(list)
        """By tree the entries that have a row in the journal."""
        self.rows: dict[str, list[Any]] = defaultdict(list)
        """By stream all rows since it was made."""
        self.purges: dict[str, int] = defaultdict(int)
        """By stream how often it went away."""
        self.purged: dict[tuple[str, str], int] = {}
        """By tree and stream the turn of the last purge that took it away."""
        self.sequences: dict[str, dict[str, int]] = defaultdict(dict)
        """By tree and writer the number of its last batch since the tree was purged."""
        self.emptied: set[str] = set()
        """Trees that were purged."""
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
            self._purge(root, entry)
            return
        batch = entry.batch
        self.batches.add(id(batch))
        last = self.sequences[root].get(batch.writer)
        # A writer whose position was purged goes on with whatever it has not heard of yet.
        if batch.sequence != (-1 if last is None else last) + 1 and not (
            last is None and root in self.emptied
        ):
            raise Violation(f"{batch.name} is committed after {last}")
        self.sequences[root][batch.writer] = batch.sequence
        for stream, start, rows in batch.appends:
            if start != len(self.rows[stream]):
                raise Violation(f"{stream} ends at {len(self.rows[stream])} and goes on at {start}")
            self.rows[stream].extend(rows)
        for run, _ in batch.creates:
            if run.startswith("run"):
                if run in self.homes:
                    raise Violation(f"{run} is made in {root}, and lies in {self.homes[run]}")
                self.homes[run] = root

    def _purge(self, root: str, entry: Entry) -> None:
        gone = {run for run, home in self.homes.items() if home == root and (entry.whole or run == SHARED)}
        for run in gone:
            del self.homes[run]
            stream = f"points of {run.removeprefix('run ')}"
            self.rows.pop(stream, None)
            self.purges[stream] += 1
            self.purged[root, stream] = entry.turn
        if entry.whole:
            self.sequences[root].clear()
            self.emptied.add(root)
