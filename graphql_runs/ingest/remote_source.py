"""One source that is no folder: asked again and again, and what it has read on whenever it changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel

from graphql_runs.ingest.api import Context, Delivery, Limits, Skipped, Tree, Unit, Unreadable
from graphql_runs.ingest.jobs import ReadJob, Shared
from graphql_runs.ingest.reader import Outcome, Reader
from graphql_runs.ingest.remote import Connection, Look, Remote, Seen
from graphql_runs.ingest.work import back_off
from graphql_runs.model.time import now

log = logging.getLogger(__name__)

_BACK_OFF = (1.0, 60.0)
_PERMANENT_SECONDS = 60.0
"""What is for good until something changes is looked at again so often."""

Key = tuple[str | None, str]
"""A unit by its root run and its place."""


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """An address that is asked.

    name:         shown to people, and used by the plugin where ids need one.
    config:       settings by plugin name.
    poll_seconds: pause between two looks; None takes the plugin's own.
    """

    address: str
    name: str
    workspace: str = "default"
    config: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    poll_seconds: float | None = None

    @property
    def uri(self) -> str:
        """The address without user and password."""
        return public_address(self.address)


def public_address(address: str) -> str:
    """An address without user, password and query, as people may see it."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True, slots=True)
class Asked:
    """An address with the plugin that takes it, connected."""

    plugin: Remote
    settings: BaseModel
    connection: Connection


class _Named:
    """A connection as a `Reader` wants it: with the name of its plugin."""

    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self._connection = connection

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """As `Connection.read`."""
        return self._connection.read(unit, checkpoint, context)


class RemoteJob(ReadJob):
    """A unit with the version that was seen last, and the one that was read to the end."""

    def __init__(self, reader: Reader, shared: Shared) -> None:
        super().__init__(reader, None, shared)
        self.wanted = ""
        self.read: str | None = None

    async def perform(self) -> float | None:
        version = self.wanted
        delay = await super().perform()
        if self.reader.outcome in {Outcome.DONE, Outcome.FAILED, Outcome.GONE}:
            self.read = version
        return delay


class RemoteSource:
    """A source that is asked until `close`.

    jobs:    what is read, by root run and place.
    skipped: what the last look left out.
    error:   why the last look failed; `passing` when it may be better next time.
    """

    def __init__(self, config: RemoteConfig, asked: Asked, shared: Shared, limits: Limits) -> None:
        self.config = config
        self.plugin = plugin = asked.plugin
        self.jobs: dict[Key, RemoteJob] = {}
        self.skipped: Sequence[Skipped] = ()
        self.clashes: list[str] = []
        self.error: str | None = None
        self.passing = False
        self.looked_at = 0
        self._poll = plugin.poll_seconds if config.poll_seconds is None else config.poll_seconds
        self._connection = asked.connection
        self._reads = _Named(plugin.name, self._connection)
        self._context = Context(Tree(Path(), config.name, ()), asked.settings, limits, shared.final)
        self._shared = shared
        self._failures = 0
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def chosen(self) -> bool:
        """What is there is known, or cannot be."""
        return self.looked_at > 0 or (self.error is not None and not self.passing)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()

    async def close(self, seconds: float) -> None:
        """End; a question that is being asked is left to its thread."""
        self.stop()
        if self._task is None:
            return
        _, late = await asyncio.wait([self._task], timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            self._connection.close()
        except Exception:
            log.exception("a plugin failed to close: plugin %s, source %s", self.plugin.name, self.config.uri)

    async def _follow(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            pause = await self._round(self._shared.lookers)
            if self._shared.final and self.chosen:
                return
            wait = max(0.0, pause - (time.monotonic() - began))
            try:
                await asyncio.wait_for(self._stopping.wait(), wait)
            except TimeoutError:
                continue

    async def _round(self, pool: Executor) -> float:
        """Look once. Gives the pause until the next look begins, counted from the beginning of this one."""
        try:
            look = await asyncio.get_running_loop().run_in_executor(pool, self._connection.look)
            self._apply(look)
        except Unreadable as error:
            return self._failed(str(error), passing=False)
        except OSError as error:
            return self._failed(str(error) or type(error).__name__, passing=True)
        except Exception as error:
            log.exception("a plugin failed: plugin %s, source %s", self.plugin.name, self.config.uri)
            return self._failed(f"{type(error).__name__}: {error}", passing=False)
        self.error, self._failures, self.looked_at = None, 0, now()
        return self._poll

    def _failed(self, reason: str, *, passing: bool) -> float:
        if reason != self.error:
            log.warning("a source does not answer: source %s, reason %s", self.config.uri, reason)
        self.error, self.passing = reason, passing
        if not passing:
            return _PERMANENT_SECONDS
        self._failures += 1
        return back_off(*_BACK_OFF, self._failures - 1)

    def _apply(self, look: Look) -> None:
        """Make the jobs those of a look, and have those read that changed."""
        self.skipped = look.skipped
        self.clashes = []
        before, self.jobs = self.jobs, {}
        for seen in look.units:
            unit = seen.unit
            key = (unit.run.root_id if unit.run else None, unit.place)
            if key in self.jobs:
                self.clashes.append(f"{unit.key}: it is there twice")
                continue
            job = before.get(key) or self._new(seen)
            if job is None:
                continue
            self.jobs[key] = job
            job.reader.unit = unit
            job.reader.modified_at = seen.modified_at
            job.wanted = seen.version
            if job.read != job.wanted:
                job.caught_up = False
                self._shared.work.submit(job)
        for key, job in before.items():
            if self.jobs.get(key) is not job:
                job.gone = True
                self._shared.owners.leave(
                    self, self.config.workspace, job.reader.root, job.reader.writer_name
                )

    def _new(self, seen: Seen) -> RemoteJob | None:
        reader = Reader(self._reads, seen.unit, self._context, self._shared.records, self.config.workspace)
        elsewhere = self._shared.owners.take(
            self, self.config.workspace, reader.root, reader.writer_name, self.config.uri
        )
        if elsewhere is not None:
            self.clashes.append(f"run {reader.root!r} is read from {elsewhere} already")
            return None
        return RemoteJob(reader, self._shared)
