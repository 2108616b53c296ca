"""The server's own log: on standard error, as lines for people on a terminal and as JSON elsewhere."""

from __future__ import annotations

import logging
import sys
import warnings

import orjson

from graphql_runs.model.time import to_text


class _Json(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": to_text(int(record.created * 1e6)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry).decode()


def configure_logging(level: str) -> None:
    """Log from this level on (a name of the standard library: debug, info, …). Libraries only log warnings and worse."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(message)s") if sys.stderr.isatty() else _Json()
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("graphql_runs").setLevel(level.upper())
    # A client that sends a wrong query is told so; that is no event of the server.
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)
    # Nor that graphql-core leaves the coroutines of fields behind that nobody waits for any more, as when a client goes.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
