"""What the commands do, without the command line around it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graphql_runs.ingest.host import SourceConfig
from graphql_runs.model.errors import RunsError
from graphql_runs.server.settings import ENV_PREFIX, Settings


class CommandError(Exception):
    """A command cannot go on; the message says why and is all that a person needs."""


def read_settings(**given: Any) -> Settings:
    """Settings from these values (None where not given), else the environment. Raises CommandError naming the setting."""
    from pydantic import ValidationError

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else "?"
            lines.append(f"setting {name} ({ENV_PREFIX}{name.upper()}): {problem['msg']}")
        raise CommandError("\n".join(lines)) from None


def source(text: str, workspace: str) -> SourceConfig:
    """The source of `[NAME=]PATH`. Raises CommandError when nothing is there."""
    name, equals, rest = text.partition("=")
    # A path may hold a `=` itself; then it exists as it is written.
    named = bool(equals and name and rest and "/" not in name and not Path(text).exists())
    path = Path(rest if named else text).expanduser()
    if not path.exists():
        raise CommandError(f"{path} does not exist")
    path = path.resolve()
    return SourceConfig(path=path, name=name if named else path.name or "root", workspace=workspace)


def run(settings: Settings, sources: Sequence[SourceConfig], started: Callable[[str], None]) -> None:
    """Serve until a signal says stop; `started` is given the address once it answers. Raises CommandError."""
    # Nothing of what is imported and built at the start is ever garbage, so looking for some is wasted time: a fifth of the start.
    gc.disable()
    import uvloop

    from graphql_runs.server.logs import configure_logging
    from graphql_runs.server.process import serve

    def answering(address: str) -> None:
        gc.freeze()
        gc.enable()
        started(address)

    configure_logging(settings.log_level)
    try:
        uvloop.run(serve(settings, sources, answering))
    except RunsError as error:
        raise CommandError(error.message) from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        return
    finally:
        gc.enable()


def schema_text() -> str:
    """The schema as SDL."""
    from graphql_runs.schema.build import print_schema

    return print_schema()


def plugin_rows(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Name, stability, version and description of every ingester and receiver that is installed; a broken one says why."""
    from graphql_runs.ingest.plugins import find_receivers, load_plugins
    from graphql_runs.server.logs import configure_logging

    configure_logging("critical")
    return [
        (
            report.name,
            (report.stability or "broken").lower(),
            report.version,
            report.error or report.description or "",
        )
        for report in (
            *load_plugins(settings.plugins).reports,
            *(found.report for found in find_receivers(settings.plugins)),
        )
    ]
