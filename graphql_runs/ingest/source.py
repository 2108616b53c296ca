"""One source: who reads what in it, and keeping the readers in step with its files."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from graphql_runs.ingest.api import (
    PAUSES,
    QUIET_SECONDS,
    Context,
    File,
    Ingester,
    Limits,
    RunFolder,
    Unit,
)
from graphql_runs.ingest.folder import EXIT_FILE, FolderRun
from graphql_runs.ingest.follower import Changes, Follower
from graphql_runs.ingest.jobs import FolderJob, ReadJob, Shared
from graphql_runs.ingest.plan import Plan, Share, make_plan
from graphql_runs.ingest.reader import Reader
from graphql_runs.ingest.scan import Stopped
from graphql_runs.model.time import now

log = logging.getLogger(__name__)

_FRESH = 60_000_000
"""Micros for which a change counts as just made."""
_SETTLING = 0.5
"""Seconds that a new folder is given until it is taken for a run of its own: a plugin may claim it by a file to come."""
_RECOGNISED_BY = 65_536
"""Bytes at the beginning of a file by which plugins may recognise it."""
_PLAN_SHARE = 4
"""Planning takes one part in so many of the time, however often files come and go."""
_STIR_SECONDS = 0.5
"""A file that is only looked at may be large and change all the time: it is looked at so often at most."""
_ROUND_SECONDS = 5.0

Key = tuple[str, str | None, str]
"""A job by its plugin, root run and unit."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """A folder or file that is followed.

    name:    goes into the ids of runs that have none of their own; two sources of one workspace need different ones.
    plugins: names of the plugins that may read it, None for all.
    config:  settings by plugin name.
    exclude: names, or paths relative to the source, that are passed over; `*`, `?` and `[…]` as in a shell.
    """

    path: Path
    name: str
    workspace: str = "default"
    plugins: Sequence[str] | None = None
    config: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    exclude: Sequence[str] = ()

    @property
    def uri(self) -> str:
        """The path as people are shown it."""
        return os.fspath(self.path)


class Source:
    """A source that is followed until `close`.

    jobs:    what is read, by plugin, root run and key.
    shares:  the last plan, by plugin.
    clashes: what is not read because it is read from elsewhere, by plugin.
    """

    def __init__(
        self,
        config: SourceConfig,
        plugins: Mapping[str, tuple[Ingester, BaseModel]],
        shared: Shared,
        limits: Limits,
        poll_seconds: float,
    ) -> None:
        self.config = config
        self.follower = Follower(config.path, config.exclude, limits, shared.lookers, poll_seconds)
        self.jobs: dict[Key, ReadJob] = {}
        self.runs: dict[str, FolderJob] = {}
        self.shares: dict[str, Share] = {}
        self.clashes: dict[str, list[str]] = {}
        self.walked_at = self.planned_at = 0
        self._plugins = plugins
        self._shared = shared
        self._limits = limits
        self._takers: dict[str, ReadJob] = {}
        self._watchers: dict[str, list[ReadJob]] = {}
        self._stirred: set[ReadJob] = set()
        self._quiet: list[tuple[float, int, ReadJob]] = []
        self._count = itertools.count()
        self._first_seen: dict[str, float] = {}
        self._plan_due = 0.0
        self._plan_wanted = True
        self._task: asyncio.Task[None] | None = None

    @property
    def chosen(self) -> bool:
        """Who reads what is decided for all that is there, or nothing can be decided because it cannot be looked at."""
        return self.follower.error is not None or (self.planned_at > 0 and not self._plan_wanted)

    @property
    def error(self) -> str | None:
        """Why the source cannot be looked at."""
        return self.follower.error

    @property
    def unread(self) -> list[str]:
        """Paths of files that no plugin takes or looks at, exit codes of runs apart."""
        exits = {str(run.run.run.path / EXIT_FILE) for run in self.runs.values()}
        return [
            os.fspath(self.follower.folder / path)
            for path in self.follower.files
            if path not in self._takers
            and path not in exits
            and not any(place in self._watchers for place in (path, *map(str, PurePosixPath(path).parents)))
        ]

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Look no more."""
        self.follower.stop()

    async def close(self, seconds: float) -> None:
        """Stop noticing changes; what is being read is the workers' affair."""
        self.stop()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _follow(self) -> None:
        wait = 0.0
        while True:
            try:
                changes = await self.follower.changes(wait)
                if self.follower.walked is not None and self.follower.error is None:
                    self.walked_at = now()
                self._notice(changes)
                wait = _ROUND_SECONDS
                if self._plan_wanted and self.follower.walked is not None:
                    wait = self._plan_due - time.monotonic()
                    if wait <= 0:
                        wait = await self._plan()
                wait = min(wait, self._read_quiet())
            except Stopped:
                return
            except Exception:
                # A bug of ours; the source is looked at again, and everything else goes on.
                log.exception("following a source failed: source %s", self.config.path)
                wait = _ROUND_SECONDS

    # What changed

    def _notice(self, changes: Changes) -> None:
        self._plan_wanted |= bool(changes.gone)
        for path in changes.gone:
            self._stir(path, named=True)
        for path, (before, file) in changes.files.items():
            self._stir(path, named=before is None)
            self._plan_wanted |= before is None
            job = self._takers.get(path)
            if before is not None and before.inode != file.inode:
                self._plan_wanted = True  # rotated or replaced: the unit's files may be others now
            elif job is not None:
                self._touch(job, path, file)
                self._ask_again(job)
            elif before is not None and min(before.size, file.size) < _RECOGNISED_BY:
                self._plan_wanted = True
        if self.shares and any(path.rpartition("/")[2] == EXIT_FILE for path in changes.files):
            for run in self.runs.values():
                self._shared.work.submit(run)

    def _touch(self, job: ReadJob, path: str, file: File) -> None:
        job.seen[path] = file
        modified = file.modified_ns // 1000
        job.reader.modified_at = max(job.reader.modified_at, modified)
        fresh = modified > now() - _FRESH
        if fresh:
            self.follower.heat(path)
        self._shared.work.submit(job, fresh=fresh)
        if job.run is not None and job.run.run.declared:
            self._shared.work.submit(job.run)
        self._await_quiet(job)

    def _stir(self, path: str, *, named: bool) -> None:
        """Something happened to a file that units may look at without taking it."""
        if not self._watchers:
            return
        for place in (path, *map(str, PurePosixPath(path).parents)):
            for job in self._watchers.get(place, ()):
                if named:
                    self._stirred.add(job)  # its unit may be another one after the next plan
                else:
                    self._shared.work.submit_in(job, _STIR_SECONDS)

    def _ask_again(self, job: ReadJob) -> None:
        # Who reads everything once takes it as it was when it was planned.
        self._plan_wanted |= job.reader.unit.index and not self._shared.final

    # Files that are left alone

    def _await_quiet(self, job: ReadJob) -> None:
        if job.awaited:
            return
        for seconds in PAUSES:
            due = job.reader.modified_at / 1e6 + seconds + 0.1
            if due > time.time():
                job.awaited = True
                heapq.heappush(self._quiet, (due, next(self._count), job))
                return

    def _read_quiet(self) -> float:
        """Have those read on that were left alone long enough; gives seconds until the next."""
        while self._quiet and self._quiet[0][0] <= time.time():
            _, _, job = heapq.heappop(self._quiet)
            job.awaited = False
            if not job.gone:
                if job.reader.modified_at / 1e6 + QUIET_SECONDS <= time.time():
                    self._shared.work.submit(job)
                    self._ask_again(job)
                self._await_quiet(job)
        return max(0.05, self._quiet[0][0] - time.time()) if self._quiet else _ROUND_SECONDS

    # Who reads what

    async def _plan(self) -> float:
        """Ask the plugins, and follow what they choose. Gives seconds until something has to be done again."""
        began = time.monotonic()
        self._plan_wanted = False
        plan = await asyncio.get_running_loop().run_in_executor(
            self._shared.lookers,
            partial(
                make_plan,
                self.follower.folder,
                self.config.name,
                dict(self.follower.files),
                [plugin for plugin, _ in self._plugins.values()],
            ),
        )
        waiting = self._apply(plan)
        self.planned_at = now()
        ended = time.monotonic()
        self._plan_due = ended + (ended - began) * _PLAN_SHARE
        if waiting:
            self._plan_wanted = True
            self._plan_due = max(self._plan_due, ended + _SETTLING)
        return _ROUND_SECONDS if not self._plan_wanted else self._plan_due - ended

    def _apply(self, plan: Plan) -> bool:
        """Make the readers those of the plan. True when folders wait to be taken for runs."""
        self.shares = {share.plugin.name: share for share in plan.shares}
        self.clashes = {name: [] for name in self.shares}
        jobs: dict[Key, ReadJob] = {}
        runs: dict[str, FolderJob] = {}
        elsewhere: set[tuple[str, str]] = set()
        waiting = False
        for share in plan.shares:
            name = share.plugin.name
            if share.error is not None:
                # It could not choose: what it chose before goes on.
                jobs |= {key: job for key, job in self.jobs.items() if key[0] == name}
                continue
            context = Context(share.tree, self._plugins[name][1], self._limits, self._shared.final)
            for unit in share.units:
                if unit.run is not None and (name, unit.run.run_id) in elsewhere:
                    continue
                key = (name, unit.run.root_id if unit.run else None, unit.place)
                job = self.jobs.get(key)
                if job is None and unit.run is not None and self._settles(unit.run, unit, runs):
                    waiting = True
                    continue
                try:
                    run = self._run_of(unit.run, name, runs)
                    job = job or self._new(share.plugin, unit, context, run)
                except _Clash as clash:
                    self.clashes[name].append(str(clash))
                    if unit.run is not None and unit.run.whole:
                        elsewhere.add((name, unit.run.run_id))
                    continue
                if job.reader.unit.version != unit.version:
                    self._stirred.add(job)
                job.reader.unit, job.reader.context, job.run = unit, context, run
                jobs[key] = job
        self._replace(jobs)
        return waiting

    def _replace(self, jobs: dict[Key, ReadJob]) -> None:
        before, self.jobs = self.jobs, jobs
        for key, job in before.items():
            if jobs.get(key) is not job:
                job.gone = True
                self._disown(job.reader.root, job.reader.writer_name)
        old_runs, self.runs, self._takers, self._watchers = self.runs, {}, {}, {}
        for run in old_runs.values():
            run.units = []
        for job in jobs.values():
            if job.run is not None:
                self.runs[job.run.run.run.run_id] = job.run
                job.run.units.append(job)
            for path in map(str, job.reader.unit.files):
                self._takers[path] = job
                file = self.follower.files.get(path)
                if file is not None and job.seen.get(path) is not file:
                    self._touch(job, path, file)
            for path in map(str, job.reader.unit.watches):
                self._watchers.setdefault(path, []).append(job)
            if job in self._stirred or job.reader.outcome is None:
                self._shared.work.submit(job)
        self._stirred.clear()
        for run_id, run in old_runs.items():
            if self.runs.get(run_id) is not run:
                self._disown(run.run.run.root_id, run.run.writer_name)
        self._first_seen = {
            run_id: seen for run_id, seen in self._first_seen.items() if run_id not in self.runs
        }

    def _settles(self, run: RunFolder, unit: Unit, runs: Mapping[str, FolderJob]) -> bool:
        """Whether a folder is so new that a plugin may still claim it."""
        if self._shared.final or run.declared or run.run_id in runs or run.run_id in self.runs:
            return False
        seen = self._first_seen.setdefault(run.run_id, time.monotonic())
        modified = [
            file.modified_ns / 1e9 for path in unit.files if (file := self.follower.files.get(str(path)))
        ]
        young = min(modified, default=0.0) > time.time() - _SETTLING
        return young and time.monotonic() - seen < _SETTLING

    def _run_of(self, run: RunFolder | None, plugin: str, runs: dict[str, FolderJob]) -> FolderJob | None:
        if run is None or run.declared:
            return None
        found = runs.get(run.run_id) or self.runs.get(run.run_id)
        if found is None:
            shared = self._shared
            made = FolderRun(
                run, plugin, self.config.name, shared.records, self.config.workspace, shared.idle_seconds
            )
            self._own(run.root_id, made.writer_name, str(run.path))
            found = FolderJob(made, self.follower.folder, shared, lambda: self.follower.files)
        runs[run.run_id] = found
        return found

    def _new(self, plugin: Ingester, unit: Unit, context: Context, run: FolderJob | None) -> ReadJob:
        reader = Reader(plugin, unit, context, self._shared.records, self.config.workspace)
        self._own(reader.root, reader.writer_name, str(unit.files[0]) if unit.files else unit.key)
        return ReadJob(reader, run, self._shared)

    def _own(self, root: str | None, writer: str, path: str) -> None:
        """Only one job of the server may write under one name. Raises _Clash."""
        place = os.fspath(self.config.path / path)
        elsewhere = self._shared.owners.take(self, self.config.workspace, root, writer, place)
        if elsewhere is not None:
            raise _Clash(
                f"{path}: run {root!r} is read from {elsewhere} already; if they are different runs, "
                "give one of the sources another name"
            )

    def _disown(self, root: str | None, writer: str) -> None:
        self._shared.owners.leave(self, self.config.workspace, root, writer)


class _Clash(Exception):
    """It is read from elsewhere already."""
