"""Pages of a log's lines, forwards, backwards and from the end, as they were written or as a terminal shows them.

Both views are keyed by the byte offset at which a line starts. In the rendered view cursor moves reach the lines that start
in the same `CHUNK` bytes of the file (offset // CHUNK is equal), so that a page shows the same lines however one came to
it. A line that has no line feed yet counts. Text is UTF-8; what is not becomes U+FFFD.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.records import LogFile
from graphql_runs.model.time import Micros
from graphql_runs.read.ansi import Span
from graphql_runs.read.budget import Budget
from graphql_runs.read.levels import LogLevel, level_of
from graphql_runs.read.logtext import LogReader, RawLine, cuts
from graphql_runs.read.stamps import time_of
from graphql_runs.read.terminal import render
from graphql_runs.read.wanted import EVERYTHING, LineFilter, bare, plain
from graphql_runs.store.port import Store

CHUNK = 1 << 16
PAGE_BYTES = 4 << 20
"""A page ends early when its text reaches this size."""
_WINDOW = 1 << 21


class LogView(StrEnum):
    """How bytes become lines."""

    RAW = "RAW"
    RENDERED = "RENDERED"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `offset` is the byte where it starts, `number` counts line feeds before it from 1. `continues`: the line is
    so long that it is given in pieces, and this is not the last one. `spans` are empty unless they were asked for."""

    offset: int
    number: int
    text: str
    continues: bool = False
    spans: tuple[Span, ...] = ()

    @property
    def level(self) -> LogLevel | None:
        """What the line says of its seriousness."""
        return level_of(self.text)

    @property
    def at(self) -> Micros | None:
        """When the line says it was written."""
        return time_of(self.text)

    def time(self, near: Micros | None) -> Micros | None:
        """The same; a moment that is near decides the year where the line gives none."""
        return time_of(self.text, near)


@dataclass(frozen=True, slots=True)
class LinePage:
    """Lines in the order of the file. A page may hold fewer than asked for, even none, while `more_after` (or, walking
    backwards, `more_before`) is true: then the walk goes on at `reached`, the offset of the next line to look at."""

    lines: tuple[Line, ...]
    more_before: bool
    more_after: bool
    reached: int | None = None


async def page_lines(
    store: Store,
    log: LogFile,
    view: LogView = LogView.RENDERED,
    *,
    first: int | None = None,
    last: int | None = None,
    after: int | None = None,
    before: int | None = None,
    wanted: LineFilter = EVERYTHING,
    spans: bool = False,
) -> LinePage:
    """The first, or the last, so many wanted lines whose offset is greater than `after` and less than `before`.

    Raises InvalidInput unless exactly one of `first` and `last` is given.
    """
    if (first is None) == (last is None):
        raise InvalidInput("give one of first and last", field="first" if first is None else "last")
    pager = Pager(LogReader(store, log), view, wanted, Budget(), spans)
    low = 0 if after is None else max(0, after + 1)
    high = log.size if before is None else min(before, log.size)
    if first is not None:
        return await pager.forward(low, high, first, paged=after is not None)
    return await pager.backward(low, high, last or 0, paged=before is not None)


