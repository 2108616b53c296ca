"""What stands beside W4b: bare sockets of one event loop that are all written the same frame, without any server of ours."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import ClassVar, cast

import uvloop

from benchmarks.replay import HOST

_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
_DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def _text(payload: bytes) -> bytes:
    """A WebSocket frame of more than 125 and less than 65,536 bytes, or of less (RFC 6455)."""
    size = len(payload)
    return bytes([129, size] if size < 126 else [129, 126, *size.to_bytes(2)]) + payload


_ACK = _text(b'{"type":"connection_ack"}')
# As long as what W4b's subscribers are told of 5 points.
_NEXT = _text(b'{"id":"1","type":"next","payload":"' + b"x" * 700 + b'"}')


class _Bare(asyncio.Protocol):
    """One connection: a subscriber is greeted and told once, a POST has every subscriber told."""

    subscribers: ClassVar[set[_Bare]] = set()

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.subscribers.discard(self)

    def data_received(self, data: bytes) -> None:
        if self in self.subscribers:
            return
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET"):
            self._data = b""
            self.subscribers.add(self)
            self._transport.write(_SWITCH + _ACK + _NEXT)
        elif len(body) >= int(head.split(b"content-length: ")[1].split(b"\r\n")[0]):
            self._data = b""
            self._transport.write(_DONE)
            for subscriber in self.subscribers:
                subscriber._transport.write(_NEXT)


@contextmanager
def bare() -> Iterator[int]:
    """The port of such a server, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join()


def _serve(told: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Bare, HOST, 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())
