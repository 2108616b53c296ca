"""What runs beside the writers: merging pieces, trimming, purging, and finishing what crashed processes left."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from tests.store.model.database import SHARED, Entry, Head, Lost, Piece, Place, Steps
from tests.store.model.protocol import Protocol


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
            yield from self._forgiving(self._compact(root, f"points of {self.rng.choice((root, 'shared'))}"))

    def trim(self) -> Steps[None]:
        """Raise the floor of some journal, again and again."""
        while True:
            yield from self._forgiving(self._trim(self.rng.choice(self.roots)))
            yield from self._idle(30)

    def purge(self) -> Steps[None]:
        """Purge a tree now and then, or just the run that both want."""
        pause = self.rng.choice((10, 60))
        while True:
            yield from self._idle(pause)
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
        if head is not None and head.entry is not None and self.protocol.guards.finish_first:
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
        if record is None or record.reserved or record.root != root:
            return
        life = record.value.life
        found = yield lambda: pieces(db.pieces, stream, lambda key: key[1] == life)
        whole: list[tuple[int, Piece]] = []
        for key, piece in found:
            if not whole or key[2] >= whole[-1][1].end:
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

    def _trim(self, root: str) -> Steps[None]:
        head = yield from self._settled(root)
        if head is not None and head.n > head.floor:
            floor = self.rng.randint(head.floor + 1, head.n)
            yield from self._decide(root, head, Entry("trim", object(), head.turn + 1, floor=floor))

    def _purge(self, root: str) -> Steps[None]:
        head = yield from self._settled(root)
        if head is None or not head.n:
            return
        whole = self.rng.random() < 0.5
        runs = yield lambda: [
            id
            for id, now in self.protocol.db.records.items()
            if id.startswith("run") and now.root == root and not now.reserved
        ]
        hints = tuple(id for id in runs if whole or id == SHARED)
        entry = Entry("purge", object(), head.turn + 1, head.n, hints=hints, floor=head.n, whole=whole)
        yield from self._decide(root, head, entry)


def pieces(
    found: dict[Place, Piece], stream: str, wanted: Callable[[Place], bool]
) -> list[tuple[Place, Piece]]:
    """Pieces of a stream by their start."""
    return sorted((key, piece) for key, piece in found.items() if key[0] == stream and wanted(key))
