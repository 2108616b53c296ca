"""Reading what a journal entry or a backfill points at."""

from __future__ import annotations

from collections.abc import Mapping

from graphql_runs.live.scope import Scope
from graphql_runs.live.text import between
from graphql_runs.live.update import LogDelta, MetricDelta
from graphql_runs.model.change import Entry
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.read.points import nothing, read_points
from graphql_runs.store.port import Store, journal_of

_AT_ONCE = 1 << 20
"""Bytes of the journal that are asked for in one read."""
_PURGES_AT_ONCE = 4096
"""Entries that are looked through for purges in one go."""


class Lost(Exception):
    """The journal no longer has the entries that come next."""


async def read_entries(store: Store, root: str, n: int, most: int | None) -> list[Entry]:
    """The journal's entries from row `n` on, at most `most` of them. Raises Lost when there are some no more."""
    end = None if most is None else n + most
    entries: list[Entry] = []
    while True:
        row = n + len(entries)
        items = await store.read(journal_of(root), row, end=end, limit=_AT_ONCE)
        if items and items[0].start > row:
            raise Lost
        entries.extend(Entry.decode(item.data) for item in items)
        # Less than the limit means that the journal ended there.
        if sum(len(item.data) for item in items) < _AT_ONCE or (most is not None and len(entries) >= most):
            return entries


async def purged_since(store: Store, root: str, n: int) -> dict[str, int]:
    """Runs that entries from row `n` on purge, each with the row of the last such entry. Raises Lost."""
    found: dict[str, int] = {}
    row = n
    while entries := await read_entries(store, root, row, _PURGES_AT_ONCE):
        for at, entry in enumerate(entries, row):
            found |= dict.fromkeys(entry.purged, at)
        row += len(entries)
    return found


class Reading:
    """Reads deltas within a scope."""

    def __init__(self, store: Store, scope: Scope, points: bool) -> None:
        self._store = store
        self.scope = scope
        self.points = points

    async def metrics(self, ranges: Mapping[str, tuple[int, int]]) -> tuple[MetricDelta, ...]:
        """Points of these rows of metrics by id, of those that are in scope."""
        wanted = [] if self.scope.metrics.none else [id for id in ranges if self.scope.holds(id)]
        found = await self._store.get(Metric, wanted) if wanted else []
        asked = [metric for metric in found if metric is not None and metric.name in self.scope.metrics]
        return tuple([await self.metric(metric, *ranges[metric.id]) for metric in asked])

    async def metric(self, metric: Metric, start: int, end: int) -> MetricDelta:
        """Rows `[start, end)` of a metric."""
        if not self.points:
            return MetricDelta(metric, nothing(end), self.scope.run_id(metric.run))
        points = await read_points(self._store, metric.id, start, end)
        return MetricDelta(metric, points, self.scope.run_id(metric.run))

    async def logs(self, ranges: Mapping[str, tuple[int, int]]) -> tuple[LogDelta, ...]:
        """Text of these bytes of log files by id, of those that are in scope."""
        wanted = [] if self.scope.logs.none else [id for id in ranges if self.scope.holds(id)]
        found = await self._store.get(LogFile, wanted) if wanted else []
        asked = [log for log in found if log is not None and log.path in self.scope.logs]
        return tuple([await self.log(log, *ranges[log.id]) for log in asked])

    async def log(self, log: LogFile, start: int, end: int) -> LogDelta:
        """Bytes `[start, end)` of a log file as text, on character bounds."""
        low = max(start - 3, 0)
        items = await self._store.read(log.id, low, end=end) if low < end else []
        parts = [item.data[max(low - item.start, 0) : max(end - item.start, 0)] for item in items]
        held, data = between(b"".join(parts), start - low)
        text = data.decode("utf-8", "replace")
        return LogDelta(log, start - held, len(data), text, self.scope.run_id(log.run))