@dataclass(slots=True)
class Pager:
    """Walks one log file both ways."""

    text: LogReader
    view: LogView
    wanted: LineFilter
    budget: Budget
    spans: bool = False
    page_bytes: int | None = None

    async def forward(self, low: int, high: int, count: int, *, paged: bool = True) -> LinePage:
        """The first `count` wanted lines that start in `[low, high)`."""
        found: list[Line] = []
        size = 0
        most = self.page_bytes or PAGE_BYTES
        async for start, end in _windows(self.text, low, high):
            for line in await self._window(start, end, low, high, count - len(found) + 1):
                if not (low <= line.offset < high and self.wanted.holds(line)):
                    continue
                if len(found) == count or (found and size + len(line.text) > most):
                    return LinePage(tuple(found), paged, True, line.offset)
                found.append(line)
                size += len(line.text)
            if self.budget.over and end < high:
                return LinePage(tuple(found), paged, True, end)
        return LinePage(tuple(found), paged, False)

    async def backward(self, low: int, high: int, count: int, *, paged: bool = True) -> LinePage:
        """The last `count` wanted lines that start in `[low, high)`."""
        found: list[Line] = []
        size = 0
        most = self.page_bytes or PAGE_BYTES
        async for start, end in _windows_back(self.text, low, high):
            for line in reversed(await self._window(start, end, low, high, len(found) - count - 1)):
                if not (low <= line.offset < high and self.wanted.holds(line)):
                    continue
                if len(found) == count or (found and size + len(line.text) > most):
                    return LinePage(tuple(reversed(found)), True, paged, line.offset + 1)
                found.append(line)
                size += len(line.text)
            if self.budget.over and start > low:
                return LinePage(tuple(reversed(found)), True, paged, start)
        return LinePage(tuple(reversed(found)), False, paged)

    async def _window(self, start: int, end: int, low: int, high: int, count: int) -> Sequence[Line]:
        """The lines of a window that may be wanted; of those in `[low, high)` no more than the first `count`, or the last
        where it is negative, need be there."""
        data = await self.text.bytes(start, end)
        shown = self.view is LogView.RAW or plain(data)
        if cuts(data, start) or (self.wanted.everything and not shown):
            self.budget.spend(len(data), skipped=False)
            return await self._all(start, end)
        if self.wanted.everything:
            self.budget.spend(len(data), skipped=False)
            return await self._few(data, start, low, high, count)
        if shown:
            return await self._some(data, start)
        found: list[Line] = []
        for begin, stop in _chunks(data, start):
            part = data[begin - start : stop - start]
            if plain(part):
                found += await self._some(part, begin)
            elif self._hidden(part):
                self.budget.spend(len(part), skipped=True)
            else:
                self.budget.spend(len(part), skipped=False)
                found += await self._all(begin, stop)
        return found

    def _hidden(self, chunk: bytes) -> bool:
        """True when controls do nothing but colour the lines of a chunk, and none of these is wanted."""
        shown = bare(chunk)
        if not plain(shown) or (places := self.wanted.places(shown)) is None:
            return False
        return next(places, None) is None

    async def _some(self, data: bytes, start: int) -> list[Line]:
        """Of lines that are shown as they were written those that may be wanted."""
        places = self.wanted.places(data)
        if places is None:
            self.budget.spend(len(data), skipped=False)
            return await self._all(start, start + len(data))
        found: list[Line] = []
        counted, end, number = 0, -1, 0
        for place in places:
            if place <= end:
                continue
            begin = data.rfind(b"\n", 0, place) + 1
            if begin >= len(data):
                break
            end = data.find(b"\n", place)
            end = len(data) if end < 0 else end
            number = number or await self.text.feeds_before(start) + 1
            number += data.count(b"\n", counted, begin)
            counted = begin
            found.append(Line(start + begin, number, _text(data[begin:end])))
        self.budget.spend(len(data), skipped=True)
        return found

    async def _few(self, data: bytes, start: int, low: int, high: int, count: int) -> list[Line]:
        """The first or the last lines in a range, of bytes that are shown as they were written."""
        # To the starts of lines: of the first from `low` on, and of the first from `high` on.
        begin, end = (_line_start(data, offset - start) for offset in (low, high))
        if count < 0:
            begin = max(begin, _feed_back(data, end, -count))
        number = await self.text.feeds_before(start) + 1 + data.count(b"\n", 0, begin) if begin < end else 0
        found: list[Line] = []
        while begin < end and (count < 0 or len(found) < count):
            stop = data.find(b"\n", begin)
            stop = len(data) if stop < 0 else stop
            found.append(Line(start + begin, number, _text(data[begin:stop])))
            begin, number = stop + 1, number + 1
        return found

    async def _all(self, start: int, end: int) -> list[Line]:
        raw = await self.text.lines(start, end)
        if self.view is LogView.RAW:
            return [Line(line.start, line.number, _text(line.data), line.continues) for line in raw]
        found: list[Line] = []
        for _, chunk in groupby(raw, lambda line: line.start // CHUNK):
            found += _rendered(chunk, self.spans)
            # A window takes tens of milliseconds; others have their turn in between.
            await asyncio.sleep(0)
        return found


def _line_start(data: bytes, place: int) -> int:
    """The first line start at a place of a window or after it; a window begins with one."""
    if place <= 0:
        return 0
    feed = data.find(b"\n", place - 1)
    return len(data) if feed < 0 else feed + 1


def _feed_back(data: bytes, end: int, count: int) -> int:
    """Where the last `count` lines before a line start begin."""
    begin = end
    for _ in range(count):
        if begin <= 0:
            return 0
        begin = data.rfind(b"\n", 0, begin - 1) + 1
    return begin


def _chunks(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """The parts of a window whose lines start in the same chunk."""
    begin, end = start, start + len(data)
    while begin < end:
        edge = (begin // CHUNK + 1) * CHUNK
        stop = end
        if edge < end:
            feed = data.find(b"\n", edge - 1 - start)
            stop = end if feed < 0 else start + feed + 1
        yield begin, stop
        begin = stop


async def _windows(text: LogReader, low: int, high: int) -> AsyncIterator[tuple[int, int]]:
    """Whole chunks of lines from the one around `low` to the one around `high`, ascending; small ones first."""
    step = CHUNK
    start = await text.first_start(await _chunk_of(text, low))
    while start < high:
        # Beyond the last line of a chunk that a long line fills, the next chunk begins later.
        edge = (start // CHUNK) * CHUNK + step
        await text.load(start, edge + CHUNK)
        end = await text.first_start(edge)
        yield start, end
        start, step = end, min(_WINDOW, step * 4)


async def _windows_back(text: LogReader, low: int, high: int) -> AsyncIterator[tuple[int, int]]:
    """The same, descending."""
    if high <= low:
        return
    step = CHUNK
    end = await text.first_start(await _chunk_of(text, high - 1) + CHUNK)
    floor = await _chunk_of(text, low)
    while end > floor:
        edge = max(floor, await _chunk_of(text, end - 1) - step + CHUNK)
        await text.load(edge - CHUNK, end)
        start = await text.first_start(edge)
        yield start, end
        if start == 0:
            return
        end, step = start, min(_WINDOW, step * 4)


async def _chunk_of(text: LogReader, offset: int) -> int:
    """Where the chunk begins that the line around an offset belongs to."""
    return await text.last_start(min(offset, text.size)) // CHUNK * CHUNK


def _rendered(chunk: Iterable[RawLine], spans: bool) -> Iterable[Line]:
    lines = list(chunk)
    continues = {line.start for line in lines if line.continues}
    for row in render((((line.start, line.number), _text(line.data)) for line in lines), spans=spans):
        offset, number = row.key
        yield Line(offset, number, row.text, offset in continues, row.spans)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
