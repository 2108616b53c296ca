"""What a log says at a moment: of the clock, or of a step of a metric."""

from __future__ import annotations

import numpy as np

from graphql_runs.model.change import Entry
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.time import Micros
from graphql_runs.read.budget import Budget
from graphql_runs.read.clock import Clock
from graphql_runs.read.lines import LinePage, LogView, Pager
from graphql_runs.read.logtext import LogReader
from graphql_runs.read.series import steps_or_rows
from graphql_runs.read.wanted import EVERYTHING
from graphql_runs.store import segment
from graphql_runs.store.port import Store, journal_of

_POINTS = 4 << 20
"""Bytes of points that are read at once."""
_ENTRIES = 2000
"""Journal entries that are looked at for one that tells of a log."""


async def time_of_step(store: Store, metric: Metric, step: float) -> Micros | None:
    """When the point of a metric was logged whose step is nearest; the last one where a step came again. None without points."""
    best: tuple[float, Micros] | None = None
    end = metric.count
    while end > 0 and (items := await store.read_back(metric.id, end, limit=_POINTS)):
        for item in reversed(items):
            points = segment.decode(item.start, item.data)
            far = np.abs(steps_or_rows(points).astype(np.float64) - step)[: end - points.start]
            row = len(far) - 1 - int(np.argmin(far[::-1])) if len(far) else -1
            if row >= 0 and (best is None or far[row] < best[0]):
                best = float(far[row]), int(points.at[row])
            if best is not None and best[0] == 0:
                return best[1]
            end = points.start
    return None if best is None else best[1]


async def place_of_time(store: Store, log: LogFile, moment: Micros, near: Micros | None) -> int:
    """Where the first line starts that was written at a moment or later; the file's size when there is none.

    By the times that the lines give, taken to be in order; by their arrival in a log without times.
    """
    text = LogReader(store, log)
    clock = Clock(text, near)
    if await clock.timed():
        return await clock.first_at(moment)
    return await text.first_start(await _arrived(store, log, moment))


async def lines_around(
    store: Store,
    log: LogFile,
    moment: Micros,
    *,
    near: Micros | None,
    before: int,
    after: int,
    view: LogView = LogView.RENDERED,
    spans: bool = False,
) -> tuple[LinePage, int | None]:
    """The last `before` lines that were written before a moment, and the first `after` from then on; and the offset of the
    first of these, if there is one."""
    place = await place_of_time(store, log, moment, near)
    pager = Pager(LogReader(store, log), view, EVERYTHING, Budget(), spans)
    above = await pager.backward(0, place, before)
    below = await pager.forward(place, log.size, after)
    # A line that was cut off a page by its length has been left out on the far side.
    page = LinePage((*above.lines, *below.lines), above.more_before, below.more_after)
    return page, below.lines[0].offset if below.lines else None


async def _arrived(store: Store, log: LogFile, moment: Micros) -> int:
    """The first byte of a log that came in at a moment or later, by the journal of its tree."""
    journal = journal_of(log.root)
    [end] = await store.ends([journal])
    first = await _entry(store, journal, 0)
    low, high = 0 if first is None else first[0], end
    while low < high:
        middle = (low + high) // 2
        found = await _entry(store, journal, middle)
        if found is None or found[1].at >= moment:
            high = middle
        else:
            low = middle + 1
    items = await store.read(journal, low, end=min(end, low + _ENTRIES)) if low < end else []
    for item in items:
        for growth in Entry.decode(item.data).logs:
            if growth.id == log.id:
                return growth.start
    if low + _ENTRIES >= end:
        return log.size
    # The log was silent for long; what it said last before then is next to the moment.
    for item in reversed(await store.read(journal, max(0, low - _ENTRIES), end=low)):
        for growth in Entry.decode(item.data).logs:
            if growth.id == log.id:
                return growth.end
    return log.size


async def _entry(store: Store, journal: str, row: int) -> tuple[int, Entry] | None:
    items = await store.read(journal, row, limit=1)
    return (items[0].start, Entry.decode(items[0].data)) if items else None
