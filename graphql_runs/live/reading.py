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


async def read_entries(store: Store, root: str, n: int, most: int | None) -> list[Entry]:
    """The journal's entries from row `n` on, at most `most` of them."""
    end = None if most is None else n + most
    entries: list[Entry] = []
    while True:
        items = await store.read(journal_of(root), n + len(entries), end=end, limit=_AT_ONCE)
        entries.extend(Entry.decode(item.data) for item in items)
        # Less than the limit means that the journal ended there.
        if sum(len(item.data) for item in items) < _AT_ONCE or (most is not None and len(entries) >= most):
            return entries


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
            return MetricDelta(metric, nothing(end))
        return MetricDelta(metric, await read_points(self._store, metric.id, start, end))

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
        return LogDelta(log, start - held, len(data), data.decode("utf-8", "replace"))
