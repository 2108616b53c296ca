"""The commit protocol of the MongoDB store (docs/decisions/0007-mongodb-commit-protocol.md), one database operation a step.

`graphql_runs.store.mongo` does the same with a real driver; names are the same where possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from tests.store.model.database import (
    Conflict,
    Database,
    Entry,
    Feed,
    Head,
    Lost,
    Piece,
    Place,
    Record,
    Steps,
    StreamValue,
    delete,
    insert,
    swap,
)
from tests.store.model.guards import Guards
from tests.store.model.oracle import Oracle

TAIL = 2
"""Hints in the feed's tail from which on it is flushed."""


class Batch(NamedTuple):
    """What a writer wants: rows to append by stream with the row it believes the stream to end at, values of records."""

    writer: str
    sequence: int
    row: int
    appends: tuple[tuple[str, int, tuple[Any, ...]], ...]
    creates: tuple[tuple[str, Any], ...]
    replaces: tuple[tuple[str, Any], ...]
    hints: tuple[str, ...]

    @property
    def name(self) -> tuple[str, int]:
        """What the rows and the journal entry of this batch say."""
        return self.writer, self.sequence


@dataclass(frozen=True, slots=True)
class Protocol:
    """The steps, over one database."""

    db: Database
    oracle: Oracle
    guards: Guards

    # Commit

    def commit(self, root: str, batch: Batch) -> Steps[int]:
        """The tree's position after the batch. Raises Conflict, or Lost when it cannot find out."""
        token = object()
        tried = False
        while True:
            head = yield from self.head(root)
            if head.entry is not None and (self.guards.finish_first or head.entry.token is token):
                yield from self.again(root, head)
                continue
            if head.n != batch.row:
                if tried and self.guards.known_outcome:
                    return (yield from self._outcome(root, batch, token))
                raise Conflict
            try:
                entry = yield from self._draw_up(root, head, batch, token)
            except Conflict:
                # What was sent before may have been carried out just now, and be what it conflicts with.
                now = yield from self.head(root)
                if tried and now.turn != head.turn and self.guards.known_outcome:
                    continue
                raise
            if entry is None:
                continue
            tried = True
            try:
                won = yield partial(self._decide, root, head, entry)
            except Lost:
                continue
            if won and not self.guards.acknowledge_last:
                return entry.row + 1
            if won:
                yield from self.again(root, self.after(head, entry))
                return entry.row + 1

    def _outcome(self, root: str, batch: Batch, token: object) -> Steps[int]:
        piece = yield lambda: self.db.pieces.get((journal(root), None, batch.row))
        if piece is None:
            raise Lost  # trimmed since
        if piece.rows[0][1] is not token:
            raise Conflict
        return batch.row + 1

    def head(self, root: str) -> Steps[Head]:
        """The head of a tree, made if missing."""
        head = yield lambda: self.db.heads.get(root)
        if head is None:
            yield lambda: insert(self.db.heads, root, Head())
            head = yield lambda: self.db.heads[root]
        return head  # type: ignore[no-any-return] # what a step gives is not typed

    def _draw_up(self, root: str, head: Head, batch: Batch, token: object) -> Steps[Entry | None]:
        """The entry, with final rows. None when the head has moved on meanwhile."""
        turn = head.turn + 1
        if self.guards.runs_first and not (yield from self._reserve_runs(root, head, batch)):
            return None
        pieces: list[tuple[Place, Piece]] = []
        records: list[tuple[str, Record]] = []
        for stream, start, rows in batch.appends:
            if not (yield from self._claim(stream, root, head.turn)):
                return None
            found = yield partial(self.db.records.get, stream)
            if found is not None and not found.reserved and found.root != root:
                raise Conflict
            value = StreamValue(0, token if self.guards.lives else None)
            if found is not None and not found.reserved:
                value = found.value
            if value.end != start:
                raise Conflict
            end = start + len(rows)
            pieces.append(((stream, value.life, start), Piece(root, turn, end, rows)))
            records.append((stream, Record(root, turn, value._replace(end=end))))
        for id, value in batch.replaces:
            found = yield partial(self.db.records.get, id)
            if found is None or found.reserved or found.root != root:
                raise Conflict
            records.append((id, Record(root, turn, value)))
        for id, value in batch.creates:
            records.append((id, Record(root, turn, value)))
            if not id.startswith("run") or not self.guards.reserve:
                found = yield partial(self.db.records.get, id)
                if found is not None and not found.reserved:
                    raise Conflict
                if not (yield from self._claim(id, root, head.turn)):
                    return None
        if not self.guards.runs_first and not (yield from self._reserve_runs(root, head, batch)):
            return None
        return Entry("batch", token, turn, head.n, batch, tuple(pieces), tuple(records), batch.hints)

    def _decide(self, root: str, head: Head, entry: Entry) -> bool:
        """The commit point."""
        turn = head.turn
        after = self.after(head, entry)
        won = swap(
            self.db.heads,
            root,
            lambda now: now.turn == turn if self.guards.compare_turn else now.n == head.n,
            lambda _: after,
        )
        if won:
            self.oracle.decided(root, entry)
        return won

    @staticmethod
    def after(head: Head, entry: Entry) -> Head:
        """The head at the commit point of an entry."""
        n = head.n + (entry.row >= 0)
        floor = entry.floor if entry.whole or entry.kind == "trim" else head.floor
        return Head(n, head.applied, head.turn + 1, floor, entry)

    # Reservations

    def _reserve_runs(self, root: str, head: Head, batch: Batch) -> Steps[bool]:
        for id, _ in batch.creates:
            if (
                id.startswith("run")
                and self.guards.reserve
                and not (yield from self._reserve(id, root, head.turn))
            ):
                return False
        return True

    def _reserve(self, id: str, root: str, turn: int) -> Steps[bool]:
        """Make sure that a document waits for a record that is to be made. False when the head has moved on.

        Raises Conflict when there is such a record.
        """
        mine = Record(root, turn, None, True)
        while True:
            found = yield partial(self.db.records.get, id)
            if found is None:
                yield partial(insert, self.db.records, id, mine)
            elif not found.reserved:
                raise Conflict
            elif found == mine or (found.root == root and not self.guards.reserve_again):
                return True
            elif found.root == root:
                if found.turn > turn:
                    return False
                yield from self._take_over(id, found, mine)
            else:
                other = yield partial(self.db.heads.get, found.root)
                if other.entry is not None:
                    yield from self.finish(found.root, other)
                elif other.turn == found.turn and self.guards.fence:
                    yield partial(self._move_on, found.root, other.turn)
                else:
                    yield from self._take_over(id, found, mine)

    def _claim(self, id: str, root: str, turn: int) -> Steps[bool]:
        """Take the place that a purge left, if one did. False when the head has moved on."""
        found = yield partial(self.db.records.get, id)
        if found is None or not found.reserved or not self.guards.claims:
            return True
        return (yield from self._reserve(id, root, turn))

    def _take_over(self, id: str, found: Record, mine: Record) -> Steps[None]:
        exact = self.guards.exact_reservation
        yield lambda: swap(
            self.db.records, id, lambda now: now == found if exact else now.reserved, lambda _: mine
        )

    def _move_on(self, root: str, turn: int) -> bool:
        return swap(
            self.db.heads, root, lambda now: now.turn == turn, lambda now: now._replace(turn=turn + 1)
        )

    # Applying

    def again(self, root: str, head: Head) -> Steps[None]:
        """`finish`, started over when an answer was lost."""
        while True:
            try:
                yield from self.finish(root, head)
            except Lost:
                continue
            return

    def finish(self, root: str, head: Head) -> Steps[None]:
        """Apply the pending entry of a head. Any process may, at any time, any number of times."""
        entry = head.entry
        assert entry is not None
        turn = head.turn
        if not self.guards.applied_last:
            yield lambda: self._applied(root, head)
        match entry.kind:
            case "batch":
                yield from self._apply_batch(root, turn, entry)
            case "compact":
                yield from self._apply_compaction(root, turn, entry)
            case "trim":
                yield from self._apply_trim(root, entry)
            case "purge":
                yield from self._apply_purge(root, turn, entry)
        yield lambda: self._applied(root, head)
        if entry.hints and not self.guards.hints_before_applied:
            yield from self._give_hints(entry)

    def _applied(self, root: str, head: Head) -> bool:
        new = head._replace(applied=head.n, entry=None)
        return swap(
            self.db.heads, root, lambda now: now.turn == head.turn and now.entry is not None, lambda _: new
        )

    def _apply_batch(self, root: str, turn: int, entry: Entry) -> Steps[None]:
        if entry.hints and not self.guards.hints_last:
            yield from self._give_hints(entry)
        if not self.guards.pieces_first:
            yield from self._apply_records(turn, entry)
        for key, piece in entry.pieces:
            yield partial(insert, self.db.pieces, key, piece)
        yield from self._apply_journal(root, turn, entry)
        if self.guards.pieces_first:
            yield from self._apply_records(turn, entry)
        if entry.hints and self.guards.hints_last and self.guards.hints_before_applied:
            yield from self._give_hints(entry)

    def _apply_records(self, turn: int, entry: Entry) -> Steps[None]:
        for id, record in entry.records:
            yield partial(self._put, id, record, turn)

    def _put(self, id: str, record: Record, turn: int) -> None:
        """Replace an older one, or make it."""
        if not insert(self.db.records, id, record):
            swap(
                self.db.records,
                id,
                lambda now: now.root == record.root and (now.turn < turn or not self.guards.newer_stays),
                lambda _: record,
            )

    def _apply_journal(self, root: str, turn: int, entry: Entry) -> Steps[None]:
        piece = Piece(
            root, turn, entry.row + 1, ((entry.batch.name if entry.batch else "purge", entry.token),)
        )
        yield lambda: insert(self.db.pieces, (journal(root), None, entry.row), piece)

    def _apply_compaction(self, root: str, turn: int, entry: Entry) -> Steps[None]:
        (first, old_end), *others = entry.parts
        merged = Piece(root, turn, entry.parts[-1][1], entry.merged)
        exact = self.guards.first_as_merged
        yield lambda: swap(
            self.db.pieces,
            (entry.stream, entry.life, first),
            lambda now: now.end == old_end or not exact,
            lambda _: merged,
        )
        for start, end in others:
            yield partial(self._drop_covered, (entry.stream, entry.life, start), end)

    def _drop_covered(self, key: Place, end: int) -> bool:
        return delete(self.db.pieces, key, lambda now: now.end == end)

    def _apply_trim(self, root: str, entry: Entry) -> Steps[None]:
        keys = yield lambda: [
            key for key, now in self.db.pieces.items() if key[0] == journal(root) and now.end <= entry.floor
        ]
        for key in keys:
            yield partial(self.db.pieces.pop, key, None)

    def _apply_purge(self, root: str, turn: int, entry: Entry) -> Steps[None]:
        def old(now: Record | Piece) -> bool:
            return now.root == root and (now.turn < turn or not self.guards.purge_older)

        ids = yield lambda: [
            id for id, now in self.db.records.items() if old(now) and not now.reserved and goes(entry, id)
        ]
        gone = Record(root, turn, None, True)
        # Runs first, which speak of the others; streams before their pieces, so that nobody looks for those.
        for id in sorted(ids, key=lambda id: (not id.startswith("run"), not id.startswith("points"))):
            if self.guards.tombstones:
                yield partial(swap, self.db.records, id, old, lambda _: gone)
            else:
                yield partial(delete, self.db.records, id, old)
        keys = yield lambda: [key for key, now in self.db.pieces.items() if old(now) and goes(entry, key[0])]
        for key in keys:
            yield partial(delete, self.db.pieces, key, old)
        yield from self._apply_journal(root, turn, entry)
        yield from self._give_hints(entry)

    # Hints

    def _give_hints(self, entry: Entry) -> Steps[None]:
        stamp = id(entry.token)
        for run in entry.hints:
            while not (yield partial(self._push, run, stamp)):
                yield from self._flush()

    def _push(self, run: str, stamp: int) -> bool:
        feed = self.db.feed
        if len(feed.tail) >= TAIL:
            return False
        self.db.feed = Feed(feed.n + 1, (*feed.tail, (run, stamp)))
        return True

    def _flush(self) -> Steps[None]:
        """Write the older half of the tail to documents, then shorten it."""
        feed = yield lambda: self.db.feed
        base, half = feed.n - len(feed.tail), len(feed.tail) - TAIL // 2
        if half <= 0:
            return
        if not self.guards.flush_first:
            yield lambda: self._shorten(feed, half)
        for index, (run, stamp) in enumerate(feed.tail[:half]):
            yield partial(self._put_hint, run, base + index + 1, stamp)
        if self.guards.flush_first:
            yield lambda: self._shorten(feed, half)

    def _put_hint(self, run: str, n: int, stamp: int) -> None:
        if self.db.hints.get(run, (0, 0))[0] < n or not self.guards.newer_hint_stays:
            self.db.hints[run] = (n, stamp)

    def _shorten(self, feed: Feed, half: int) -> None:
        if self.db.feed == feed:
            self.db.feed = Feed(feed.n, feed.tail[half:])


def journal(root: str) -> str:
    """The stream of a tree's journal."""
    return f"journal of {root}"


def goes(entry: Entry, id: str) -> bool:
    """A purge takes this record or stream away, if it lies in its tree."""
    return entry.whole or id.endswith("shared")
