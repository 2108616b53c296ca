"""Who may use the server: those who bring one of its tokens.

A token is a bearer token (RFC 6750) in the header `Authorization`. Several are valid at a time, so that one can be replaced
by another without a moment in which neither works; a token file is read again when it changes. Tokens are compared in constant
time by their digests, and are never logged.

A browser cannot put a header on a link, so links to bytes that the API gives out carry a signature instead, which opens just
that path for reading, for a while.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_runs.model.errors import InvalidInput
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.errors import Unauthenticated, answer
from graphql_runs.server.settings import Settings

SIGNED = ("/logs/", "/artifacts/")
"""Where the bytes are."""
LINK_SECONDS = 12 * 3600
"""How long a link to bytes can be followed."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The tokens of a file, and what the file was like then."""

    seen: tuple[int, int]
    tokens: tuple[str, ...]


class Tokens:
    """The tokens that are valid now. With none of them, and no file, everybody is let in."""

    def __init__(self, given: Iterable[str] = (), file: Path | None = None) -> None:
        self._given = tuple(_checked(token, "token") for token in given)
        self._file = file
        self._read: _Read | None = None
        if file is not None and not self._from_file(file):
            raise InvalidInput(f"token_file: {file} holds no token", field="token_file")

    @property
    def wanted(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._given) or self._file is not None

    @property
    def first(self) -> str | None:
        """One that is valid, for asking the server itself."""
        return next(iter(self._valid()), None)

    def viewer(self, given: str | None) -> Viewer:
        """Who brings this token. Raises Unauthenticated."""
        if not self.wanted:
            return Viewer()
        if given is not None:
            # Every one is looked at, so that the time says nothing of which.
            found = [token for token in self._valid() if _same(token, given)]
            if found:
                return Viewer(authenticated=True, key=_digest(given).hex())
        raise Unauthenticated(given=given is not None)

    def of(self, connection: HTTPConnection) -> Viewer:
        """Who makes a request, by its header. Raises Unauthenticated."""
        return self.viewer(bearer(connection.headers.get("authorization")))

    def still(self, viewer: Viewer) -> bool:
        """Whether the token that somebody brought is still valid."""
        return not self.wanted or any(_digest(token).hex() == viewer.key for token in self._valid())

    def link(self, path: str) -> str:
        """A path of this server, quoted, as a link; one to bytes can be followed without the header."""
        valid = self._valid()
        if not valid or not path.startswith(SIGNED):
            return path
        # Whole hours, so that the same question has the same answer for a while.
        until = (int(time.time()) // 3600) * 3600 + LINK_SECONDS
        return f"{path}?until={until}&signature={_signature(valid[0], unquote(path), until)}"

    def opens(self, path: str, query: str) -> bool:
        """Whether a query string holds the signature of this path, which is not quoted."""
        given = parse_qs(query)
        until, signature = given.get("until", [""])[0], given.get("signature", [""])[0]
        if not (until.isascii() and until.isdecimal()) or len(until) > 12 or int(until) < time.time():
            return False
        return any(_same(_signature(token, path, int(until)), signature) for token in self._valid())

    def _valid(self) -> tuple[str, ...]:
        return self._given if self._file is None else self._given + self._from_file(self._file)

    def _from_file(self, file: Path) -> tuple[str, ...]:
        """The tokens of the file, one a line. Raises InvalidInput when it cannot be read at the start; a file that vanishes
        or breaks later lets nobody in by it."""
        try:
            found = file.stat()
            seen = (found.st_mtime_ns, found.st_size)
            if self._read is None or self._read.seen != seen:
                lines = [line.strip() for line in file.read_text().splitlines()]
                tokens = tuple(
                    _checked(line, "token_file") for line in lines if line and not line.startswith("#")
                )
                self._read = _Read(seen, tokens)
            return self._read.tokens
        except (OSError, ValueError, InvalidInput) as error:
            if self._read is None:
                if isinstance(error, InvalidInput):
                    raise
                raise InvalidInput(
                    f"token_file: {file} cannot be read: {error}", field="token_file"
                ) from error
            return ()


class Guard:
    """ASGI middleware around one route: 401 without a token. GET is also let in by a signed link."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        try:
            if not reading or not self._tokens.opens(scope["path"], scope["query_string"].decode("latin-1")):
                self._tokens.of(HTTPConnection(scope))
        except Unauthenticated as error:
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def read_tokens(settings: Settings) -> Tokens:
    """The tokens that the settings name. Raises InvalidInput naming the setting that is wrong."""
    given = "" if settings.token is None else settings.token.get_secret_value()
    tokens = [token.strip() for token in given.split(",") if token.strip()]
    if settings.token is not None and not tokens:
        raise InvalidInput("token is empty", field="token")
    return Tokens(tokens, settings.token_file)


def guarded(routes: Iterable[BaseRoute], tokens: Tokens) -> list[BaseRoute]:
    """The routes, for those only who bring a token."""
    found = list(routes)
    for route in found:
        assert isinstance(route, Route)
        route.app = Guard(route.app, tokens)
    return found


def refusal(error: Unauthenticated) -> JSONResponse:
    """The answer 401."""
    return JSONResponse(answer(error), error.status, dict(error.headers))


def bearer(header: object) -> str | None:
    """The token of an `Authorization` header's value."""
    if not isinstance(header, str):
        return None
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def of_payload(payload: Mapping[str, object]) -> str | None:
    """The token of a `connection_init` message: its `Authorization`, in any case."""
    return next((bearer(value) for name, value in payload.items() if name.lower() == "authorization"), None)


def _checked(token: str, setting: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput(f"{setting}: a token consists of visible ASCII characters", field=setting)
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_digest(one), _digest(other))


def _signature(token: str, path: str, until: int) -> str:
    message = f"graphql-runs link\n{until}\n{path}".encode()
    return hmac.new(token.encode(), message, hashlib.sha256).hexdigest()
