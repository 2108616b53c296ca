"""Who uses the protocol: writers that retry until they are acknowledged, and readers that notice what must not be."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.store.model.database import SHARED, Conflict, Lost, Piece, Place, Steps, Violation
from tests.store.model.protocol import Batch, Protocol, goes, journal


@dataclass(slots=True)
class Writer:
    """A client with a spool: it sends the same batch until it is acknowledged, also after a crash."""

    protocol: Protocol
    rng: random.Random
    name: str
    root: str
    batches: int
    acknowledged: int = -1
    refused: list[Batch] = field(default_factory=list)
    """Batches that were told to conflict."""

    @property
    def done(self) -> bool:
        return self.acknowledged == self.batches - 1

    def write(self) -> Steps[None]:
        """Everything that is not acknowledged yet."""
        while not self.done:
            try:
                yield from self._next(self.acknowledged + 1)
            except Lost:
                continue

    def _next(self, sequence: int) -> Steps[None]:
        # As the recorder does: the position first, then everything that the batch depends on.
        db, root = self.protocol.db, self.root
        head = yield lambda: db.heads.get(root)
        n = 0 if head is None else head.applied
        position = yield from self._position()
        if position is not None and position >= sequence:
            again = yield lambda: db.heads[root]
            if again.applied == n:
                self._acknowledge(sequence, n)
            return
        batch = yield from self._batch(n, sequence, position)
        try:
            n = yield from self.protocol.commit(root, batch)
        except Conflict:
            self.refused.append(batch)
            return
        if db.heads[root].applied < n:
            raise Violation(f"{batch.name} is acknowledged at {n}, where nobody can read it yet")
        self._acknowledge(sequence, n)

    def _position(self) -> Steps[int | None]:
        position = yield from self._value(f"writer {self.name}")
        if self.protocol.guards.positions_settled:
            # Afterwards: what was read may be of an entry that is being applied just now.
            head = yield partial(self.protocol.db.heads.get, self.root)
            if head is not None and head.entry is not None:
                yield from self.protocol.again(self.root, head)
        return position  # type: ignore[no-any-return] # what a step gives is not typed

    def _value(self, id: str) -> Steps[Any]:
        record = yield lambda: self.protocol.db.records.get(id)
        return None if record is None or record.reserved or record.root != self.root else record.value

    def _batch(self, n: int, sequence: int, position: int | None) -> Steps[Batch]:
        root = self.root
        writer, run = f"writer {self.name}", f"run {root}"
        values: dict[str, Any] = {writer: position}
        for id in (
            run,
            SHARED,
            *(f"{what} of {one}" for what in ("points", "summary") for one in (root, "shared")),
        ):
            values[id] = yield from self._value(id)
        new: dict[str, Any] = {writer: sequence, run: (self.name, sequence)}
        hints = [run]
        grows = [root] if self.rng.random() < 0.8 else []
        if self.rng.random() < 0.5:
            new[SHARED] = (self.name, sequence)
            hints.append(SHARED)
            grows.append("shared")
        appends: list[tuple[str, int, tuple[Any, ...]]] = []
        for one in grows:
            stream = values[f"points of {one}"]
            start = 0 if stream is None else stream.end
            rows = tuple((self.name, sequence, index) for index in range(self.rng.randint(1, 2)))
            appends.append((f"points of {one}", start, rows))
            new[f"summary of {one}"] = start + len(rows)
        return Batch(
            self.name,
            sequence,
            n,
            tuple(appends),
            tuple((id, value) for id, value in new.items() if values[id] is None),
            tuple((id, value) for id, value in new.items() if values[id] is not None),
            tuple(hints),
        )

    def _acknowledge(self, sequence: int, n: int) -> None:
        log = self.protocol.oracle.log[self.root]
        if not any(entry.batch and entry.batch.name == (self.name, sequence) for entry in log[:n]):
            raise Violation(
                f"{self.name} {sequence} is acknowledged at {n} and not in the journal up to there"
            )
        self.acknowledged = sequence


@dataclass(slots=True)
class Reader:
    """Reads as `Store.read` does, and compares with the oracle."""

    protocol: Protocol
    root: str
    """The tree, or `shared` for what belongs to the run that every tree would like to have."""
    cursor: int = 0
    hint: int = 0
    seen: dict[str, Any] = field(default_factory=dict)
    """What a list of runs shows: each run as it was when it was last hinted at."""

    def follow(self) -> Steps[None]:
        """Follow the journal, and what its entries say."""
        while True:
            yield from self._forgiving(self.journal())

    def query(self) -> Steps[None]:
        """Read the summary, then the rows it speaks of."""
        while True:
            yield from self._forgiving(self._query())

    def watch(self) -> Steps[None]:
        """Follow the hints, and read the runs."""
        while True:
            yield from self._forgiving(self.hints())

    def journal(self) -> Steps[None]:
        """Everything after the cursor."""
        oracle = self.protocol.oracle
        end, _, _ = yield from self._bounds(journal(self.root))
        rows = yield from self._rows(journal(self.root), self.cursor, end)
        for row, (name, token) in rows:
            if row > self.cursor and self.cursor and row != rows[0][0]:
                raise Violation(f"the journal of {self.root} jumps from {self.cursor} to {row}")
            entry = oracle.log[self.root][row]
            if entry.token is not token:
                raise Violation(f"row {row} of the journal of {self.root} says {name}")
            self.cursor = row + 1
            for stream, start, wanted in entry.batch.appends if entry.batch else ():
                yield from self._compare(row, stream, start, wanted)
        # All of it may have been trimmed.
        self.cursor = max(self.cursor, end)

    def hints(self) -> Steps[None]:
        """Everything after the cursor of hints."""
        db = self.protocol.db
        feed = yield lambda: db.feed
        base, after = feed.n - len(feed.tail), self.hint
        found: set[str] = set()
        if after < base:
            hints = yield lambda: dict(db.hints)
            found = {run for run, (n, _) in hints.items() if after < n <= base}
        runs = [run for index, (run, _) in enumerate(feed.tail) if base + index + 1 > after]
        for run in dict.fromkeys((*found, *runs)):
            record = yield partial(db.records.get, run)
            if record is not None and not record.reserved:
                self.seen[run] = record.value
            else:
                self.seen.pop(run, None)
        self.hint = feed.n

    def _forgiving(self, steps: Steps[None]) -> Steps[None]:
        try:
            yield from steps
        except Lost:
            return

    def _query(self) -> Steps[None]:
        db, oracle = self.protocol.db, self.protocol.oracle
        stream = f"points of {self.root}"
        purges = oracle.purges[stream]
        record = yield lambda: db.records.get(f"summary of {self.root}")
        if record is None or record.reserved:
            return
        found = yield from self._rows(stream, 0, record.value)
        if purges != oracle.purges[stream] or record.turn <= oracle.purged.get((record.root, stream), -1):
            return
        rows = oracle.rows[stream][: record.value]
        if found != list(enumerate(rows)):
            raise Violation(f"the summary of {stream} speaks of {rows}, and there are {found}")

    def _compare(self, row: int, stream: str, start: int, wanted: tuple[Any, ...]) -> Steps[None]:
        found = yield from self._rows(stream, start, start + len(wanted))
        if any(
            entry.kind == "purge" and goes(entry, stream)
            for entry in self.protocol.oracle.log[self.root][row:]
        ):
            return
        if found != list(enumerate(wanted, start)):
            raise Violation(f"rows of {stream} are {found}, not {wanted} from {start} on")

    def _bounds(self, stream: str) -> Steps[tuple[int, object, int]]:
        """End, life and floor of a stream; an end of -1 when there is none."""
        if stream == journal(self.root):
            head = yield lambda: self.protocol.db.heads.get(self.root)
            if head is None:
                return -1, None, 0
            return head.applied, None, head.floor if self.protocol.guards.floors else 0
        record = yield lambda: self.protocol.db.records.get(stream)
        return (-1, None, 0) if record is None or record.reserved else (*record.value, 0)

    def _rows(self, stream: str, start: int, stop: int) -> Steps[list[tuple[int, Any]]]:
        """Rows `[start, stop)` with their numbers, from the floor on; none when the stream went away."""
        guards = self.protocol.guards
        end, life, floor = yield from self._bounds(stream)
        at = first_wanted = max(start, floor)
        items: list[tuple[int, Piece]] = []
        while at < stop and end >= 0:
            page = yield partial(page_at, self.protocol.db.pieces, stream, life, at, guards.skip_covered)
            before = at
            for first, piece in page:
                if guards.skip_covered and piece.end <= at:
                    continue
                if first > at and (items or guards.floors):
                    break
                # What was merged since it was read is read again as one piece.
                while items and guards.skip_covered and items[-1][0] >= first:
                    items.pop()
                if items and items[-1][1].end != first:
                    raise Violation(
                        f"{stream} gives [{first}, {piece.end}) after [{items[-1][0]}, {items[-1][1].end})"
                    )
                items.append((first, piece))
                at = piece.end
            if at == before:
                if at >= end:
                    break
                again, now, floor = yield from self._bounds(stream)
                if again < 0 or now != life:
                    return []
                if floor <= at or not guards.ask_again:
                    raise Violation(f"{stream} has a hole at row {at}")
                items.clear()
                at = first_wanted = floor
        rows = [(first + index, row) for first, piece in items for index, row in enumerate(piece.rows)]
        return [(number, row) for number, row in rows if first_wanted <= number < stop]


def page_at(
    found: dict[Place, Piece], stream: str, life: object, at: int, holding: bool
) -> list[tuple[int, Piece]]:
    """What one query gives: the last piece that begins at or before a row (and holds it, if `holding`), and the next two after it."""
    keys = sorted(key[2] for key in found if key[0] == stream and key[1] == life)
    before = [key for key in keys if key <= at and (not holding or found[stream, life, key].end > at)]
    first = before[-1] if before else at
    return [(key, found[stream, life, key]) for key in keys if key >= first][:3]
