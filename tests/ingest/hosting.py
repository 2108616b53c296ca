"""Running a host in a test, and waiting for what it does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from graphql_runs.ingest.api import Ingester, Limits
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.writer import Records
from graphql_runs.model.source import SourceReport, SourceState
from tests.ingest.plugin import Points

LIMITS = Limits(delivery_bytes=64)


def append(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come about")


def more_than(things: Sequence[object], number: int) -> Callable[[], bool]:
    return lambda: len(things) > number


def following(host: Host) -> Callable[[], bool]:
    return lambda: state(host) is SourceState.FOLLOWING


def report(host: Host, plugin: str = "points") -> SourceReport | None:
    return next((one for one in host.reports() if one.plugin == plugin), None)


def state(host: Host, plugin: str = "points") -> SourceState | None:
    found = report(host, plugin)
    return None if found is None else found.state


@asynccontextmanager
async def hosted(
    records: Records,
    *sources: SourceConfig | Path,
    plugins: Sequence[Ingester] | None = None,
    limits: Limits = LIMITS,
    idle_seconds: float = 3600.0,
) -> AsyncIterator[Host]:
    configs = [one if isinstance(one, SourceConfig) else SourceConfig(one, "src") for one in sources]
    host = Host(records, plugins or [Points()], configs, limits, poll_seconds=0.1, idle_seconds=idle_seconds)
    await host.start()
    try:
        yield host
    finally:
        await host.close()
