"""Errors as clients see them: those meant for them with their code, all others masked.

GRAPHQL_PARSE_FAILED       the document is not GraphQL
GRAPHQL_VALIDATION_FAILED  the document does not fit the schema
BAD_USER_INPUT             a variable or an argument is wrong
LIMIT_EXCEEDED             the operation asks for too much
INTERNAL                   a bug; the message carries the id that the server's log has
…                          the codes of `model.errors`, and before execution those of `server.errors`
"""

from __future__ import annotations

import logging
import re
import secrets

from graphql import GraphQLError, GraphQLSyntaxError

from graphql_runs.model.errors import RunsError

log = logging.getLogger(__name__)

# How graphql-core 3.3 words it: Variable '$input' has invalid value at .points[0].values: …
_VARIABLE = re.compile(r"Variable '\$(?P<name>\w+)' has invalid value(?: at (?P<place>[^\s:]+))?:")
# Errors of a field that are about what was asked, not about what was found.
_ASKED = re.compile(r"Argument|Variable|OneOf Input")


def shown(error: GraphQLError, *, executing: bool) -> GraphQLError:
    """The error that the client is given for one that happened; `executing` is False before resolvers run."""
    if error.extensions and "code" in error.extensions:
        return error
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, RunsError):
        return _with(error, cause.message, dict(cause.extensions))
    if isinstance(error, GraphQLSyntaxError) or isinstance(cause, GraphQLSyntaxError):
        return _with(error, error.message, {"code": "GRAPHQL_PARSE_FAILED"})
    if (cause is None or isinstance(cause, GraphQLError)) and not (
        executing and error.path and not _ASKED.match(error.message)
    ):
        return _with(error, error.message, _extensions(error.message, executing))
    return _masked(error, cause or error)


def _extensions(message: str, executing: bool) -> dict[str, object]:
    if not executing:
        return {"code": "GRAPHQL_VALIDATION_FAILED"}
    found = _VARIABLE.match(message)
    place = {} if found is None else {"field": f"{found['name']}{found['place'] or ''}"}
    return {"code": "BAD_USER_INPUT", **place}


def _masked(error: GraphQLError, cause: BaseException) -> GraphQLError:
    id = secrets.token_hex(8)
    path = ".".join(map(str, error.path or ()))
    log.error("internal error: id %s, path %s", id, path, exc_info=cause)
    return _with(error, f"internal error {id}", {"code": "INTERNAL", "id": id})


def _with(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    """The same error in other words; where it happened stays."""
    return GraphQLError(
        message,
        error.nodes,
        error.source,
        error.positions,
        error.path,
        original_error=None,
        extensions=extensions,
    )
