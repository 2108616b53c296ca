"""One random history: who takes the next step, who crashes, pauses, or never hears the answer, and what must hold in the end."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.store.model.actors import Reader, Writer
from tests.store.model.database import Database, Lost, Steps, Violation
from tests.store.model.guards import Guards
from tests.store.model.maintenance import Maintenance
from tests.store.model.oracle import Oracle
from tests.store.model.protocol import Protocol, journal

ROOTS = ("a", "b")
MOST_STEPS = 20_000


@dataclass(slots=True)
class Actor:
    """A running generator, and how to start it again after a crash."""

    start: Callable[[], Steps[None]]
    steps: Steps[None]
    operation: Callable[[], Any] | None = None
    paused_until: int = 0

    def begin(self) -> None:
        self.steps = self.start()
        self.operation = next(self.steps, None)

    def send(self, answer: Any) -> None:
        try:
            self.operation = self.steps.send(answer)
        except StopIteration:
            self.operation = None

    def lose(self) -> None:
        try:
            self.operation = self.steps.throw(Lost())
        except StopIteration:
            self.operation = None
        except Lost:
            self.begin()


class World:
    """`run` raises Violation, or gives how many steps the history had."""

    def __init__(self, seed: int, guards: Guards | None = None) -> None:
        self.rng = rng = random.Random(seed)
        self.db, self.oracle = Database(), Oracle()
        self.protocol = protocol = Protocol(self.db, self.oracle, guards or Guards())
        self.steps = self.clock = 0
        self.late: list[Callable[[], Any]] = []
        self.writers = [
            Writer(protocol, rng, f"w{i}", root, rng.randint(1, 3)) for i, root in enumerate("aab")
        ]
        self.readers = [Reader(protocol, root) for root in ROOTS]
        self.maintenance = Maintenance(protocol, rng, ROOTS)
        beside = [
            *[self.maintenance.compact] * rng.randint(1, 3),
            self.maintenance.sweep,
            self.readers[0].follow,
            self.readers[0].watch,
            Reader(protocol, rng.choice(("a", "shared"))).query,
        ]
        if rng.random() < 0.5:
            beside.append(self.maintenance.purge)
        if rng.random() < 0.5:
            beside.append(self.maintenance.trim)
        # Histories differ in how rough they are.
        self.roughness = rng.choice((0.0, 0.02, 0.08))
        self.working = [Actor(writer.write, writer.write()) for writer in self.writers]
        self.beside = [Actor(start, start()) for start in beside]

    def run(self) -> int:
        """Everything until the writers are done, then the checks of what must hold in the end."""
        for actor in (*self.working, *self.beside):
            actor.begin()
        while self.working:
            self._step()
            if self.clock > MOST_STEPS:
                raise Violation("it does not come to an end")
        for operation in self.late:
            operation()
        self._finish(self.maintenance.round())
        self._check()
        return self.steps

    def _step(self) -> None:
        rng = self.rng
        # Writers get most of the turns: histories end when they are done.
        among = self.working if rng.random() < 0.6 else self.beside
        actor = among[int(rng.random() * len(among))]
        self.clock += 1
        if actor.paused_until > self.clock:
            return
        operation = actor.operation
        assert operation is not None
        self.steps += 1
        if self.late and rng.random() < 0.02:
            self.late.pop(int(rng.random() * len(self.late)))()
        fate = rng.random()
        if fate >= self.roughness:
            actor.send(operation())
        elif fate < 0.3 * self.roughness:
            self._perhaps(operation)
            actor.steps.close()
            actor.begin()
        elif fate < 0.7 * self.roughness:
            self._perhaps(operation)
            actor.lose()
        else:
            actor.paused_until = self.clock + int(rng.random() ** 2 * 300)
        if actor.operation is None:
            self.working.remove(actor)

    def _perhaps(self, operation: Callable[[], Any]) -> None:
        """Nobody hears the answer: it was carried out, it is later, or it never is."""
        fate = self.rng.random()
        if fate < 0.4:
            operation()
        elif fate < 0.8:
            self.late.append(operation)

    def _finish(self, steps: Steps[Any]) -> None:
        answer = None
        while True:
            try:
                answer = steps.send(answer)()
            except StopIteration:
                return

    def _check(self) -> None:
        for batch in (batch for writer in self.writers for batch in writer.refused):
            if id(batch) in self.oracle.batches:
                raise Violation(f"{batch.name} was told to conflict and is committed")
        for root, reader in zip(ROOTS, self.readers, strict=True):
            self._finish(reader.journal())
            self._check_tree(root, reader)
        for id_, record in self.db.records.items():
            if id_.startswith("run") and not record.reserved and self.oracle.homes.get(id_) != record.root:
                raise Violation(f"{id_} lies in {record.root}, not in {self.oracle.homes.get(id_)}")
        self._check_points("shared", Reader(self.protocol, "shared"))
        watcher = self.readers[0]
        self._finish(watcher.hints())
        shown = {run: self.db.records[run].value for run in self.oracle.homes}
        if watcher.seen != shown:
            raise Violation(f"a list shows {watcher.seen}, not {shown}")

    def _check_tree(self, root: str, reader: Reader) -> None:
        log = self.oracle.log[root]
        head = self.db.heads.get(root)
        if head is None:
            return
        if (head.n, head.applied, reader.cursor) != (len(log), len(log), len(log)):
            raise Violation(f"{head} of {root} and a reader at {reader.cursor} after {len(log)} entries")
        self._check_points(root, reader)
        for writer in self.writers:
            position = self._value(f"writer {writer.name}")
            if writer.root == root and position != self.oracle.sequences[root].get(writer.name):
                raise Violation(f"the position of {writer.name} is {position}")
        for row, entry in enumerate(log):
            piece = self.db.pieces.get((journal(root), None, row))
            if row >= head.floor and (piece is None or piece.rows[0][1] is not entry.token):
                raise Violation(f"row {row} of the journal of {root} is {piece}")

    def _check_points(self, owner: str, reader: Reader) -> None:
        stream, rows = f"points of {owner}", self.oracle.rows.get(f"points of {owner}", [])
        value = self._value(stream)
        if (0 if value is None else value.end) != len(rows):
            raise Violation(f"{stream} ends at {value} after {len(rows)} rows")
        summary = self._value(f"summary of {owner}")
        if (0 if summary is None else summary) != len(rows):
            raise Violation(f"the summary of {owner} is {summary} after {len(rows)} rows")
        found: list[tuple[int, Any]] = []

        def read() -> Steps[None]:
            found.extend((yield from reader._rows(stream, 0, len(rows))))

        self._finish(read())
        if found != list(enumerate(rows)):
            raise Violation(f"{stream} is {found} after {rows}")

    def _value(self, id: str) -> Any:
        record = self.db.records.get(id)
        return None if record is None or record.reserved else record.value
