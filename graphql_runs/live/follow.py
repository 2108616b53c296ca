"""Following a run tree from a cursor: backfill first, then live, on one resumable position.

The journal says what to read; the streams are read up to exactly what the journal told. During backfill the cursor holds
the position `n` the backfill is of, and how far along the streams (in order of their ids) it has come. What the streams
held at `n` is known from the journal after `n`: the first growth of a stream after `n` begins where it ended at `n`.

When the journal no longer reaches back to where a follower is, it is told so by a gap, and everything comes again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from graphql_runs.live.backfill import Backfill
from graphql_runs.live.hub import Hub, Signal
from graphql_runs.live.reading import Lost, Reading, purged_since, read_entries
from graphql_runs.live.scope import Scope
from graphql_runs.live.update import MESSAGE_BYTES, MESSAGE_ROWS, Gap, TreeUpdate
from graphql_runs.model import ids
from graphql_runs.model.change import Entry, Growth
from graphql_runs.model.cursor import TreeCursor, WorkspaceCursor
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.run import Run
from graphql_runs.model.status import StatusClass
from graphql_runs.store.port import Store, journal_of

_ENTRIES = 1024
_ORDER = list(StatusClass)


async def tree_cursor(store: Store, root: str) -> str:
    """The live cursor of a run tree as of now. Take it before reading what is handed out with it."""
    [n] = await store.ends([journal_of(root)])
    return TreeCursor(store.epoch, root, n).encode()


async def workspace_cursor(store: Store, workspace: str) -> str:
    """The live cursor of a workspace as of now."""
    return WorkspaceCursor(store.epoch, workspace, await store.hint_end(workspace)).encode()


async def follow_tree(
    store: Store,
    hub: Hub,
    root: str,
    *,
    run: str,
    after: str | None = None,
    metrics: Sequence[str] | None = None,
    logs: Sequence[str] | None = None,
    points: bool = True,
    until: StatusClass | None = None,
    throttle: float = 0.1,
) -> AsyncGenerator[TreeUpdate]:
    """Everything that happens in `run` and below it (server ids), in the tree of `root`.

    after:         a live cursor to continue from; without it a snapshot of everything asked for comes first.
    metrics, logs: globs of names and paths; None means all, an empty list none.
    points:        False gives only summaries.
    until:         end when the run has reached this class (or a later one) and everything was told.
    throttle:      least seconds between two messages once caught up; the first change after a pause goes out at once.

    Ends when the server closes, and with an update that tells that the run was purged. Raises InvalidInput for a cursor that is not one of this tree.
    """
    if not 0 <= throttle <= 3600:
        raise InvalidInput("throttle is from 0 to 3600 seconds", field="throttle")
    cursor = None if after is None else TreeCursor.decode(after)
    if cursor is not None and cursor.root != root:
        raise InvalidInput("after is a cursor of another run tree", field="after")
    async with hub.watch(root) as signal:
        follower = _Follower(store, Reading(store, Scope(run, root, metrics, logs), points), signal)
        async for update in follower.follow(cursor, throttle):
            yield update
            if until is not None and update.caught_up and follower.reached(until):
                return


@dataclass(slots=True)
class _Merged:
    """Entries of the journal as one change. What happened to a run that a later entry purges cannot be read any more, or would be
    that of a new run with its id: it is not told."""

    doomed: dict[str, int]
    """The row of the last entry that purges a run."""
    runs: dict[str, None] = field(default_factory=dict)
    metrics: dict[str, tuple[int, int]] = field(default_factory=dict)
    logs: dict[str, tuple[int, int]] = field(default_factory=dict)
    entries: int = 0
    rows: int = 0
    bytes: int = 0
    purged: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        # What comes after a purge may be of new runs with the same ids.
        return bool(self.purged) or self.rows >= MESSAGE_ROWS or self.bytes >= MESSAGE_BYTES

    def add(self, row: int, entry: Entry) -> None:
        self.entries += 1
        for id in (*(change.run for change in entry.runs), *entry.artifacts):
            if self._stays(id, row):
                self.runs[ids.run_of(id)] = None
        self.rows += self._grow(row, entry.metrics, self.metrics)
        self.bytes += self._grow(row, entry.logs, self.logs)
        self.purged = entry.purged

    def _grow(self, row: int, growths: Iterable[Growth], ranges: dict[str, tuple[int, int]]) -> int:
        size = 0
        for growth in growths:
            if self._stays(growth.id, row):
                start, _ = ranges.get(growth.id, (growth.start, growth.end))
                ranges[growth.id] = (start, growth.end)
                size += growth.end - growth.start
        return size

    def _stays(self, id: str, row: int) -> bool:
        return not self.doomed or self.doomed.get(ids.run_of(id), -1) < row


class _Follower:
    def __init__(self, store: Store, reading: Reading, signal: Signal) -> None:
        self._store = store
        self._reading = reading
        self._signal = signal
        self._target: Run | None = None
        self._doomed: dict[str, int] = {}

    def reached(self, wanted: StatusClass) -> bool:
        run = self._target
        return run is not None and _ORDER.index(run.status.status_class) >= _ORDER.index(wanted)

    async def follow(self, cursor: TreeCursor | None, throttle: float) -> AsyncGenerator[TreeUpdate]:
        while not self._signal.closed:
            try:
                async with aclosing(self._follow(cursor, throttle)) as updates:
                    async for update in updates:
                        cursor = TreeCursor.decode(update.cursor)
                        yield update
                return
            except Lost:
                # Beginning again from there finds out why, and tells it.
                continue

    async def _follow(self, cursor: TreeCursor | None, throttle: float) -> AsyncGenerator[TreeUpdate]:
        scope, store = self._reading.scope, self._store
        [end] = await store.ends([journal_of(scope.root)])
        gap = None if cursor is None else await self._lost(cursor, end)
        start = (
            cursor if cursor is not None and gap is None else TreeCursor(store.epoch, scope.root, end, "", 0)
        )
        scope.begin()
        # In order of depth, so that the scope knows its members before any change comes.
        runs = scope.take(await store.tree_runs(scope.root))
        if all(run.id != scope.run for run in runs):
            yield self._gone(end, gap)
            return
        self._see(runs)
        self._doomed = await purged_since(store, scope.root, start.n) if start.n < end else {}
        # A follower that continues is always told where it stands, and that it has caught up, even if nothing happened to its runs.
        owed = True
        if start.stream is not None:
            kept = tuple(run for run in runs if run.id not in self._doomed)
            async for update in Backfill(store, self._reading, start).updates(kept, gap):
                owed = not update.caught_up
                yield update
                if self._signal.closed:
                    return
        n = start.n
        while not self._signal.closed:
            update, n = await self._next(n)
            if owed or _says_something(update):
                owed = not update.caught_up
                yield update
                if scope.run in update.purged:
                    return
                if throttle and update.caught_up:
                    await self._signal.pause(throttle)
            if update.caught_up:
                await self._signal.wait()

    async def _next(self, n: int) -> tuple[TreeUpdate, int]:
        """One message of what comes after entry `n`, and the position after it."""
        scope = self._reading.scope
        entries = await read_entries(self._store, scope.root, n, _ENTRIES)
        if not entries and await self._store.ends([journal_of(scope.root)]) != [n]:
            raise Lost
        for row, entry in enumerate(entries, n):
            self._doomed |= dict.fromkeys(entry.purged, row)
        merged = _Merged(self._doomed)
        for row, entry in enumerate(entries, n):
            merged.add(row, entry)
            if merged.full:
                break
        found = await self._store.get(Run, list(merged.runs)) if merged.runs else []
        changed = [run for run in found if run is not None]
        runs = scope.take(changed)
        self._see(runs)
        n += merged.entries
        update = TreeUpdate(
            cursor=TreeCursor(self._store.epoch, scope.root, n).encode(),
            caught_up=merged.entries == len(entries) and len(entries) < _ENTRIES,
            reset=False,
            runs=runs,
            metrics=await self._reading.metrics(merged.metrics),
            logs=await self._reading.logs(merged.logs),
            purged=merged.purged,
        )
        scope.drop(merged.purged)
        self._doomed = {run: row for run, row in self._doomed.items() if row >= n}
        return update, n

    def _gone(self, end: int, gap: Gap | None) -> TreeUpdate:
        """The last message when the run is not there any more."""
        scope = self._reading.scope
        cursor = TreeCursor(self._store.epoch, scope.root, end).encode()
        return TreeUpdate(cursor, True, gap is not None, (), (), (), gap, purged=(scope.run,))

    async def _lost(self, cursor: TreeCursor, end: int) -> Gap | None:
        """Why one cannot continue from a cursor, if so."""
        scope = self._reading.scope
        reason = None
        if cursor.epoch != self._store.epoch:
            reason = "the store was restored or replaced since this cursor was given"
        elif cursor.n > end:
            reason = "the cursor is ahead of what the store holds"
        elif cursor.n < end:
            items = await self._store.read(journal_of(scope.root), cursor.n, limit=1)
            if not items or items[0].start > cursor.n:
                reason = "the journal no longer reaches back to this cursor"
        if reason is None:
            return None
        return Gap(cursor.encode(), TreeCursor(self._store.epoch, scope.root, end, "", 0).encode(), reason)

    def _see(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if run.id == self._reading.scope.run:
                self._target = run


def _says_something(update: TreeUpdate) -> bool:
    return bool(update.runs or update.metrics or update.logs or update.purged or not update.caught_up)
