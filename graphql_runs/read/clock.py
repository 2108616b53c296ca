"""The times of a log's lines: those that lines give, those that lines without one take over, and places found by time."""

from __future__ import annotations

from graphql_runs.model.time import Micros
from graphql_runs.read.logtext import LogReader
from graphql_runs.read.stamps import time_of
from graphql_runs.read.wanted import bare

REACH = 1 << 14
"""Bytes above a line without a time of its own in which one is looked for."""
_STEP = 1 << 16
_FAR = 1 << 18
"""Bytes in which a line with a time is looked for; after so many without one they count as later."""
_SHOWN = 256
"""Bytes of a line that are looked at; a JSON line is looked at whole."""


class Clock:
    """The times of one log file. `near` decides the year where lines give none."""

    def __init__(self, text: LogReader, near: Micros | None) -> None:
        self._text = text
        self._near = near

    async def at(self, offset: int, text: str) -> Micros | None:
        """When the line that starts at an offset was written: by itself, else by the nearest line above that has a time."""
        own = time_of(text, self._near)
        if own is not None:
            return own
        low = max(0, offset - REACH)
        data = await self._text.bytes(low, offset)
        end = len(data) - 1
        while end > 0:
            begin = data.rfind(b"\n", 0, end) + 1
            if (found := self._of(data[begin:end])) is not None and (begin or low == 0):
                return found
            end = begin - 1
        return None

    async def first_at(self, moment: Micros) -> int:
        """Where the first line starts whose time is not before a moment; the file's size when there is none.

        Taken to be in order of time, lines are found in as many steps as the size has binary digits.
        """
        low, high = 0, self._text.size
        while high - low > _STEP:
            half = (low + high) // 2
            found = await self._next(await self._text.first_start(half), min(high, half + _FAR))
            if found is None or found[1] >= moment:
                high = half
            else:
                low = found[0]
        end = min(self._text.size, high + _FAR)
        while (found := await self._next(low, end)) is not None:
            if found[1] >= moment:
                return found[0]
            low = await self._text.line_end(found[0])
        return await self._text.first_start(end)

    async def timed(self) -> bool:
        """Whether lines have times, told by the beginning of the file and its end."""
        end = await self._text.first_start(max(0, self._text.size - _STEP))
        return (await self._next(0, _STEP) or await self._next(end, self._text.size)) is not None

    async def _next(self, start: int, end: int) -> tuple[int, Micros] | None:
        """The first line that starts at a line start or after it, before `end`, and gives a time: its place and time."""
        while start < min(end, self._text.size):
            data = await self._text.bytes(start, start + _STEP)
            if not data:
                # It was purged meanwhile.
                return None
            place = 0
            while place < len(data) and start + place < end:
                stop = data.find(b"\n", place)
                stop = len(data) if stop < 0 else stop
                if (found := self._of(data[place:stop])) is not None:
                    return start + place, found
                place = stop + 1
            start = await self._text.first_start(start + len(data))
        return None

    def _of(self, line: bytes) -> Micros | None:
        if not line:
            return None
        line = bare(line[:_SHOWN] if not line.startswith(b"{") else line)
        return time_of(line.decode("utf-8", "replace"), self._near)
