"""A bound on the size of request bodies."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_runs.model.errors import LimitExceeded


class BodyLimit:
    """Pure ASGI middleware: a body of some methods beyond `limit` bytes is refused with 413 before it is gathered."""

    def __init__(
        self, app: ASGIApp, limit: int, methods: tuple[str, ...] = ("POST", "PATCH", "DELETE")
    ) -> None:
        self._app = app
        self._limit = limit
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in self._methods:
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > self._limit:
            await self._refuse(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise _TooLarge(f"the request is larger than {self._limit} bytes", field="request_bytes")
            return message

        try:
            await self._app(scope, bounded, send)
        except _TooLarge:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = {
            "message": f"the request is larger than {self._limit} bytes",
            "extensions": {"code": "LIMIT_EXCEEDED", "field": "request_bytes"},
        }
        await JSONResponse({"errors": [error]}, 413)(scope, receive, send)


class _TooLarge(LimitExceeded):
    """What a route that reads on meets; it may answer with it in its own form."""
