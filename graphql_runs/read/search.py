"""Searching the logs of a run and of all runs below it; without anything to search for, reading them as one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from hashlib import blake2b

from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.time import Micros
from graphql_runs.read.budget import Budget
from graphql_runs.read.clock import Clock
from graphql_runs.read.lines import Line, LogView, Pager
from graphql_runs.read.logtext import LogReader
from graphql_runs.read.merge import Merger, Stream, Taken, in_turns
from graphql_runs.read.treelogs import TreeLog
from graphql_runs.read.wanted import EVERYTHING, LineFilter
from graphql_runs.store.port import Store

MERGED = 256
"""Log files that can be merged by time: a cursor holds a place in each of them."""
_NAME = 6
_OFFSET = 6


class LogOrder(StrEnum):
    """In which order lines of several log files come."""

    TIME = "TIME"
    FILE = "FILE"


@dataclass(frozen=True, slots=True)
class Place:
    """A place between the lines of several files: in a file the lines before an offset lie before it. `log` and `offset` name
    the line that the place is at, if any; `others` are the offsets of all files, by log id, when they are merged."""

    log: str | None = None
    offset: int = 0
    others: Mapping[str, int] = field(default_factory=dict)

    def pack(self) -> str:
        """The offsets as text, 16 characters a file."""
        return base64.urlsafe_b64encode(
            b"".join(_short(id) + offset.to_bytes(_OFFSET, "big") for id, offset in self.others.items())
        ).decode()

    @staticmethod
    def unpack(log: str | None, offset: int, packed: str, files: Sequence[TreeLog], field: str) -> Place:
        """A place from what a cursor held. Files that it does not name are new: nothing of them lies before it."""
        try:
            data = base64.urlsafe_b64decode(packed)
        except (ValueError, binascii.Error) as error:
            raise InvalidInput(f"{field} is not a cursor of this list", field=field) from error
        size = _NAME + _OFFSET
        known = {
            data[at : at + _NAME]: int.from_bytes(data[at + _NAME : at + size], "big")
            for at in range(0, len(data), size)
        }
        return Place(log, offset, {file.log.id: known.get(_short(file.log.id), 0) for file in files})


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is searched for. Times are `[since, until)`; logs without times have no line in such a range.

    context: lines to show before and after each one that is found. seconds: how long the search may take.
    """

    wanted: LineFilter = EVERYTHING
    since: Micros | None = None
    until: Micros | None = None
    order: LogOrder = LogOrder.TIME
    context: int = 0
    spans: bool = False
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Found:
    """A line that was found (`match`), or one shown around it. `place` is that of the line that was found."""

    file: TreeLog
    line: Line
    match: bool
    place: Place


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Lines in order. It may hold fewer than asked for, even none, while there are more: `start` and `end` are where to go on."""

    lines: tuple[Found, ...]
    more_before: bool
    more_after: bool
    start: Place | None = None
    end: Place | None = None


async def search_logs(
    store: Store,
    files: Sequence[TreeLog],
    query: LogQuery,
    *,
    count: int,
    back: bool = False,
    after: Place | None = None,
    before: Place | None = None,
) -> FoundPage:
    """The first, or with `back` the last, `count` lines that are wanted, between two places.

    Raises LimitExceeded when more files are to be merged by time than can be, and InvalidInput when the file of a place is gone.
    """
    timed = query.order is LogOrder.TIME
    if timed and len(files) > MERGED:
        raise LimitExceeded(
            f"there are {len(files)} log files, and at most {MERGED} can be merged by time: narrow paths or ranks, or use the order FILE",
            field="orderBy",
        )
    streams = _streams(files, timed, after, before)
    if query.since is not None or query.until is not None:
        await in_turns(partial(_narrow, store, stream, query) for stream in streams)
    lows = {stream.file.log.id: stream.low for stream in streams}
    highs = {stream.file.log.id: stream.high for stream in streams}
    merger = Merger(store, query.wanted, Budget.of(query.seconds), back, query.spans, timed)
    taken = await (merger.by_time if timed else merger.by_file)(streams, count)
    rest = {stream.file.log.id: stream.next_place(back) for stream in streams}
    if back:
        taken.lines.reverse()
    places = _places(taken, highs if back else rest, timed)
    shown = [
        Found(stream.file, line, True, place)
        for (stream, line), place in zip(taken.lines, places, strict=True)
    ]
    edge = _edge(streams, rest, timed, back) if taken.more else None
    found = await _around(store, shown, query) if query.context else shown
    return FoundPage(
        tuple(found),
        more_before=taken.more if back else after is not None and any(lows.values()),
        more_after=before is not None if back else taken.more,
        start=edge if back else None,
        end=None if back else edge,
    )


def _streams(
    files: Sequence[TreeLog], timed: bool, after: Place | None, before: Place | None
) -> list[Stream]:
    streams = [Stream(index, file, 0, file.log.size) for index, file in enumerate(files)]
    for place, field_name in ((after, "after"), (before, "before")):
        if place is None:
            continue
        at = next((stream.index for stream in streams if stream.file.log.id == place.log), None)
        if at is None and not timed:
            raise InvalidInput(
                f"{field_name} is at a line of a log file that is gone or not searched now", field=field_name
            )
        for stream in streams:
            size = stream.file.log.size
            if stream.index == at:
                offset = place.offset + (place is after)
            elif timed:
                offset = place.others.get(stream.file.log.id, 0)
            else:
                offset = size if at is not None and stream.index < at else 0
            if place is after:
                stream.low = max(stream.low, offset)
            else:
                stream.high = min(stream.high, offset)
    return streams


async def _narrow(store: Store, stream: Stream, query: LogQuery) -> None:
    """Leave only the lines of the range of time."""
    text = LogReader(store, stream.file.log)
    clock = Clock(text, stream.file.near)
    if not await clock.timed():
        stream.low = stream.high = min(stream.low, stream.high)
        return
    if query.since is not None:
        stream.low = max(stream.low, await clock.first_at(query.since))
    if query.until is not None:
        stream.high = min(stream.high, await clock.first_at(query.until))


def _places(taken: Taken, rest: Mapping[str, int], timed: bool) -> list[Place]:
    """The place of each line: of every other file, the offset of the next line that comes after it."""
    found: list[Place] = []
    ahead = dict(rest)
    for stream, line in reversed(taken.lines):
        log = stream.file.log.id
        found.append(Place(log, line.offset, dict(ahead) if timed else {}))
        ahead[log] = line.offset
    return found[::-1]


def _edge(streams: Sequence[Stream], rest: Mapping[str, int], timed: bool, back: bool) -> Place:
    """Where a walk that has not come to its end goes on."""
    if timed:
        return Place(None, 0, rest)
    ordered = reversed(streams) if back else streams
    stream = next(stream for stream in ordered if stream.waiting or not stream.done)
    offset = rest[stream.file.log.id]
    return Place(stream.file.log.id, offset if back else offset - 1)


async def _around(store: Store, found: Sequence[Found], query: LogQuery) -> list[Found]:
    """The lines that were found, each between those around it; none of them twice in a row of one file."""
    shown: list[Found] = []
    ends: dict[str, int] = {}
    readers: dict[str, LogReader] = {}
    for one in found:
        log, offset = one.file.log, one.line.offset
        if log.id not in readers:
            readers.clear()
            readers[log.id] = LogReader(store, log)
        pager = Pager(readers[log.id], LogView.RENDERED, EVERYTHING, Budget(), query.spans)
        before = await pager.backward(min(ends.get(log.id, 0), offset), offset, query.context)
        after = await pager.forward(offset + 1, log.size, query.context)
        follow = list(after.lines)
        stop = next((index for index, line in enumerate(follow) if query.wanted.holds(line)), len(follow))
        shown += [Found(one.file, line, False, one.place) for line in before.lines]
        shown.append(one)
        shown += [Found(one.file, line, False, one.place) for line in follow[:stop]]
        ends[log.id] = (follow[stop - 1] if stop else one.line).offset + 1
    return shown


def _short(id: str) -> bytes:
    return blake2b(id.encode(), digest_size=_NAME).digest()
