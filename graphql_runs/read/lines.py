"""Pages of a log's lines, forwards, backwards and from the end, as they were written or as a terminal shows them.

Both views are keyed by the byte offset at which a line starts. In the rendered view cursor moves reach the lines that start
in the same `CHUNK` bytes of the file (offset // CHUNK is equal), so that a page shows the same lines however one came to
it. A line that has no line feed yet counts. Text is UTF-8; what is not becomes U+FFFD.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.records import LogFile
from graphql_runs.model.time import Micros
from graphql_runs.read.levels import LogLevel, level_of, time_of
from graphql_runs.read.logtext import LogReader, RawLine
from graphql_runs.read.terminal import render
from graphql_runs.read.text import fold
from graphql_runs.store.port import Store

CHUNK = 1 << 16
PAGE_BYTES = 4 << 20
"""A page ends early when its text reaches this size."""
SCAN_BYTES = 16 << 20
"""A page ends early when so much of the file was looked at line by line; what a search can skip unseen counts an eighth."""
_WINDOW = 1 << 20


class LogView(StrEnum):
    """How bytes become lines."""

    RAW = "RAW"
    RENDERED = "RENDERED"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `offset` is the byte where it starts, `number` counts line feeds before it from 1. `continues`: the line is
    so long that it is given in pieces, and this is not the last one."""

    offset: int
    number: int
    text: str
    continues: bool = False

    @property
    def level(self) -> LogLevel | None:
        """What the line says of its seriousness."""
        return level_of(self.text)

    @property
    def at(self) -> Micros | None:
        """When the line says it was written."""
        return time_of(self.text)


@dataclass(frozen=True, slots=True)
class LinePage:
    """Lines in the order of the file. A page may hold fewer than asked for, even none, while `more_after` (or, walking
    backwards, `more_before`) is true: then the walk goes on at `reached`, the offset of the next line to look at."""

    lines: tuple[Line, ...]
    more_before: bool
    more_after: bool
    reached: int | None = None


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Lines that contain a text (ASCII letters in any case), and that are of one of the levels."""

    contains: str | None = None
    levels: frozenset[LogLevel] | None = None

    def holds(self, line: Line) -> bool:
        """True when the line is wanted."""
        if self.contains is not None and fold(self.contains) not in fold(line.text):
            return False
        return self.levels is None or line.level in self.levels

    def skips(self, data: bytes) -> bool:
        """True when no line of these raw bytes can be wanted. Rendering may join what controls tear apart."""
        if (
            self.contains is None
            or not self.contains.isascii()
            or any(control in data for control in (b"\r", b"\b", b"\x1b"))
        ):
            return False
        return self.contains.lower().encode() not in data.lower()


async def page_lines(
    store: Store,
    log: LogFile,
    view: LogView = LogView.RENDERED,
    *,
    first: int | None = None,
    last: int | None = None,
    after: int | None = None,
    before: int | None = None,
    wanted: LineFilter = LineFilter(),
) -> LinePage:
    """The first, or the last, so many wanted lines whose offset is greater than `after` and less than `before`.

    Raises InvalidInput unless exactly one of `first` and `last` is given.
    """
    if (first is None) == (last is None):
        raise InvalidInput("give one of first and last", field="first" if first is None else "last")
    text = LogReader(store, log)
    low = 0 if after is None else max(0, after + 1)
    high = log.size if before is None else min(before, log.size)
    if first is not None:
        return await _forward(text, view, low, high, first, wanted, after is not None)
    return await _backward(text, view, low, high, last or 0, wanted, before is not None)


async def _forward(
    text: LogReader, view: LogView, low: int, high: int, count: int, wanted: LineFilter, paged: bool
) -> LinePage:
    found: list[Line] = []
    size = scanned = 0
    async for start, end in _windows(text, low, high):
        lines = await _lines(text, view, start, end, wanted)
        for line in lines or ():
            if not (low <= line.offset < high and wanted.holds(line)):
                continue
            if len(found) == count or (found and size + len(line.text) > PAGE_BYTES):
                return LinePage(tuple(found), paged, True, line.offset)
            found.append(line)
            size += len(line.text)
        scanned += (end - start) if lines is not None else (end - start) // 8
        if scanned >= SCAN_BYTES and end < high:
            return LinePage(tuple(found), paged, True, end)
    return LinePage(tuple(found), paged, False)


async def _backward(
    text: LogReader, view: LogView, low: int, high: int, count: int, wanted: LineFilter, paged: bool
) -> LinePage:
    found: list[Line] = []
    size = scanned = 0
    async for start, end in _windows_back(text, low, high):
        lines = await _lines(text, view, start, end, wanted)
        for line in reversed(lines or ()):
            if not (low <= line.offset < high and wanted.holds(line)):
                continue
            if len(found) == count or (found and size + len(line.text) > PAGE_BYTES):
                return LinePage(tuple(reversed(found)), True, paged, line.offset + 1)
            found.append(line)
            size += len(line.text)
        scanned += (end - start) if lines is not None else (end - start) // 8
        if scanned >= SCAN_BYTES and start > low:
            return LinePage(tuple(reversed(found)), True, paged, start)
    return LinePage(tuple(reversed(found)), False, paged)


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


async def _lines(
    text: LogReader, view: LogView, start: int, end: int, wanted: LineFilter
) -> Sequence[Line] | None:
    """The lines of a window; None when it is plain that none of them is wanted."""
    if wanted.skips(await text.bytes(start, end)):
        return None
    raw = await text.lines(start, end)
    if view is LogView.RAW:
        return [Line(line.start, line.number, _text(line.data), line.continues) for line in raw]
    return [line for _, chunk in groupby(raw, lambda line: line.start // CHUNK) for line in _rendered(chunk)]


def _rendered(chunk: Iterable[RawLine]) -> Iterable[Line]:
    lines = list(chunk)
    continues = {line.start for line in lines if line.continues}
    for row in render(((line.start, line.number), _text(line.data)) for line in lines):
        offset, number = row.key
        yield Line(offset, number, row.text, offset in continues)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
