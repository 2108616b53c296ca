"""Who uses the protocol: writers that retry until they are acknowledged, and readers that notice what must not be."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.store.model.database import Conflict, Lost, Piece, Steps, StreamValue, Violation
from tests.store.model.protocol import Batch, Protocol, journal

SHARED = "run shared"


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
        stream, summary, run = f"points of {root}", f"summary of {root}", f"run {root}"
        values = {}
        for id in (stream, summary, run, SHARED):
            values[id] = yield from self._value(id)
        start = 0 if values[stream] is None else values[stream].end
        rows = tuple((self.name, sequence, index) for index in range(self.rng.randint(1, 2)))
        new = {f"writer {self.name}": sequence, run: (self.name, sequence)}
        values[f"writer {self.name}"] = position
        appends: tuple[tuple[str, int, tuple[Any, ...]], ...] = ()
        if self.rng.random() < 0.8:
            appends = ((stream, start, rows),)
            new[summary] = start + len(rows)
        hints = [run]
        if self.rng.random() < 0.4:
            new[SHARED] = (self.name, sequence)
            hints.append(SHARED)
        return Batch(
            self.name,
            sequence,
            n,
            appends,
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
        for row, (name, token) in rows or ():
            if row > self.cursor and self.cursor and row != rows[0][0]:  # type: ignore[index] # there is a row
                raise Violation(f"the journal of {self.root} jumps from {self.cursor} to {row}")
            entry = oracle.log[self.root][row]
            if entry.token is not token:
                raise Violation(f"row {row} of the journal of {self.root} says {name}")
            self.cursor = row + 1
            for stream, start, wanted in entry.batch.appends if entry.batch else ():
                yield from self._compare(row, stream, start, wanted)

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
        self.hint = feed.n

    def _forgiving(self, steps: Steps[None]) -> Steps[None]:
        try:
            yield from steps
        except Lost:
            return

    def _query(self) -> Steps[None]:
        db, oracle = self.protocol.db, self.protocol.oracle
        stream, purges = f"points of {self.root}", oracle.purges[self.root]
        record = yield lambda: db.records.get(f"summary of {self.root}")
        if record is None or record.reserved:
            return
        found = yield from self._rows(stream, 0, record.value)
        if purges != oracle.purges[self.root] or self._going(record.turn):
            return
        present = db.records.get(stream)
        floor = 0 if present is None or present.value is None else present.value.floor
        numbers = [row for row, _ in found or ()]
        if (
            numbers != list(range(record.value - len(numbers), record.value))
            or record.value - len(numbers) > floor
        ):
            raise Violation(f"the summary of {stream} speaks of {record.value} rows, and there are {numbers}")
        for row, value in found or ():
            if oracle.rows[stream][row] != value:
                raise Violation(f"row {row} of {stream} is {value}, not {oracle.rows[stream][row]}")

    def _going(self, turn: int) -> bool:
        """The record is one of a life before the last purge."""
        purged = [entry for entry in self.protocol.oracle.log[self.root] if entry.kind == "purge"]
        return bool(purged) and turn <= purged[-1].turn

    def _compare(self, row: int, stream: str, start: int, wanted: tuple[Any, ...]) -> Steps[None]:
        oracle = self.protocol.oracle
        found = yield from self._rows(stream, start, start + len(wanted))
        if any(entry.kind == "purge" for entry in oracle.log[self.root][row:]):
            return
        record = yield lambda: self.protocol.db.records.get(stream)
        if any(entry.kind == "purge" for entry in oracle.log[self.root][row:]):
            return
        floor = record.value.floor
        got = dict(found or ())
        for index, value in enumerate(wanted):
            if start + index >= floor and got.get(start + index) != value:
                raise Violation(f"row {start + index} of {stream} is {got.get(start + index)}, not {value}")

    def _bounds(self, stream: str) -> Steps[tuple[int, int, int]]:
        """End, life and floor of a stream; an end of -1 when there is none."""
        floors = self.protocol.guards.floors
        if stream == journal(self.root):
            head = yield lambda: self.protocol.db.heads.get(self.root)
            return (-1, 0, 0) if head is None else (head.applied, 0, head.floor if floors else 0)
        record = yield lambda: self.protocol.db.records.get(stream)
        if record is None or record.reserved:
            return -1, 0, 0
        value: StreamValue = record.value
        return value.end, value.life, value.floor if floors else 0

    def _rows(self, stream: str, start: int, stop: int) -> Steps[list[tuple[int, Any]] | None]:
        """Rows `[start, stop)` with their numbers, from the floor on; None when the stream went away."""
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
                    return None
                if floor <= at or not guards.ask_again:
                    raise Violation(f"{stream} has a hole at row {at}")
                items.clear()
                at = first_wanted = floor
        rows = [(first + index, row) for first, piece in items for index, row in enumerate(piece.rows)]
        return [(number, row) for number, row in rows if first_wanted <= number < stop]


def page_at(
    found: dict[tuple[str, int, int], Piece], stream: str, life: int, at: int, holding: bool
) -> list[tuple[int, Piece]]:
    """What one query gives: the last piece that begins at or before a row (and holds it, if `holding`), and the next two after it."""
    keys = sorted(key[2] for key in found if key[0] == stream and key[1] == life)
    before = [key for key in keys if key <= at and (not holding or found[stream, life, key].end > at)]
    first = before[-1] if before else at
    return [(key, found[stream, life, key]) for key in keys if key >= first][:3]
