"""The load generator of subscriptions: many WebSocket clients that cost little, in the process that also makes the changes.

A frame is told apart on the socket itself and looked into only afterwards; 1000 of them take some 15 ms. The protocols are RFC 6455 and
graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

import orjson
import uvloop

from benchmarks.figure import Wrong
from benchmarks.replay import HOST

_PATIENCE = 60.0
_AT_ONCE = 50
_NEXT = b'"type":"next"'
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


@dataclass(frozen=True, slots=True)
class Pushed:
    """How it went, in seconds.

    heard:   of each change, for each subscriber, from before the call was sent until its frame was there.
    after:   the same from when the call had returned, 0 for a frame that was there before; of the first subscriber.
    frames:  of each change what the first subscriber was told; all others were told the same, which is checked.
    """

    heard: tuple[tuple[float, ...], ...]
    after: tuple[float, ...]
    frames: tuple[bytes, ...]


class _Subscriber(asyncio.Protocol):
    """One WebSocket with one subscription."""

    def __init__(self, port: int, subscription: bytes, told: Callable[[], None]) -> None:
        self.frame = b""
        self.at = 0.0
        self.problem = ""
        self._data = b""
        self._subscription = subscription
        self._told = told
        self._upgraded = False
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: {HOST}:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._upgraded:
            if b"\r\n\r\n" not in self._data:
                return
            head, self._data = self._data.split(b"\r\n\r\n", 1)
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(head)
                return
            self._upgraded = True
            self._send(_TEXT, b'{"type":"connection_init"}')
            self._send(_TEXT, b'{"id":"1","type":"subscribe","payload":' + self._subscription + b"}")
        while (frame := self._take()) is not None:
            self._see(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(b"the server closed the connection")

    def close(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def _see(self, kind: int, payload: bytes) -> None:
        if kind == _PING:
            self._send(_PONG, payload)
        elif kind == _TEXT and _NEXT in payload[:40]:
            self.at, self.frame = perf_counter(), payload
            self._told()
        elif kind == _CLOSE or b"connection_ack" not in payload[:40]:
            self._fail(payload)

    def _take(self) -> tuple[int, bytes] | None:
        """The next whole frame; a server's are not masked, and ours comes in one piece."""
        if len(self._data) < 2:
            return None
        size, start = self._data[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(self._data) < start:
                return None
            size = int.from_bytes(self._data[2:start])
        if len(self._data) < start + size:
            return None
        kind, payload = self._data[0] & 15, self._data[start : start + size]
        self._data = self._data[start + size :]
        return kind, payload

    def _send(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([128 | size]) if size < 126 else bytes([128 | 126]) + size.to_bytes(2)
        # A mask of zeros leaves the payload as it is.
        self._transport.write(bytes([128 | kind]) + length + bytes(4) + payload)

    def _fail(self, what: bytes) -> None:
        self.problem = self.problem or what[:400].decode(errors="replace")
        self._told()


@dataclass
class _Crowd:
    """The subscribers of a server, and how many have still to be told."""

    port: int
    subscribers: list[_Subscriber] = field(default_factory=list)
    _left: int = 0
    _all: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self, count: int, subscription: bytes) -> None:
        """Connect, some at a time, and wait for everybody's first message."""
        loop = asyncio.get_running_loop()
        for first in range(0, count, _AT_ONCE):
            some = min(_AT_ONCE, count - first)
            self.expect(some)
            for _ in range(some):
                _, made = await loop.create_connection(
                    lambda: _Subscriber(self.port, subscription, self._told), HOST, self.port
                )
                self.subscribers.append(made)
            await self.told()

    def expect(self, count: int) -> None:
        """From now on so many are to be told."""
        self._left = count
        self._all.clear()

    async def told(self) -> None:
        """Wait for them. Raises Wrong when one was not, or lost its connection."""
        try:
            await asyncio.wait_for(self._all.wait(), _PATIENCE)
        except TimeoutError:
            raise Wrong(f"{self._left} subscribers were told nothing") from None
        if problems := [one.problem for one in self.subscribers if one.problem]:
            raise Wrong(f"a subscriber was told {problems[0]}")

    def leave(self) -> None:
        """Drop all connections."""
        for one in self.subscribers:
            one.close()

    def _told(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._all.set()


def push(port: int, count: int, subscription: bytes, changes: Sequence[bytes]) -> Pushed:
    """So many equal subscribers, and changes by `POST /graphql`, each after everybody was told the one before. Raises Wrong."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_push(port, count, subscription, changes))


async def _push(port: int, count: int, subscription: bytes, changes: Sequence[bytes]) -> Pushed:
    crowd = _Crowd(port)
    reader, writer = await asyncio.open_connection(HOST, port)
    pause = random.Random(3)
    heard: list[tuple[float, ...]] = []
    after, frames = [], []
    try:
        await crowd.come(count, subscription)
        for body in changes:
            # The server is at rest, and not always at the same place of whatever it does by the clock.
            await asyncio.sleep(0.005 + 0.01 * pause.random())
            crowd.expect(count)
            sent = perf_counter()
            returned = await _post(reader, writer, body)
            await crowd.told()
            first = crowd.subscribers[0]
            if any(one.frame != first.frame for one in crowd.subscribers):
                raise Wrong("equal subscribers were told different things")
            heard.append(tuple(one.at - sent for one in crowd.subscribers))
            after.append(max(0.0, first.at - returned))
            frames.append(first.frame)
        return Pushed(tuple(heard), tuple(after), tuple(frames))
    finally:
        crowd.leave()
        writer.close()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> float:
    """When the answer was there. Raises Wrong for one that has errors."""
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: %b\r\naccept: application/json\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (HOST.encode(), len(body), body)
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
    answer = await reader.readexactly(length)
    returned = perf_counter()
    if not head.startswith(b"http/1.1 200 ") or b'"errors"' in answer:
        raise Wrong(f"the server answered {answer[:400].decode(errors='replace')}")
    return returned


def told(frame: bytes) -> object:
    """The `data` of a frame."""
    return orjson.loads(frame)["payload"]["data"]
