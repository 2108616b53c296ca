"""Equal subscriptions of one person share their answers: followed, executed and encoded once, sent to all.

Subscriptions are equal when document, operation and variables are, apart from the cursor that they begin at. Each begins for
itself and is told what it has not seen. Once it has caught up it joins the channel of its equals, if it stands where the channel
does; if it is behind, it is told a little more first, and if it is ahead, it waits for the channel. So nothing is told twice or
left out. The first one to catch up becomes the channel.

A reader that is slow is dropped from its channel when too much waits for it; what waits is what it is told next, and then it
goes on for itself from there, as after a lost connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from graphql_runs.live.hub import Hub
from graphql_runs.live.trail import Trail
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.answers import Answer
from graphql_runs.server.request import Asked

WAITING_BYTES = 4 << 20
WAITING_ANSWERS = 64
"""What may wait for one reader."""

Open: TypeAlias = Callable[[Asked, Viewer, Trail], AsyncGenerator[Answer]]
Key: TypeAlias = tuple[str, str | None, bytes, str]


@dataclass(frozen=True, slots=True)
class _Frame:
    """An answer, and the cursor behind it."""

    answer: Answer
    cursor: str | None


class _Reader:
    """What waits for one subscriber of a channel."""

    def __init__(self) -> None:
        self._frames: deque[_Frame] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self.ended = False
        """The subscription is over."""
        self.dropped = False
        """Too much waited."""

    def put(self, frame: _Frame) -> None:
        if self._bytes + len(frame.answer.payload) > WAITING_BYTES or len(self._frames) >= WAITING_ANSWERS:
            self.dropped = bool(self._frames)
        if not self.dropped:
            self._frames.append(frame)
            self._bytes += len(frame.answer.payload)
        self._ready.set()

    def end(self) -> None:
        self.ended = True
        self._ready.set()

    async def next(self) -> _Frame | None:
        """The next frame; None when there will be no more."""
        while not self._frames:
            if self.ended or self.dropped:
                return None
            self._ready.clear()
            await self._ready.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame.answer.payload)
        return frame


class _Channel:
    """The answers of one subscription, for all that are equal to it."""

    def __init__(
        self, answers: AsyncGenerator[Answer], trail: Trail, hub: Hub, ended: Callable[[], None]
    ) -> None:
        self.trail = trail
        self._answers = answers
        self._hub = hub
        self._ended = ended
        self._readers: set[_Reader] = set()
        self._moved = asyncio.Event()
        self._task = asyncio.create_task(self._pump())

    def join(self) -> _Reader:
        reader = _Reader()
        self._readers.add(reader)
        return reader

    async def leave(self, reader: _Reader) -> None:
        """The last one to leave ends it."""
        self._readers.discard(reader)
        if not self._readers and not self._task.done():
            # Nobody may join what is about to end.
            self._ended()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def moved(self) -> None:
        """Return when there is a new answer, or none will come any more."""
        await self._moved.wait()

    async def _pump(self) -> None:
        try:
            while True:
                if self.trail.caught_up:
                    await self._hub.pause(self.trail.throttle)
                try:
                    found = await anext(self._answers)
                except StopAsyncIteration:
                    return
                frame = _Frame(found, self.trail.cursor)
                for reader in tuple(self._readers):
                    reader.put(frame)
                    if reader.dropped:
                        self._readers.discard(reader)
                if not self._readers:
                    return
                self._tell()
        finally:
            self._ended()
            for reader in self._readers:
                reader.end()
            self._tell()
            await self._answers.aclose()

    def _tell(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


class Sharing:
    """The channels of one server. `open` begins a subscription that is told along a trail."""

    def __init__(self, hub: Hub, open: Open) -> None:
        self._hub = hub
        self._open = open
        self._channels: dict[Key, _Channel] = {}

    async def stream(
        self, asked: Asked, viewer: Viewer, cursor_variable: str | None
    ) -> AsyncGenerator[Answer]:
        """The answers of a subscription; `cursor_variable` is the variable that it gives its cursor in, if it does."""
        key = _key(asked, viewer, cursor_variable)
        trail = Trail(paced=True)
        while True:
            answers = self._open(asked, viewer, trail)
            channel: _Channel | None = None
            try:
                async for found in answers:
                    yield found
                    if found.errors is None and trail.caught_up:
                        channel = await self._meet(key, answers, trail)
                        if channel is not None:
                            break
                else:
                    return
                reader = channel.join()
            finally:
                # A channel that began with these answers goes on with them.
                if channel is None or channel.trail is not trail:
                    await answers.aclose()
            cursor = trail.cursor
            try:
                while (frame := await reader.next()) is not None:
                    yield frame.answer
                    cursor = frame.cursor
            finally:
                await channel.leave(reader)
            if not reader.dropped:
                return
            trail = Trail(after=cursor, paced=True)

    async def _meet(self, key: Key, answers: AsyncGenerator[Answer], trail: Trail) -> _Channel | None:
        """The channel when one stands where it does; None when one has to be told more first."""
        while True:
            channel = self._channels.get(key)
            if channel is None:
                return self._make(key, answers, trail)
            if trail.meets(channel.trail):
                return channel
            if trail.position <= channel.trail.position:
                return None
            await channel.moved()

    def _make(self, key: Key, answers: AsyncGenerator[Answer], trail: Trail) -> _Channel:
        def ended() -> None:
            if self._channels.get(key) is made:
                del self._channels[key]

        made = self._channels[key] = _Channel(answers, trail, self._hub, ended)
        return made


def _key(asked: Asked, viewer: Viewer, cursor_variable: str | None) -> Key:
    variables = {name: value for name, value in asked.variables.items() if name != cursor_variable}
    return asked.query, asked.operation, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS), viewer.key
