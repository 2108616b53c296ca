"""What a request can be refused for before GraphQL looks at it.

BadRequest        BAD_REQUEST                 not a GraphQL request as the transport has it
Unauthenticated   UNAUTHENTICATED             a token is asked for, and none or a wrong one was given
UnknownDocument   PERSISTED_QUERY_NOT_FOUND   no trusted document has that hash
Untrusted         DOCUMENT_NOT_TRUSTED        this server runs trusted documents only
TimedOut          TIMEOUT                     the operation took longer than it may
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql_runs.model.errors import RunsError


class Refused(RunsError):
    """A request that is not executed, and the HTTP status that says so."""

    status = 400
    headers: Mapping[str, str] = {}


class BadRequest(Refused):
    """The request is not one of GraphQL over HTTP, or over a socket."""

    code = "BAD_REQUEST"

    def __init__(
        self, message: str, status: int = 400, *, field: str | None = None, headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(message, field=field)
        self.status = status
        self.headers = headers


class Unauthenticated(Refused):
    """No token, or a wrong one. https://www.rfc-editor.org/rfc/rfc6750#section-3"""

    code = "UNAUTHENTICATED"
    status = 401

    def __init__(self, *, given: bool) -> None:
        super().__init__("the token is wrong" if given else "this server asks for a token")
        problem = ', error="invalid_token"' if given else ""
        self.headers = {"www-authenticate": f'Bearer realm="graphql-runs"{problem}'}


class UnknownDocument(Refused):
    """No trusted document has that hash. The message is the one that Apollo's clients look for."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class Untrusted(Refused):
    """The document is not one of the trusted ones, and only these may run."""

    code = "DOCUMENT_NOT_TRUSTED"
    status = 403


class TooMany(Refused):
    """More operations are open than may be; `field` names the setting."""

    code = "LIMIT_EXCEEDED"
    status = 429


class TimedOut(Refused):
    """The operation was given up. What a mutation writes is all there or not at all."""

    code = "TIMEOUT"
    status = 503


def answer(error: RunsError) -> dict[str, Any]:
    """The GraphQL answer that says so."""
    return {"errors": [{"message": error.message, "extensions": dict(error.extensions)}]}
