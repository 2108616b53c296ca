"""What runs beside the writers: merging pieces, trimming, purging, and finishing what crashed processes left."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from tests.store.model.database import Entry, Head, Lost, Piece, Steps
from tests.store.model.protocol import Protocol, journal


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Actors without an end of their own; the scheduler closes them."""

    protocol: Protocol
    rng: random.Random
    roots: tuple[str, ...]

    def compact(self) -> Steps[None]:
        """Merge some pieces of some stream, again and again."""
        while True:
            root = self.rng.choice(self.roots)
            yield from self._forgiving(self._compact(root, f"points of {root}"))

    def trim(self) -> Steps[None]:
        """Raise the floor of some stream or journal, again and again."""
        while True:
            root = self.rng.choice(self.roots)
            stream = self.rng.choice((f"points of {root}", journal(root)))
            yield from self._forgiving(self._trim(root, stream))
            yield from self._idle(30)

    def purge(self) -> Steps[None]:
        """Purge a tree now and then."""
        while True:
            yield from self._idle(60)
            yield from self._forgiving(self._purge(self.rng.choice(self.roots)))

    def sweep(self, pause: int = 20) -> Steps[None]:
        """Rounds of finishing."""
        while True:
            yield from self._forgiving(self.round())
            yield from self._idle(pause)

    def round(self) -> Steps[None]:
        """Finish pending entries."""
        db = self.protocol.db
        for root in self.roots:
            head = yield partial(db.heads.get, root)
            if head is not None and head.entry is not None:
                yield from self.protocol.again(root, head)

    def _forgiving(self, steps: Steps[None]) -> Steps[None]:
        try:
            yield from steps
        except Lost:
            return

    def _idle(self, most: int) -> Steps[None]:
        for _ in range(self.rng.randrange(most)):
            yield lambda: None

    def _settled(self, root: str) -> Steps[Head | None]:
        head = yield lambda: self.protocol.db.heads.get(root)
        if head is not None and head.entry is not None:
            yield from self.protocol.again(root, head)
            return None
        return head  # type: ignore[no-any-return] # what a step gives is not typed

    def _decide(self, root: str, head: Head, entry: Entry) -> Steps[None]:
        won = yield lambda: self.protocol._decide(root, head, entry)
        if won:
            yield from self.protocol.again(root, self.protocol.after(head, entry))

    def _compact(self, root: str, stream: str) -> Steps[None]:
        db = self.protocol.db
        head = yield from self._settled(root)
        if head is None:
            return
        record = yield lambda: db.records.get(stream)
        if record is None or record.reserved:
            return
        life, floor = record.value.life, record.value.floor
        found = yield lambda: pieces(db.pieces, stream, lambda key: key[1] == life)
        whole: list[tuple[int, Piece]] = []
        for key, piece in found:
            if piece.end > floor and (not whole or key[2] >= whole[-1][1].end):
                whole.append((key[2], piece))
        if len(whole) < 2:
            return
        low = self.rng.randrange(len(whole) - 1)
        group = whole[low : low + self.rng.randint(2, 3)]
        if any(one[1].end != other[0] for one, other in pairwise(group)):
            return
        entry = Entry(
            "compact",
            object(),
            head.turn + 1,
            stream=stream,
            life=life,
            parts=tuple((start, piece.end) for start, piece in group),
            merged=tuple(row for _, piece in group for row in piece.rows),
        )
        if self.protocol.guards.compact_by_head:
            yield from self._decide(root, head, entry)
        else:
            yield from self.protocol._apply_compaction(root, head.turn, entry)

    def _trim(self, root: str, stream: str) -> Steps[None]:
        db = self.protocol.db
        head = yield from self._settled(root)
        if head is None:
            return
        if stream == journal(root):
            low, high, life = head.floor, head.applied - 1, 0
        else:
            record = yield lambda: db.records.get(stream)
            if record is None or record.reserved:
                return
            low, high, life = record.value.floor, record.value.end, record.value.life
        if high > low:
            floor = self.rng.randint(low + 1, high)
            yield from self._decide(
                root, head, Entry("trim", object(), head.turn + 1, stream=stream, life=life, floor=floor)
            )

    def _purge(self, root: str) -> Steps[None]:
        head = yield from self._settled(root)
        if head is not None and head.n:
            yield from self._decide(
                root, head, Entry("purge", object(), head.turn + 1, row=head.n, floor=head.n)
            )


def pieces(
    found: dict[tuple[str, int, int], Piece], stream: str, wanted: Callable[[tuple[str, int, int]], bool]
) -> list[tuple[tuple[str, int, int], Piece]]:
    """Pieces of a stream by their start."""
    return sorted((key, piece) for key, piece in found.items() if key[0] == stream and wanted(key))
