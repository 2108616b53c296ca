"""What a run tree held at one position of its journal, told in pieces that can be resumed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from graphql_runs.live.reading import Reading, read_entries
from graphql_runs.live.update import MESSAGE_BYTES, MESSAGE_ROWS, Gap, LogDelta, MetricDelta, TreeUpdate
from graphql_runs.model.cursor import TreeCursor
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.read.records import every
from graphql_runs.store.port import Store, journal_of


class Backfill:
    """The streams of a tree up to their ends at `start.n`, from the stream and row of `start` on."""

    def __init__(self, store: Store, reading: Reading, start: TreeCursor) -> None:
        self._store = store
        self._reading = reading
        self._start = start
        self._runs: tuple[Run, ...] = ()
        self._gap: Gap | None = None
        self._metrics: list[MetricDelta] = []
        self._logs: list[LogDelta] = []
        self._rows = 0
        self._bytes = 0

    async def updates(self, runs: tuple[Run, ...], gap: Gap | None) -> AsyncGenerator[TreeUpdate]:
        """Messages; the first also has the runs (and the reset, if there is a gap), the last one's cursor is at `n`.

        Each message gets further than the one before, so that a follower that is cut off after every one still arrives.
        """
        streams = await self._streams(runs)
        self._runs, self._gap = runs, gap
        for stream, end in streams:
            row = self._start.row if stream.id == self._start.stream else 0
            while row < end or (row == end == 0):
                row = await self._take(stream, row, end)
                if self._rows >= MESSAGE_ROWS or self._bytes >= MESSAGE_BYTES:
                    yield self._message(self._at(stream.id, row), caught_up=False)
                if end == 0:
                    break
        caught_up = (await self._store.ends([journal_of(self._start.root)]))[0] == self._start.n
        yield self._message(
            TreeCursor(self._start.epoch, self._start.root, self._start.n), caught_up=caught_up
        )

    async def _take(self, stream: Metric | LogFile, row: int, end: int) -> int:
        """Read one piece of a stream into the message; gives the row after it."""
        if isinstance(stream, Metric):
            stop = min(end, row + max(MESSAGE_ROWS - self._rows, 1))
            self._metrics.append(await self._reading.metric(stream, row, stop))
            self._rows += stop - row if self._reading.points else 1
            return end if not self._reading.points else stop
        stop = min(end, row + max(MESSAGE_BYTES - self._bytes, 1))
        self._logs.append(await self._reading.log(stream, row, stop))
        self._bytes += stop - row
        return stop

    def _message(self, cursor: TreeCursor, *, caught_up: bool) -> TreeUpdate:
        gap = self._gap
        update = TreeUpdate(
            cursor.encode(),
            caught_up,
            gap is not None,
            self._runs,
            tuple(self._metrics),
            tuple(self._logs),
            gap,
        )
        self._runs, self._gap, self._metrics, self._logs, self._rows, self._bytes = (), None, [], [], 0, 0
        return update

    def _at(self, stream: str, row: int) -> TreeCursor:
        return TreeCursor(self._start.epoch, self._start.root, self._start.n, stream, row)

    async def _streams(self, runs: Sequence[Run]) -> list[tuple[Metric | LogFile, int]]:
        """The streams asked for in order of their ids, from the start's on, and where each ended at `n`."""
        scope = self._reading.scope
        found: list[Metric | LogFile] = []
        for run in runs:
            if not scope.metrics.none:
                found.extend(m for m in await every(self._store, Metric, run.id) if m.name in scope.metrics)
            if not scope.logs.none:
                found.extend(f for f in await every(self._store, LogFile, run.id) if f.path in scope.logs)
        later: dict[str, int] = {}
        for entry in await read_entries(self._store, self._start.root, self._start.n, None):
            for growth in (*entry.metrics, *entry.logs):
                later.setdefault(growth.id, growth.start)
        found.sort(key=lambda stream: stream.id)
        ends = [
            (stream, later.get(stream.id, _end(stream)))
            for stream in found
            if stream.id >= (self._start.stream or "")
        ]
        # A metric begins with its first point, so one without any at `n` came later; a log may be empty.
        return [(stream, end) for stream, end in ends if end or isinstance(stream, LogFile)]


def _end(record: Metric | LogFile) -> int:
    return record.count if isinstance(record, Metric) else record.size
