"""A server within the test's own process, on a real socket, and feeds of subscriptions over both transports."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from graphql_runs.server.application import Rooms, build_application, build_rooms
from graphql_runs.server.settings import Settings
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore

TRANSPORTS = ("websocket", "events")
# Made once: every client of httpx would read the certificates of the machine, which nobody here needs.
_TLS = ssl.create_default_context()


@dataclass
class Local:
    """A server that is up."""

    rooms: Rooms
    port: int
    token: str | None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}

    async def answer(self, query: str, **variables: Any) -> Any:
        """The answer of a query or mutation."""
        async with httpx.AsyncClient(headers=self.headers, timeout=30, verify=_TLS) as client:
            body = {"query": query, "variables": variables}
            return (await client.post(f"{self.address}/graphql", json=body)).json()

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        found = await self.answer(query, **variables)
        assert "errors" not in found, found
        return found["data"]

    def follow(self, transport: str, query: str, **variables: Any) -> AsyncGenerator[Any]:
        """The answers of a subscription."""
        if transport == "websocket":
            return self._over_websocket(query, variables)
        return self._over_events(query, variables)

    async def _over_websocket(self, query: str, variables: Mapping[str, Any]) -> AsyncGenerator[Any]:
        async with self.socket() as connection:
            await connection.send(json.dumps({"type": "connection_init", "payload": self.headers}))
            assert json.loads(await connection.recv()) == {"type": "connection_ack"}
            payload = {"query": query, "variables": variables}
            await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "complete":
                    return
                yield {"errors": message["payload"]} if message["type"] == "error" else message["payload"]
                if message["type"] == "error":
                    return

    async def _over_events(self, query: str, variables: Mapping[str, Any]) -> AsyncGenerator[Any]:
        headers = {**self.headers, "accept": "text/event-stream"}
        body = {"query": query, "variables": variables}
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(30, read=None), verify=_TLS) as client,
            client.stream("POST", f"{self.address}/graphql", headers=headers, json=body) as response,
        ):
            assert response.status_code == 200, await response.aread()
            async with aclosing(_lines(response)) as lines:
                event = ""
                async for line in lines:
                    if line.startswith("event: "):
                        event = line.removeprefix("event: ")
                    elif line.startswith("data:") and event == "complete":
                        return
                    elif line.startswith("data:"):
                        yield json.loads(line.removeprefix("data:"))

    def socket(self, protocol: str = "graphql-transport-ws", **options: Any) -> connect:
        """A WebSocket that says nothing by itself."""
        address = f"ws://127.0.0.1:{self.port}/graphql"
        return connect(address, subprotocols=[Subprotocol(protocol)], **options)


@asynccontextmanager
async def local(place: Path | Store, **settings: Any) -> AsyncIterator[Local]:
    """A server on a store, or on the fresh (or the same) one of a folder."""
    chosen = Settings(**settings)
    store = await SqliteStore.open(place / "runs.sqlite") if isinstance(place, Path) else place
    rooms = build_rooms(store, chosen, [])
    config = uvicorn.Config(
        build_application(rooms, chosen),
        log_config=None,
        access_log=False,
        ws_max_size=chosen.message_bytes,
        ws_ping_interval=chosen.ping_seconds,
        ws_ping_timeout=chosen.ping_seconds,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server._serve([bound]))  # without its signal handlers
        while not server.started:
            assert not serving.done(), serving
            await asyncio.sleep(0.005)
        token = None if chosen.token is None else chosen.token.get_secret_value().split(",")[0]
        try:
            yield Local(rooms, bound.getsockname()[1], token)
        finally:
            await rooms.hub.close()
            server.should_exit = True
            await serving


async def _lines(response: httpx.Response) -> AsyncGenerator[str]:
    """The lines of an event stream. httpx ends them at U+2028 and the like too, which may stand in a JSON text."""
    rest = b""
    async with aclosing(response.aiter_bytes()) as parts:  # type: ignore[type-var]  # it is an async generator
        async for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                yield line.decode()


async def first(answers: AsyncGenerator[Any]) -> Any:
    """The next answer, without waiting for ever."""
    async with asyncio.timeout(20):
        return await anext(answers)


async def message(connection: ClientConnection) -> Any:
    """The next message of a socket."""
    async with asyncio.timeout(20):
        return json.loads(await connection.recv())
