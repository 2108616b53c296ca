"""Following one log file as a terminal shows it: its last lines, then what is added, and what is drawn anew.

A progress bar is the same line again and again, and cursor moves may change lines above; they reach the lines of the same
chunk (`read.lines.CHUNK`). So the chunk that the file ended in is rendered as it was and as it is, and what differs is told:
`replace_from` is the first line that is no longer right. Nothing else has to be remembered, so a cursor is an offset.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from graphql_runs.live.hub import Hub
from graphql_runs.live.update import Gap
from graphql_runs.model import ids
from graphql_runs.model.cursor import LogCursor
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.records import LogFile
from graphql_runs.model.run import Run
from graphql_runs.read.lines import CHUNK, Line, page_lines
from graphql_runs.read.logtext import LogReader
from graphql_runs.store.port import Store

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class LogUpdate:
    """One message of a followed log file. With `cursor` another follower continues exactly after it.

    replace_from: forget the lines that start at this byte or later; None when what is held stays right.
    reset:        forget all lines held; the last ones come again.
    lines:        to be put behind the lines that stay.
    """

    run: Run
    log: LogFile
    cursor: str
    caught_up: bool
    reset: bool
    replace_from: int | None
    lines: tuple[Line, ...]
    gap: Gap | None = None


async def follow_log(
    store: Store,
    hub: Hub,
    run: Run,
    path: str,
    *,
    after: str | None = None,
    tail: int = 100,
    throttle: float = 0.1,
) -> AsyncGenerator[LogUpdate]:
    """The lines of a run's log file, rendered. The file need not be there yet.

    after:    the cursor of an earlier message; without it the last `tail` lines come first.
    throttle: least seconds between two messages once caught up; the first change after a pause goes out at once.

    Ends when the server closes. Raises InvalidInput for a cursor that is not one of this log file.
    """
    if not 0 <= throttle <= 3600:
        raise InvalidInput("throttle is from 0 to 3600 seconds", field="throttle")
    if tail < 0:
        raise InvalidInput("tail is not negative", field="tail")
    cursor = None if after is None else LogCursor.decode(after)
    if cursor is not None and cursor.log != ids.log_id(run.id, path):
        raise InvalidInput("after is a cursor of another log file", field="after")
    async with hub.watch(run.root) as signal:
        follower = _Follower(store, run, LogFile(ids.log_id(run.id, path), run.id, run.root, path))
        yield await follower.start(cursor, tail)
        while not signal.closed:
            update = await follower.look()
            if update is not None:
                yield update
            if update is None or update.caught_up:
                await signal.pause(0 if update is None else throttle)
                await signal.wait()


class _Follower:
    def __init__(self, store: Store, run: Run, log: LogFile) -> None:
        self._store = store
        self._run = run
        self._log = log
        self._offset = 0

    async def start(self, cursor: LogCursor | None, tail: int) -> LogUpdate:
        """The last lines, or where one stands."""
        await self._refresh()
        gap = None if cursor is None else self._lost(cursor)
        if cursor is not None and gap is None:
            self._offset = cursor.offset
            return self._update((), None)
        self._offset = self._log.size
        return replace(self._update(await self._tail(tail), None), reset=gap is not None, gap=gap)

    async def look(self) -> LogUpdate | None:
        """What became of the lines since the offset, up to the end of the chunk; None when nothing did."""
        await self._refresh()
        if self._log.size <= self._offset:
            return None
        reader = LogReader(self._store, self._log)
        start = await reader.last_start(self._offset) // CHUNK * CHUNK
        end = min(self._log.size, await reader.first_start(start + CHUNK))
        before = await self._lines(replace(self._log, size=self._offset), start, self._offset)
        lines = await self._lines(self._log, start, end)
        same = 0
        while same < min(len(before), len(lines)) and before[same] == lines[same]:
            same += 1
        self._offset = end
        return self._update(tuple(lines[same:]), before[same].offset if same < len(before) else None)

    async def _refresh(self) -> None:
        [found] = await self._store.get(LogFile, [self._log.id])
        self._log = found or self._log

    async def _lines(self, log: LogFile, start: int, end: int) -> list[Line]:
        """The lines that start within these bytes, as they are rendered at the size of the record."""
        found: list[Line] = []
        after = start - 1
        while after < end - 1:
            page = await page_lines(self._store, log, first=_PAGE, after=after, before=end, spans=True)
            found += page.lines
            if not page.more_after or page.reached is None:
                break
            after = page.reached - 1
        return found

    async def _tail(self, count: int) -> tuple[Line, ...]:
        found: list[Line] = []
        before: int | None = None
        while len(found) < count:
            page = await page_lines(
                self._store, self._log, last=count - len(found), before=before, spans=True
            )
            found = [*page.lines, *found]
            if not page.more_before or page.reached is None:
                break
            before = page.reached
        return tuple(found)

    def _lost(self, cursor: LogCursor) -> Gap | None:
        """Why one cannot continue from a cursor, if so."""
        if cursor.epoch != self._store.epoch:
            reason = "the store was restored or replaced since this cursor was given"
        elif cursor.offset > self._log.size:
            reason = "the cursor is ahead of what the store holds"
        else:
            return None
        return Gap(cursor.encode(), self._cursor(self._log.size), reason)

    def _update(self, lines: tuple[Line, ...], replace_from: int | None) -> LogUpdate:
        caught_up = self._offset >= self._log.size
        cursor = self._cursor(self._offset)
        return LogUpdate(self._run, self._log, cursor, caught_up, False, replace_from, lines)

    def _cursor(self, offset: int) -> str:
        return LogCursor(self._store.epoch, self._log.id, offset).encode()
