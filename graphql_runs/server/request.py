"""One GraphQL request, as it comes over HTTP or in a `subscribe` message, and the media type of its answer.

https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from graphql_runs.schema.scalars import decode_json
from graphql_runs.server.documents import Documents
from graphql_runs.server.errors import BadRequest

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
EVENTS = "text/event-stream"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants executed."""

    query: str
    variables: Mapping[str, Any]
    operation: str | None


async def read(request: Request, documents: Documents) -> Asked:
    """The request of a GET's parameters or a POST's body. Raises Refused."""
    if request.method == "GET":
        given: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if text := given.get(name):
                given[name] = _decoded(text, name)
        return asked(given, documents)
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    if kind.strip() != JSON:
        raise BadRequest(f"the body of a POST is {JSON}", 415)
    charset = [
        value for name, _, value in (p.strip().partition("=") for p in parameters) if name == "charset"
    ]
    if charset and charset[0].strip('"') not in ("utf-8", "utf8"):
        raise BadRequest(f"the body of a POST is in UTF-8, not {charset[0][:40]}", 415)
    return asked(_decoded(await request.body(), "body"), documents)


def asked(given: object, documents: Documents) -> Asked:
    """The request of a JSON value. Raises Refused naming the parameter that is wrong."""
    if isinstance(given, list):
        raise BadRequest("batches are not taken: send one request for each operation")
    if not isinstance(given, dict):
        raise BadRequest("a request is a JSON object")
    extensions = _kind(given, "extensions", dict) or {}
    query = documents.resolve(
        _kind(given, "query", str), _kind(given, "documentId", str), extensions.get("persistedQuery")
    )
    return Asked(query, _kind(given, "variables", dict) or {}, _kind(given, "operationName", str) or None)


def acceptable(accept: str | None, offered: tuple[str, ...]) -> str:
    """The offered media type that the client likes best; of equals the one named first. The first offered one stands for
    wildcards and for a missing header. Raises BadRequest (406) when none will do."""
    if accept is None or not accept.strip():
        return offered[0]
    ranges: list[tuple[float, str]] = []
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        ranges.append((_quality(parameters), name))
    for quality, name in sorted(ranges, key=lambda found: -found[0]):
        if quality <= 0:
            break
        if name in offered:
            return name
        for kind in offered:
            if name in ("*/*", f"{kind.partition('/')[0]}/*"):
                return kind
    raise BadRequest(f"answers are to be had as {', '.join(offered)}", 406)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _kind(given: Mapping[str, Any], name: str, kind: type) -> Any:
    value = given.get(name)
    if value is not None and not isinstance(value, kind):
        what = "a text" if kind is str else "an object"
        raise BadRequest(f"{name} has to be {what} or null", field=name)
    return value


def _decoded(text: str | bytes, name: str) -> Any:
    try:
        return decode_json(text)
    except ValueError as error:
        raise BadRequest(f"{name} is not JSON: {error}", field=name) from None
