"""The GraphQL endpoint: POST, GET for queries, server-sent events, and WebSocket, on one path. A browser is given GraphiQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.http.websocket_origin import is_same_origin

from graphql_runs.live.hub import Hub
from graphql_runs.schema.scalars import encode_json
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.answers import Answer
from graphql_runs.server.auth import Tokens
from graphql_runs.server.documents import Documents
from graphql_runs.server.errors import BadRequest, Refused, answer
from graphql_runs.server.operations import EVERYTHING, ONCE, READING, Operations
from graphql_runs.server.request import EVENTS, HTML, JSON, RESPONSE, acceptable, read
from graphql_runs.server.settings import Settings
from graphql_runs.server.socket import Socket
from graphql_runs.server.sse import EventStream, disconnected

_MEDIA = (JSON, RESPONSE, EVENTS)
_NAMING = ("query", "documentId", "extensions")
"""Parameters of a GET that say what to execute."""


class Endpoint:
    """An ASGI application for one path."""

    def __init__(
        self,
        operations: Operations,
        documents: Documents,
        tokens: Tokens,
        hub: Hub,
        settings: Settings,
        graphiql: Path,
    ) -> None:
        self._operations = operations
        self._documents = documents
        self._tokens = tokens
        self._hub = hub
        self._settings = settings
        self._graphiql = graphiql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        response = self._page() if self._wants_page(request) else await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        media = JSON
        try:
            viewer = self._tokens.of(request)
            media = acceptable(request.headers.get("accept"), _MEDIA)
            asked = await read(request, self._documents)
            posted = request.method == "POST"
            if media == EVENTS:
                answers = self._operations.stream(asked, viewer, EVERYTHING if posted else READING)
                return self._events(answers, viewer)
            found = await self._operations.once(
                asked, viewer, ONCE if posted else ONCE & READING, lambda: disconnected(request.receive)
            )
            # Clients of the older media type take any other status for a failure of the transport.
            return _response(
                found.payload, media, 400 if found.errors is not None and media == RESPONSE else 200
            )
        except Refused as error:
            return _refusal(error, JSON if media == EVENTS else media)
        except ClientDisconnect:
            # It left before its request was whole: what is answered reaches nobody.
            return Response(status_code=400)

    def _events(self, answers: AsyncGenerator[Answer], viewer: Viewer) -> EventStream:
        return EventStream(
            answers,
            pause=self._settings.ping_seconds,
            alive=lambda: self._tokens.still(viewer),
            ended=lambda: not self._hub.closed,
        )

    def _wants_page(self, request: Request) -> bool:
        if request.method == "POST" or any(name in request.query_params for name in _NAMING):
            return False
        try:
            return acceptable(request.headers.get("accept"), (*_MEDIA, HTML)) == HTML
        except BadRequest:
            return False

    def _page(self) -> Response:
        if not self._graphiql.is_file():
            return PlainTextResponse("This installation was built without its web pages.", 404)
        return FileResponse(self._graphiql, headers={"cache-control": "no-cache"})

    async def _socket(self, websocket: WebSocket) -> None:
        origin = websocket.headers.get("origin")
        # A page of another origin could use whatever the browser may reach: browsers ask nobody before they open a socket.
        if origin is not None and not is_same_origin(origin, websocket.headers.get("host")):
            await websocket.close(1008)
            return
        await Socket(
            websocket, self._operations, self._documents, self._tokens, self._hub, self._settings
        ).run()


def _response(payload: bytes, media: str, status: int) -> Response:
    return Response(payload, status, {"content-type": f"{media}; charset=utf-8", "vary": "accept"})


def _refusal(error: Refused, media: str) -> Response:
    response = _response(encode_json(answer(error)), media, error.status)
    response.headers.update(error.headers)
    return response
