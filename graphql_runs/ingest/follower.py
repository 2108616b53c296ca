"""Noticing what changes in a source's folder, soon where something is going on and at next to no cost elsewhere.

Three ways together: the file system tells of changes (`Watch`); files that grew lately are looked at ten times a second; and
for file systems that tell nothing, the times of folders are looked at every `poll_seconds`, everything every ten seconds.
Looking around is spaced so that it takes at most one part in a hundred of the time, however large the folder is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from graphql_runs.ingest.api import File, Limits
from graphql_runs.ingest.scan import Stopped, Walk, Walker, folders_changed, look
from graphql_runs.ingest.watch import Watch

log = logging.getLogger(__name__)
T = TypeVar("T")

_HOT_SECONDS = 60.0
_HOT_FILES = 256
_HOT_EVERY = 0.1
_WALK_EVERY = 10.0
_SPARING = 100
"""Looking around takes one part in so many of the time."""
_URGENT = 4
"""The same when something is known to have changed."""


@dataclass(slots=True)
class Changes:
    """What changed: by path, the file before (None when it is new) and now; and paths of files that went."""

    files: dict[str, tuple[File | None, File]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


class Follower:
    """The files of one source. `files` is what is there, in the order of paths, as far as it was noticed."""

    def __init__(
        self, path: Path, exclude: Sequence[str], limits: Limits, pool: Executor, poll_seconds: float
    ) -> None:
        self.folder = path
        self.files: dict[str, File] = {}
        self.walked: Walk | None = None
        self.error: str | None = None
        """Why the source itself cannot be read, or None."""
        self.wake = asyncio.Event()
        """Set it to have `changes` return soon."""
        self.stopped = False
        self._path = path
        self._exclude = exclude
        self._limits = limits
        self._pool = pool
        self._poll_seconds = poll_seconds
        self._walker: Walker | None = None
        self._watch: Watch | None = None
        self._hot: dict[str, float] = {}
        self._walk_due = self._folders_due = self._hot_due = self._urgent_due = 0.0
        self._urgent = False

    def stop(self) -> None:
        """Make `changes` raise Stopped."""
        self.stopped = True
        self.wake.set()
        self._unwatch()

    def heat(self, path: str) -> None:
        """This file is being written: look at it often for a while."""
        self._hot.pop(path, None)
        self._hot[path] = time.monotonic() + _HOT_SECONDS
        if len(self._hot) > _HOT_FILES:
            del self._hot[next(iter(self._hot))]

    async def changes(self, seconds: float) -> Changes:
        """What changed since the last call; waits for something to happen, for so many seconds at most.

        Raises Stopped. When the source itself cannot be read, `error` says why and nothing has changed.
        """
        await self._pause(seconds)
        if self.stopped:
            raise Stopped
        try:
            return await self._look()
        except OSError as error:
            self._fail(f"{self._path}: {error.strerror or error}")
            return Changes()

    async def _pause(self, seconds: float) -> None:
        clock = time.monotonic()
        dues = [clock + seconds, self._walk_due, self._folders_due]
        if self._hot:
            dues.append(self._hot_due)
        if self._urgent:
            dues.append(self._urgent_due)
        wait = min(dues) - clock
        if wait > 0 and not self.stopped:
            try:
                await asyncio.wait_for(self.wake.wait(), wait)
            except TimeoutError:
                return
        self.wake.clear()

    async def _look(self) -> Changes:
        told = self._told()
        clock = time.monotonic()
        if self._walk_due <= clock or (self._urgent and self._urgent_due <= clock):
            return await self._walk()
        if self.walked is not None and self._folders_due <= clock:
            changed = await self._run(partial(folders_changed, self.folder, self.walked.folders))
            self._folders_due = _spaced(clock, self._poll_seconds, _SPARING)
            if changed:
                return await self._walk()
        if self._hot and self._hot_due <= clock:
            self._cool(clock)
            told |= self._hot.keys() & self.files.keys()
            self._hot_due = clock + _HOT_EVERY
        return await self._check(told) if told else Changes()

    def _told(self) -> set[str]:
        """Files that the watch names. What it says of anything else calls for a walk."""
        news = self._watch.take() if self._watch is not None else {}
        if news is None:
            self._urgent = True
            return set()
        found: set[str] = set()
        for absolute, names in news.items():
            path = absolute[len(str(self.folder)) :].lstrip("/")
            if path in self.files:
                found.add(path)
            elif (
                names
                and self._walker is not None
                and self._walker.only is None
                and not self._walker.passes_over(path)
            ):
                self._urgent = True
        return found

    async def _check(self, paths: set[str]) -> Changes:
        changes = Changes()
        for path, file in (
            await self._run(partial(look, self.folder, {path: self.files[path] for path in paths}))
        ).items():
            if file is None:
                self._hot.pop(path, None)
                self._urgent = True
            else:
                changes.files[path] = (self.files[path], file)
                self.files[path] = file
        return changes

    async def _walk(self) -> Changes:
        clock = time.monotonic()
        if self._walker is None:
            folder = self._path.resolve()
            only = folder.name if folder.is_file() else None
            self.folder = folder.parent if only else folder
            self._walker = Walker(self.folder, self._limits, lambda: self.stopped, only, self._exclude)
        if self._watch is None:
            self._watch = Watch(self.folder, self.wake.set, recursive=self._walker.only is None)
            self._watch.start()
        before = self.files
        found = await self._run(partial(self._walker.walk, before))
        self.error = None
        self.files, self.walked = found.files, found
        every = max(_WALK_EVERY, self._poll_seconds) if self._watch.working else self._poll_seconds
        self._walk_due = _spaced(clock, every, _SPARING)
        self._folders_due = _spaced(clock, self._poll_seconds, _SPARING)
        self._urgent, self._urgent_due = False, _spaced(clock, _HOT_EVERY, _URGENT)
        files = {
            path: (before.get(path), file)
            for path, file in found.files.items()
            if before.get(path) is not file
        }
        return Changes(files, before.keys() - found.files.keys())

    def _fail(self, reason: str) -> None:
        if self.error != reason:
            log.warning("a source cannot be read: reason %s", reason)
        self.error = reason
        self._walk_due = time.monotonic() + self._poll_seconds
        self._folders_due = self._walk_due
        self._unwatch()
        self._walker = None

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _cool(self, clock: float) -> None:
        for path in [path for path, until in self._hot.items() if until < clock]:
            del self._hot[path]

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)


def _spaced(since: float, seconds: float, share: int) -> float:
    """When to do next what began at `since` and ends now: not before `seconds`, nor too often for what it costs."""
    clock = time.monotonic()
    return clock + max(seconds - (clock - since), (clock - since) * share)
