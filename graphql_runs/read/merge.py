"""Lines of many log files as one list: file after file, or merged by time.

Merged, each file stays in its own order, and of the next lines of all files the earliest comes first; a line without a time
counts with the nearest one above it, and a file without times comes before all others. A place in the list is an offset in
every file, so pages neither skip nor repeat a line while files grow, whatever their times are.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from graphql_runs.model.time import Micros
from graphql_runs.read.budget import Budget
from graphql_runs.read.clock import Clock
from graphql_runs.read.lines import PAGE_BYTES, Line, LogView, Pager
from graphql_runs.read.logtext import LogReader
from graphql_runs.read.treelogs import TreeLog
from graphql_runs.read.wanted import LineFilter
from graphql_runs.store.port import Store

AT_ONCE = 8
"""Files that are read at the same time."""
_FILL = 64
_EVER = 1 << 62


@dataclass(slots=True)
class Stream:
    """The wanted lines of one file that start in `[low, high)`. What was walked over shrinks the range; lines that were found
    and not taken yet wait in `waiting`, in the order of the walk."""

    index: int
    file: TreeLog
    low: int
    high: int
    waiting: deque[tuple[Micros, Line]] = field(default_factory=deque)

    @property
    def done(self) -> bool:
        """No more lines will be found."""
        return self.low >= self.high

    def next_place(self, back: bool) -> int:
        """The offset that parts what was taken (and passed over) from what is left."""
        if not self.waiting:
            return self.high if back else self.low
        offset = self.waiting[0][1].offset
        return offset + 1 if back else offset


@dataclass(slots=True)
class Taken:
    """Lines taken from the streams, in the order of the walk. `more`: there are, or may be, others."""

    lines: list[tuple[Stream, Line]]
    more: bool


@dataclass(slots=True)
class Merger:
    """Takes the first, or walking back the last, lines of streams."""

    store: Store
    wanted: LineFilter
    budget: Budget
    back: bool
    spans: bool = False
    timed: bool = True
    _size: int = 0
    _page_bytes: int | None = None

    async def by_time(self, streams: Sequence[Stream], count: int) -> Taken:
        """Merged by time."""
        # Each stream's lines wait until their turn comes, so that all share the room of a page.
        self._page_bytes = max(1 << 16, PAGE_BYTES // max(1, len(streams)))
        at_once = max(1, min(count, _FILL))
        await in_turns(partial(self._fill, stream, at_once) for stream in streams)
        taken = Taken([], False)
        if any(self._starved(stream) for stream in streams):
            return Taken([], True)
        heads = [self._head(stream) for stream in streams if stream.waiting]
        heapq.heapify(heads)
        while heads:
            stream = streams[abs(heads[0][1])]
            if not self._take(stream, taken, count):
                return Taken(taken.lines, True)
            await self._fill(stream, at_once)
            if self._starved(stream):
                return Taken(taken.lines, True)
            if stream.waiting:
                heapq.heapreplace(heads, self._head(stream))
            else:
                heapq.heappop(heads)
        return taken

    async def by_file(self, streams: Sequence[Stream], count: int) -> Taken:
        """File after file."""
        taken = Taken([], False)
        ordered = list(reversed(streams)) if self.back else list(streams)
        for first in range(0, len(ordered), AT_ONCE):
            some = ordered[first : first + AT_ONCE]
            await in_turns(partial(self._fill, stream, count + 1 - len(taken.lines)) for stream in some)
            for stream in some:
                while stream.waiting:
                    if not self._take(stream, taken, count):
                        return Taken(taken.lines, True)
                    await self._fill(stream, count + 1 - len(taken.lines))
                if self._starved(stream):
                    return Taken(taken.lines, True)
        return taken

    def _take(self, stream: Stream, taken: Taken, count: int) -> bool:
        """Take a stream's next line, if the page has room for it."""
        line = stream.waiting[0][1]
        self._size += len(line.text)
        if len(taken.lines) >= count or (taken.lines and self._size > PAGE_BYTES):
            return False
        stream.waiting.popleft()
        taken.lines.append((stream, line))
        return True

    def _head(self, stream: Stream) -> tuple[Micros, int]:
        at = stream.waiting[0][0]
        return (-at, -stream.index) if self.back else (at, stream.index)

    def _starved(self, stream: Stream) -> bool:
        """It may have lines, and the budget did not reach to find the next."""
        return not stream.waiting and not stream.done

    async def _fill(self, stream: Stream, count: int) -> None:
        """Find a stream's next lines, unless some wait or the budget is over."""
        # Nothing but a walk costs; the reader goes with its window as soon as this is done.
        while not stream.waiting and not stream.done:
            text = LogReader(self.store, stream.file.log)
            pager = Pager(text, LogView.RENDERED, self.wanted, self.budget, self.spans, self._page_bytes)
            if self.back:
                page = await pager.backward(stream.low, stream.high, count)
                stream.high = page.reached if page.more_before and page.reached is not None else stream.low
            else:
                page = await pager.forward(stream.low, stream.high, count)
                stream.low = page.reached if page.more_after and page.reached is not None else stream.high
            clock = Clock(LogReader(self.store, stream.file.log), stream.file.near)
            for line in reversed(page.lines) if self.back else page.lines:
                at = await clock.at(line.offset, line.text) if self.timed else None
                stream.waiting.append((-_EVER if at is None else at, line))
            if self.budget.over:
                return


async def in_turns(work: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Do all of it, some at once. The first error, and being cancelled, ends the rest."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(part: Callable[[], Awaitable[None]]) -> None:
        async with turns:
            await part()

    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(one(part))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
