"""What the commands do, without the command line around it."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Sequence
from typing import Any

from graphql_runs.model.errors import RunsError
from graphql_runs.server.config import AnySource, Config, read_config
from graphql_runs.server.fault import CommandError
from graphql_runs.server.settings import ENV_PREFIX, Settings, settings_of


def read_settings(config: Config | None = None, **given: Any) -> Settings:
    """Settings from these values (None where not given), else the environment, else a file (`read_config` finds one unless it
    is given). Raises CommandError naming the setting."""
    from pydantic import ValidationError

    file = read_config() if config is None else config
    try:
        return settings_of(file.server, {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False):
            name = str(problem["loc"][0]) if problem["loc"] else "?"
            variable = f"{ENV_PREFIX}{name.upper()}"
            of_file = name in file.server and given.get(name) is None and variable not in os.environ
            place = f"{file.path}: server.{name}" if of_file else f"setting {name} ({variable})"
            reason = "there is no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
            lines.append(f"{place}: {reason}")
        raise CommandError("\n".join(lines)) from None


def run(settings: Settings, sources: Sequence[AnySource], started: Callable[[str], None]) -> None:
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


def plugin_rows(settings: Settings) -> list[tuple[str, str, str, str, str]]:
    """Name, kind, stability, version and description of every plugin that is installed; a broken one says why."""
    from graphql_runs.ingest.plugins import find_receivers, load_plugins
    from graphql_runs.server.logs import configure_logging

    configure_logging("critical")
    return [
        (
            report.name,
            report.kind.lower(),
            (report.stability or "broken").lower(),
            report.version,
            report.error or report.description or "",
        )
        for report in (
            *load_plugins(settings.plugins).reports,
            *(found.report for found in find_receivers(settings.plugins)),
        )
    ]
