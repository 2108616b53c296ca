"""GraphQL over server-sent events: one operation is one response, whose events are `next` and `complete`.

The distinct connections mode of https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. While nothing happens a
comment keeps the connection alive. A stream that ends without `complete` was cut: the client should go on from its cursor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_runs.server.answers import Answer
from graphql_runs.server.request import EVENTS

_HEADERS = {
    "cache-control": "no-cache, no-transform",
    # nginx would hold events back.
    "x-accel-buffering": "no",
}


class EventStream(Response):
    """The response to one operation. `alive` is asked every `pause` seconds; the stream is cut once it says no."""

    def __init__(
        self,
        answers: AsyncGenerator[Answer],
        *,
        pause: float,
        alive: Callable[[], bool],
        ended: Callable[[], bool],
    ) -> None:
        super().__init__(headers=_HEADERS, media_type=EVENTS)
        del self.headers["content-length"]
        self._answers = answers
        self._pause = pause
        self._alive = alive
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # The first bytes tell the client that it is connected, even if nothing happens for a while.
        await _send(send, b":\n\n")
        following = asyncio.ensure_future(anext(self._answers))
        leaving = asyncio.ensure_future(disconnected(receive))
        checked = time.monotonic()
        try:
            while True:
                done, _ = await asyncio.wait(
                    {following, leaving}, timeout=self._pause, return_when=asyncio.FIRST_COMPLETED
                )
                if leaving in done:
                    return
                if time.monotonic() - checked >= self._pause:
                    checked = time.monotonic()
                    if not self._alive():
                        return
                if not done:
                    await _send(send, b":\n\n")
                    continue
                try:
                    found = following.result()
                except StopAsyncIteration:
                    break
                await _send(send, b"event: next\ndata: " + found.payload + b"\n\n")
                following = asyncio.ensure_future(anext(self._answers))
            if self._ended():
                await _send(send, b"event: complete\ndata:\n\n")
        finally:
            following.cancel()
            leaving.cancel()
            await asyncio.gather(following, leaving, return_exceptions=True)
            await self._answers.aclose()
            await send({"type": "http.response.body", "body": b""})


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
