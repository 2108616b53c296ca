"""The GraphQL endpoint: Strawberry's ASGI view with our JSON, our page for browsers, and one WebSocket protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from graphql_runs.schema.context import Context
from graphql_runs.schema.scalars import decode_json, encode_json
from graphql_runs.server.settings import Settings


class _TextAdapter(ASGIWebSocketAdapter):
    """graphql-transport-ws speaks in text frames; our encoder gives bytes."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.ws.send_text(encode_json(message).decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error


class Endpoint(GraphQL[Context, None]):
    """POST, GET for queries, and graphql-transport-ws, on one path. A browser's GET is given GraphiQL."""

    websocket_adapter_class = _TextAdapter

    def __init__(
        self, schema: BaseSchema, settings: Settings, context: Callable[[], Context], graphiql: Path
    ) -> None:
        super().__init__(
            schema,
            graphql_ide="graphiql",
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=settings.connect_seconds),
            max_subscriptions_per_connection=settings.socket_subscriptions,
        )
        self._context = context
        self._graphiql = graphiql

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return self._context()

    async def render_graphql_ide(self, request: Request) -> Response:
        if not self._graphiql.is_file():
            return PlainTextResponse("This installation was built without its web pages.", 404)
        return FileResponse(self._graphiql, headers={"cache-control": "no-cache"})

    def decode_json(self, data: str | bytes) -> object:
        return decode_json(data)

    def encode_json(self, data: object) -> bytes:
        return encode_json(data)

    async def pick_websocket_subprotocol(self, request: WebSocket) -> str | None:
        offered: list[str] = request["subprotocols"]
        return GRAPHQL_TRANSPORT_WS_PROTOCOL if GRAPHQL_TRANSPORT_WS_PROTOCOL in offered else None
