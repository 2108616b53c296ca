"""A log's bytes as raw lines, found from any offset without reading the whole file.

A line starts at 0 and after every line feed. A line of more than `CUT` bytes is cut into pieces that count as lines of the
same number: a multiple of CUT starts one if no line feed lies there or in the CUT bytes before it. So where lines start
depends on the nearby bytes only, and never changes while a file grows. A character that a cut tears belongs to the piece in
which it begins.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from graphql_runs.model.errors import NotFound
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
    """Without the line feed; of a piece, whole characters."""
    continues: bool
    """The same line goes on in the next piece."""


_decoder = codecs.getincrementaldecoder("utf-8")


def torn(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character that is not complete: 0 to 3."""
    decoder = _decoder("replace")
    decoder.decode(data[-3:])
    return len(decoder.getstate()[0])


class LogReader:
    """Reads one log file up to the size that its record had. Keeps the window read last, so that looking around is cheap."""

    def __init__(self, store: Store, log: LogFile) -> None:
        self._store = store
        self.log = log
        self._items: list[Item] = []
        self._start = 0
        self._data = b""
        self.size = log.size

    async def load(self, start: int, end: int) -> None:
        """Have bytes `[start, end)` at hand."""
        start, end = max(0, start), min(end, self.size)
        if start >= end or (self._start <= start and end <= self._start + len(self._data)):
            return
        self._items = await self._store.read(self.log.id, start, end=end)
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
            return self.log.lines
        await self.load(start, start + 1)
        item = next((item for item in self._items if item.start <= start < item.end), None)
        if item is None:
            raise NotFound(f"log {self.log.path!r} was purged while it was read")
        place, end = start - item.start, self.size - item.start
        if end <= len(item.data) and end - place < place:
            # Near the end of the file it is quicker to count what comes after.
            return self.log.lines - item.data.count(b"\n", place, end)
        return item.mark + item.data.count(b"\n", 0, place)

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
                piece = await _whole(self, text[: limit - at], at, limit)
                found.append(RawLine(at, limit, number, piece, limit < self.size))
                text, at = text[limit - at :], limit
            if stop < end or text:
                if at % CUT == 0:
                    text = text[await _lead(self, at, text) :]
                found.append(RawLine(at, min(stop + 1, end), number, text, False))
            at = stop + 1
            number += 1
        return found


def cuts(data: bytes, start: int) -> bool:
    """Whether some of these bytes, which begin at a line start, belong to a line that is given in pieces."""
    if start and start % CUT == 0 and data and data[0] & 0xC0 == 0x80:
        return True
    return any(data.rfind(b"\n", max(0, cut - CUT), cut + 1) < 0 for cut in _cuts(start, len(data)))


async def _whole(text: LogReader, piece: bytes, start: int, end: int) -> bytes:
    """A piece that is cut at `end`, without what ends a character before it and with what ends its last one."""
    lead = await _lead(text, start, piece)
    if (begun := torn(piece)) == 0:
        return piece[lead:]
    after = await text.bytes(end, end + 3)
    return piece[lead:] + after[: _missing(piece[-begun:], after)]


async def _lead(text: LogReader, start: int, piece: bytes) -> int:
    """How many bytes at a cut end a character of the piece before."""
    if start == 0 or start % CUT or not piece or piece[0] & 0xC0 != 0x80:
        return 0
    before = await text.bytes(start - 3, start)
    begun = torn(before)
    return _missing(before[-begun:], piece) if begun else 0


def _cuts(start: int, length: int) -> Iterator[int]:
    """The multiples of CUT inside of a window, counted from its start."""
    return iter(range(_limit(start) - CUT - start or CUT, length + 1, CUT))


def _missing(begun: bytes, after: bytes) -> int:
    """How many bytes more a character takes that was begun; all of `after` that could be part of it when it is never ended."""
    decoder = _decoder("replace")
    decoder.decode(begun)
    for count, byte in enumerate(after[:3], 1):
        if byte & 0xC0 != 0x80:
            return count - 1
        decoder.decode(bytes([byte]))
        if not decoder.getstate()[0]:
            return count
    return len(after[:3])


def _limit(start: int) -> int:
    """Where a line that starts there is cut if no line feed comes before."""
    return (-(-start // CUT) + 1) * CUT
