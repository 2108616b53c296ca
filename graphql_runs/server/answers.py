"""What goes out to clients, as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from graphql_runs.schema.errors import shown as errors_shown
from graphql_runs.schema.scalars import encode_json
from graphql_runs.server.errors import Refused, answer


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as JSON. `errors` is the list alone when the operation was refused before anything was executed."""

    payload: bytes
    errors: bytes | None = None


def shown(result: ExecutionResult) -> Answer:
    """A result as clients get it. Without execution there are no data, not even null."""
    errors = [error.formatted for error in result.errors or ()]
    if isinstance(result, PreExecutionError) or (
        result.data is None and errors and not any("path" in error for error in errors)
    ):
        return Answer(encode_json({"errors": errors}), encode_json(errors))
    try:
        return Answer(
            encode_json({"data": result.data, "errors": errors} if errors else {"data": result.data})
        )
    except TypeError as error:
        # Something that JSON does not have: a bug, to be masked like any other.
        masked = errors_shown(GraphQLError(str(error), original_error=error), executing=True).formatted
        return Answer(encode_json({"errors": [masked]}), encode_json([masked]))


def refused(error: Refused) -> Answer:
    """An operation that was not executed."""
    said = answer(error)
    return Answer(encode_json(said), encode_json(said["errors"]))
