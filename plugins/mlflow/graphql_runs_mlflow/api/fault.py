"""What goes wrong, in MLflow's words: `{"error_code": …, "message": …}` (mlflow/protos/databricks.proto, ErrorCode)."""

from __future__ import annotations

import logging
import secrets

from starlette.responses import JSONResponse

from graphql_runs.model.errors import AlreadyExists, NotFound, RunsError, StoreUnavailable
from graphql_runs_mlflow.message import SERVED_BY

log = logging.getLogger(__name__)

INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "RESOURCE_DOES_NOT_EXIST"
EXISTS = "RESOURCE_ALREADY_EXISTS"
_UNKNOWN = "ENDPOINT_NOT_FOUND"
_BUSY = "TEMPORARILY_UNAVAILABLE"
_BUG = "INTERNAL_ERROR"
_STATUS = {INVALID: 400, EXISTS: 400, MISSING: 404, _UNKNOWN: 404, _BUG: 500, _BUSY: 503}


class Fault(Exception):
    """An answer that is an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Fault:
    """A parameter is wrong."""
    return Fault(INVALID, message)


def unknown(path: str) -> JSONResponse:
    """The answer to what is not served."""
    return _answer(_UNKNOWN, f"{path} is not served here; docs/mlflow.md of graphql-runs lists what is")


def shown(error: Exception) -> JSONResponse:
    """The answer for any error; what is a bug is logged and masked."""
    match error:
        case Fault():
            return _answer(error.code, str(error))
        case NotFound():
            return _answer(MISSING, error.message)
        case AlreadyExists():
            return _answer(EXISTS, error.message)
        case StoreUnavailable():
            return _answer(_BUSY, error.message)
        case RunsError():
            return _answer(INVALID, error.message)
    id = secrets.token_hex(8)
    log.error("a request of an MLflow client failed: id %s", id, exc_info=error)
    return _answer(_BUG, f"internal error {id}")


def _answer(code: str, message: str) -> JSONResponse:
    return JSONResponse(
        {"error_code": code, "message": message}, _STATUS[code], headers={SERVED_BY: "mlflow"}
    )
