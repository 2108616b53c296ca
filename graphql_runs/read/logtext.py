"""A log's bytes as raw lines, found from any offset without reading the whole file.

A line starts at 0 and after every line feed. A line of more than `CUT` bytes is cut into pieces that count as lines of the
same number: a multiple of CUT starts one if no line feed lies there or in the CUT bytes before it. So where lines start
depends on the nearby bytes only, and never changes while a file grows.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphql_runs.model.records import LogFile
from graphql_runs.store.port import Item, Store

CUT = 1 << 20
_NEAR = 1 << 16


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line (or piece) at bytes `[start, end)`, its line feed included if it has one. `number` counts from 1."""

    start: int
    end: int
    number: int
    data: bytes
    """Without the line feed."""
    continues: bool
    """The same line goes on in the next piece."""


class LogReader:
    """Reads one log file up to the size that its record had. Keeps the window read last, so that looking around is cheap."""

    def __init__(self, store: Store, log: LogFile) -> None:
        self._store = store
        self._log = log
        self._items: list[Item] = []
        self._start = 0
        self._data = b""
        self.size = log.size

    async def load(self, start: int, end: int) -> None:
        """Have bytes `[start, end)` at hand."""
        start, end = max(0, start), min(end, self.size)
        if start >= end or (self._start <= start and end <= self._start + len(self._data)):
            return
        self._items = await self._store.read(self._log.id, start, end=end)
        self._start = self._items[0].start if self._items else start
        self._data = b"".join([item.data for item in self._items])

    async def bytes(self, start: int, end: int) -> bytes:
        """Bytes `[start, end)`, as far as there are any."""
        start, end = max(0, start), min(end, self.size)
        if start >= end:
            return b""
        await self.load(start, end)
        return self._data[start - self._start : end - self._start]

    async def feeds_before(self, start: int) -> int:
        """How many line feeds come before an offset: the items know it of their first byte."""
        if start >= self.size:
            return self._log.lines
        await self.load(start, start + 1)
        item = next(item for item in self._items if item.start <= start < item.end)
        return item.mark + item.data.count(b"\n", 0, start - item.start)

    async def last_start(self, offset: int) -> int:
        """The greatest line start that is not beyond an offset."""
        base = offset // CUT * CUT
        low = max(0, base - CUT)
        for start in dict.fromkeys((max(low, offset - _NEAR), low)):
            found = (await self.bytes(start, offset)).rfind(b"\n")
            if found >= 0:
                # Either behind `base`, or what keeps `base` from being a cut.
                return start + found + 1
        if offset == base > 0 and await self.bytes(base, base + 1) == b"\n":
            return await self.last_start(base - 1)
        return base

    async def line_end(self, start: int) -> int:
        """Where the line that starts there ends: after its line feed, at the cut, or at the end of the file."""
        limit = _limit(start)
        at = start
        for step in (_NEAR, CUT * 2 + 1):
            end = min(limit + 1, at + step)
            found = (await self.bytes(at, end)).find(b"\n")
            if found >= 0:
                return at + found + 1
            at = end
        return min(limit, self.size)

    async def first_start(self, offset: int) -> int:
        """The least line start that is not before an offset; the file's size when there is none."""
        if offset >= self.size:
            return self.size
        last = await self.last_start(offset)
        return last if last == offset else await self.line_end(last)

    async def lines(self, start: int, end: int) -> list[RawLine]:
        """The lines between two line starts (or the end of the file), in order."""
        data = await self.bytes(start, end)
        number = await self.feeds_before(start) + 1 if data else 1
        found: list[RawLine] = []
        at = start
        for text in data.split(b"\n"):
            stop = at + len(text)
            while stop - at >= CUT and (limit := _limit(at)) <= stop:
                if limit == stop < end:
                    # The line feed stands where the cut would be.
                    break
                found.append(RawLine(at, limit, number, text[: limit - at], limit < self.size))
                text, at = text[limit - at :], limit
            if stop < end:
                found.append(RawLine(at, stop + 1, number, text, False))
            elif text:
                found.append(RawLine(at, stop, number, text, False))
            at = stop + 1
            number += 1
        return found


def _limit(start: int) -> int:
    """Where a line that starts there is cut if no line feed comes before."""
    return (-(-start // CUT) + 1) * CUT
