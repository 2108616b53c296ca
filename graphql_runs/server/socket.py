"""GraphQL over WebSocket: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md (`graphql-transport-ws`).

A socket that cannot take more holds its operations back, each where it is; nothing is gathered for it. When the server stops,
its sockets are closed (1012) and subscriptions are not completed, so that clients connect again and go on from their cursors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from graphql_runs.live.hub import Hub
from graphql_runs.schema.scalars import decode_json, encode_json
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.auth import Tokens, bearer, of_payload
from graphql_runs.server.documents import Documents
from graphql_runs.server.errors import Refused, TooMany, Unauthenticated, answer
from graphql_runs.server.operations import EVERYTHING, Operations
from graphql_runs.server.request import Asked, asked
from graphql_runs.server.settings import Settings

PROTOCOL = "graphql-transport-ws"
_REASON_BYTES = 123
"""A close frame has room for that much."""


class _Close(Exception):
    """The connection is to be closed with a code of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Socket:
    """One connection."""

    def __init__(
        self,
        websocket: WebSocket,
        operations: Operations,
        documents: Documents,
        tokens: Tokens,
        hub: Hub,
        settings: Settings,
    ) -> None:
        self._websocket = websocket
        self._operations = operations
        self._documents = documents
        self._tokens = tokens
        self._hub = hub
        self._settings = settings
        self._viewer: Viewer | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    async def run(self) -> None:
        """Until one side closes it."""
        if PROTOCOL not in self._websocket["subprotocols"]:
            await self._websocket.accept()
            await self._websocket.close(4406, f"the subprotocol is {PROTOCOL}")
            return
        await self._websocket.accept(PROTOCOL)
        watching = asyncio.ensure_future(self._watch()) if self._tokens.wanted else None
        try:
            try:
                async with asyncio.timeout(self._settings.connect_seconds):
                    while self._viewer is None:
                        await self._take(await self._receive())
            except TimeoutError:
                raise _Close(4408, "Connection initialisation timeout") from None
            while True:
                await self._take(await self._receive())
        except WebSocketDisconnect:
            self._closed = True
        except _Close as closing:
            await self._close(closing.code, closing.reason)
        finally:
            tasks = [*self._running.values(), *([] if watching is None else [watching])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        """Close the connection once its token is no longer valid."""
        while True:
            await asyncio.sleep(self._settings.ping_seconds)
            if self._viewer is not None and not self._tokens.still(self._viewer):
                break
        await self._close(4403, "the token is no longer valid")

    async def _receive(self) -> Mapping[str, Any]:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1006)
        text = message.get("text")
        if text is None:
            raise _Close(4400, "messages are text")
        try:
            found = decode_json(text)
        except ValueError:
            raise _Close(4400, "a message is JSON") from None
        if not isinstance(found, dict):
            raise _Close(4400, "a message is a JSON object")
        return found

    async def _take(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"type": "connection_init"}:
                await self._welcome(message.get("payload"))
            case {"type": "ping"}:
                await self._send(b'{"type":"pong"}')
            case {"type": "pong"}:
                pass
            case {"type": "subscribe", "id": str(id), "payload": dict(payload)} if id:
                await self._subscribe(id, payload)
            case {"type": "complete", "id": str(id)}:
                if task := self._running.pop(id, None):
                    task.cancel()
            case _:
                raise _Close(4400, f"not a message of {PROTOCOL}: {str(message.get('type'))[:40]!r}")

    async def _welcome(self, payload: object) -> None:
        if self._viewer is not None:
            raise _Close(4429, "Too many initialisation requests")
        if payload is not None and not isinstance(payload, dict):
            raise _Close(4400, "the payload of connection_init is an object")
        header = bearer(self._websocket.headers.get("authorization"))
        try:
            self._viewer = self._tokens.viewer(of_payload(payload or {}) or header)
        except Unauthenticated as error:
            raise _Close(4401, error.message) from error
        await self._send(b'{"type":"connection_ack"}')

    async def _subscribe(self, id: str, payload: Mapping[str, Any]) -> None:
        if self._viewer is None:
            raise _Close(4401, "Unauthorized")
        if id in self._running:
            raise _Close(4409, f"Subscriber for {id} already exists")
        try:
            if len(self._running) >= (most := self._settings.socket_subscriptions):
                raise TooMany(
                    f"{most} operations are open on this socket, the limit", field="socket_subscriptions"
                )
            wanted = asked(payload, self._documents)
        except Refused as error:
            await self._send(_message(id, b"error", encode_json(answer(error)["errors"])))
            return
        self._running[id] = asyncio.create_task(self._run(id, wanted, self._viewer))

    async def _run(self, id: str, wanted: Asked, viewer: Viewer) -> None:
        try:
            async with aclosing(self._operations.stream(wanted, viewer, EVERYTHING)) as answers:
                async for found in answers:
                    if found.errors is not None:
                        del self._running[id]
                        await self._send(_message(id, b"error", found.errors))
                        return
                    await self._send(_message(id, b"next", found.payload))
            if self._hub.closed:
                await self._close(1012, "the server stops")
                return
            # The id is free before the client is told so.
            del self._running[id]
            await self._send(_message(id, b"complete"))
        except WebSocketDisconnect:
            return

    async def _send(self, text: bytes) -> None:
        if self._closed:
            raise WebSocketDisconnect(1006)
        await self._websocket.send_text(text.decode())

    async def _close(self, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            await self._websocket.close(code, reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore"))


def _message(id: str, kind: bytes, payload: bytes | None = None) -> bytes:
    rest = b"" if payload is None else b',"payload":' + payload
    return b'{"id":' + encode_json(id) + b',"type":"' + kind + b'"' + rest + b"}"
