"""What `graphql-runs import` does, without the command line around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import uvloop

from graphql_runs.ingest.host import Host, RemoteConfig, SourceConfig, load_plugins
from graphql_runs.ingest.once import Loaded, Told, read_once
from graphql_runs.model.errors import RunsError
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.application import ingest_limits, readable, record_limits
from graphql_runs.server.fault import CommandError
from graphql_runs.server.logs import configure_logging
from graphql_runs.server.opening import open_store
from graphql_runs.server.settings import Settings

_SHOWN = 20


def load(settings: Settings, sources: Sequence[SourceConfig | RemoteConfig], told: Told) -> Loaded:
    """Take in what the sources hold now. Raises CommandError when the store cannot be opened."""
    configure_logging("error")
    try:
        return uvloop.run(_load(settings, sources, told))
    except RunsError as error:
        raise CommandError(error.message) from error


async def _load(settings: Settings, sources: Sequence[SourceConfig | RemoteConfig], told: Told) -> Loaded:
    store = await open_store(settings.store)
    try:
        recorder = Recorder(store, record_limits(settings))
        try:
            host = Host(
                recorder, load_plugins(settings.plugins), sources, ingest_limits(settings), final=True
            )
            readable(host)
            return await read_once(host, told)
        finally:
            await recorder.close()
    finally:
        await store.close()


def report(loaded: Loaded, *, everything: bool) -> list[str]:
    """What came of it, line by line. Long lists of files that nobody reads are cut unless `everything` is asked for."""
    points, lines = loaded.known
    sources = f"{_counted(loaded.runs, 'run')} from {_counted(loaded.files, 'file')}"
    new = f"{_counted(loaded.points, 'point')} and {_counted(loaded.lines, 'line')} of text"
    found = [f"imported {sources}: {new}"]
    if points or lines:
        found.append(f"{_counted(points, 'point')} and {_counted(lines, 'line')} of them were there before")
    found += [f"skipped {one}" for one in loaded.skipped]
    if loaded.unlisted:
        found.append(f"skipped {loaded.unlisted:,} more like these")
    unread = loaded.unread
    shown = unread if everything or len(unread) <= _SHOWN else unread[:_SHOWN]
    found += [f"skipped {path}: no plugin reads it" for path in shown]
    if len(shown) < len(unread):
        rest = Counter(PurePath(path).suffix or "no ending" for path in unread[len(shown) :])
        kinds = ", ".join(f"{count:,} {ending}" for ending, count in rest.most_common(5))
        found.append(
            f"skipped {len(unread) - len(shown):,} more that no plugin reads ({kinds}); --all lists them"
        )
    return found


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
