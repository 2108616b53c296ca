"""Following a run tree from a cursor: backfill first, then live, on one resumable position.

The journal says what to read; the streams are read up to exactly what the journal told. During backfill the cursor holds
the position `n` the backfill is of, and how far along the streams (in order of their ids) it has come. What the streams
held at `n` is known from the journal after `n`: the first growth of a stream after `n` begins where it ended at `n`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from graphql_runs.live.backfill import Backfill
from graphql_runs.live.hub import Hub, Signal
from graphql_runs.live.reading import Reading, read_entries
from graphql_runs.live.scope import Scope
from graphql_runs.live.update import MESSAGE_BYTES, MESSAGE_ROWS, Gap, TreeUpdate
from graphql_runs.model import ids
from graphql_runs.model.change import Entry
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

    Ends when the server closes. Raises InvalidInput for a cursor that is not one of this tree.
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
    """Entries of the journal as one change."""

    runs: dict[str, None] = field(default_factory=dict)
    metrics: dict[str, tuple[int, int]] = field(default_factory=dict)
    logs: dict[str, tuple[int, int]] = field(default_factory=dict)
    entries: int = 0
    rows: int = 0
    bytes: int = 0

    @property
    def full(self) -> bool:
        return self.rows >= MESSAGE_ROWS or self.bytes >= MESSAGE_BYTES

    def add(self, entry: Entry) -> None:
        self.entries += 1
        for change in entry.runs:
            self.runs[change.run] = None
        for artifact in entry.artifacts:
            self.runs[ids.run_of(artifact)] = None
        for growths, ranges in ((entry.metrics, self.metrics), (entry.logs, self.logs)):
            for growth in growths:
                start, _ = ranges.get(growth.id, (growth.start, growth.end))
                ranges[growth.id] = (start, growth.end)
        self.rows += sum(growth.end - growth.start for growth in entry.metrics)
        self.bytes += sum(growth.end - growth.start for growth in entry.logs)


class _Follower:
    def __init__(self, store: Store, reading: Reading, signal: Signal) -> None:
        self._store = store
        self._reading = reading
        self._signal = signal
        self._target: Run | None = None

    def reached(self, wanted: StatusClass) -> bool:
        run = self._target
        return run is not None and _ORDER.index(run.status.status_class) >= _ORDER.index(wanted)

    async def follow(self, cursor: TreeCursor | None, throttle: float) -> AsyncGenerator[TreeUpdate]:
        scope, store = self._reading.scope, self._store
        journal = journal_of(scope.root)
        [end] = await store.ends([journal])
        gap = None if cursor is None else await self._lost(cursor, end)
        start = (
            cursor if cursor is not None and gap is None else TreeCursor(store.epoch, scope.root, end, "", 0)
        )
        # In order of depth, so that the scope knows its members before any change comes.
        runs = scope.take(await store.tree_runs(scope.root))
        self._see(runs)
        if start.stream is not None:
            async for update in Backfill(store, self._reading, start).updates(runs, gap):
                yield update
                if self._signal.closed:
                    return
        n = start.n
        first = start.stream is None
        while not self._signal.closed:
            update, n = await self._next(n)
            # A follower that continues is always told where it stands, even when nothing happened meanwhile.
            if first or update.runs or update.metrics or update.logs or not update.caught_up:
                first = False
                yield update
                if throttle and update.caught_up:
                    await self._signal.pause(throttle)
            if update.caught_up:
                await self._signal.wait()

    async def _next(self, n: int) -> tuple[TreeUpdate, int]:
        """One message of what comes after entry `n`, and the position after it."""
        scope = self._reading.scope
        entries = await read_entries(self._store, scope.root, n, _ENTRIES)
        merged = _Merged()
        for entry in entries:
            merged.add(entry)
            if merged.full:
                break
        found = await self._store.get(Run, list(merged.runs)) if merged.runs else []
        changed = [run for run in found if run is not None]
        runs = scope.take(changed)
        self._see(runs)
        n += merged.entries
        return (
            TreeUpdate(
                cursor=TreeCursor(self._store.epoch, scope.root, n).encode(),
                caught_up=merged.entries == len(entries) and len(entries) < _ENTRIES,
                reset=False,
                runs=runs,
                metrics=await self._reading.metrics(merged.metrics),
                logs=await self._reading.logs(merged.logs),
            ),
            n,
        )

    async def _lost(self, cursor: TreeCursor, end: int) -> Gap | None:
        """Why one cannot continue from a cursor, if so."""
        scope = self._reading.scope
        reason = None
        if cursor.epoch != self._store.epoch:
            reason = "the store was restored or replaced since this cursor was given"
        elif cursor.n > end:
            reason = "the cursor is ahead of what the store holds"
        elif cursor.n < end:
            [first, *_] = await self._store.read(journal_of(scope.root), cursor.n, limit=1)
            if first.start > cursor.n:
                reason = "the journal no longer reaches back to this cursor"
        if reason is None:
            return None
        return Gap(cursor.encode(), TreeCursor(self._store.epoch, scope.root, end, "", 0).encode(), reason)

    def _see(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if run.id == self._reading.scope.run:
                self._target = run
