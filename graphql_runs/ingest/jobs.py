"""What the workers of a host do: read a unit on, and keep a folder's run in step with its files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import File, Skipped
from graphql_runs.ingest.folder import Facts, FolderRun, gather
from graphql_runs.ingest.reader import Outcome, Reader
from graphql_runs.ingest.work import Job, Work
from graphql_runs.ingest.writer import Gone, Overtaken, Passing, Records, Refused
from graphql_runs.model.time import now

_SLICE_SECONDS = 0.25
"""How long a unit is read before others have their turn."""
_SETTLE_SECONDS = 1.0
"""A folder's status is looked at so often at most."""
_RETRY_SECONDS = 2.0


class Owners:
    """From where each thing is read: only one job of the server may write under one name."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, str], tuple[object, str]] = {}

    def take(self, owner: object, workspace: str, root: str | None, writer: str, place: str) -> str | None:
        """Let a source write what it reads at a place. Gives the place of another source that does so already, which keeps it."""
        if root is None:
            return None
        holder, held = self._taken.setdefault((workspace, root, writer), (owner, place))
        return None if holder is owner else held

    def leave(self, owner: object, workspace: str, root: str | None, writer: str) -> None:
        """Let others have it, if it is the source's."""
        key = (workspace, root or "", writer)
        if self._taken.get(key, (None, ""))[0] is owner:
            del self._taken[key]


@dataclass(frozen=True, slots=True)
class Shared:
    """What the jobs of one source share, `records` and `owners` with those of all others."""

    records: Records
    work: Work
    readers: Executor
    lookers: Executor
    idle_seconds: float
    owners: Owners
    final: bool = False
    """What is there is read once; nobody waits for more."""

    def stopping(self) -> bool:
        """Whether everything is to end soon."""
        return self.work.stopping


class FolderJob(Job):
    """A run that the host itself declares, from the units that are read of it."""

    def __init__(
        self, run: FolderRun, folder: Path, shared: Shared, known: Callable[[], Mapping[str, File]]
    ) -> None:
        self.run = run
        self.units: list[ReadJob] = []
        self.skipped: Skipped | None = None
        self.error: str | None = None
        self._folder = folder
        self._shared = shared
        self._known = known
        self._lock = asyncio.Lock()
        self._next = 0.0
        self._facts: Facts | None = None

    async def declare(self) -> None:
        """Make sure that the run is in the store. Raises what a Writer does."""
        if not self.run.declared:
            async with self._lock:
                if not self.run.declared:
                    await self._settle()
                    self._shared.work.submit_in(self, _SETTLE_SECONDS)

    async def perform(self) -> float | None:
        wait = self._next - time.monotonic()
        if wait > 0:
            return wait
        self._next = time.monotonic() + _SETTLE_SECONDS
        try:
            async with self._lock:
                facts = await self._settle()
        except (Passing, Overtaken) as error:
            self.error = str(error)
            return _RETRY_SECONDS
        except Gone as error:
            self.error, self.skipped = None, Skipped(str(self.run.run.path), str(error))
            return None
        except Refused as error:
            self.error = str(error)
            return None
        self.error = None
        due = self.run.due(facts)
        return None if due is None else max(0.1, (due - now()) / 1e6)

    async def finish(self) -> None:
        """Write what is known of the run by now, without waiting for its turn."""
        self._next = 0.0
        await self.perform()

    async def _settle(self) -> Facts:
        files: Sequence[PurePosixPath] = [path for job in self.units for path in job.reader.unit.files]
        ended = any(job.reader.counts.ended for job in self.units)
        facts, self.skipped = await asyncio.get_running_loop().run_in_executor(
            self._shared.lookers,
            partial(gather, self._folder, self.run.run, files, self._known(), ended=ended),
        )
        if facts.newest_path is None and self._facts is not None:
            # Its files went away: what they said last counts.
            facts = replace(self._facts, exit_code=facts.exit_code or self._facts.exit_code, ended=ended)
        self._facts = facts
        await self.run.settle(facts, now())
        return facts


class ReadJob(Job):
    """A unit that is read on whenever its files change."""

    def __init__(self, reader: Reader, run: FolderJob | None, shared: Shared) -> None:
        self.reader = reader
        self.run = run
        self.gone = False
        """The unit is no longer there."""
        self.caught_up = False
        """Everything that was there at the start is read, or was seen not to be readable."""
        self.seen: dict[str, File] = {}
        """The files as they were when they were last noticed."""
        self.awaited = False
        """Somebody waits for its files to be left alone."""
        self._shared = shared

    async def perform(self) -> float | None:
        reader = self.reader
        if self.gone or reader.outcome is Outcome.BROKEN:
            return None
        try:
            if self.run is not None:
                await self.run.declare()
        except (Passing, Overtaken) as error:
            reader.wait(str(error))
            return reader.delay
        except Gone as error:
            reader.give_up(str(error))
            self.caught_up = True
            return None
        except Refused as error:
            reader.refuse(str(error))
            self.caught_up = True
            return None
        ended = reader.counts.ended
        outcome = await reader.read(self._shared.readers, _SLICE_SECONDS, self._shared.stopping)
        if self.run is not None and ended != reader.counts.ended:
            self._shared.work.submit(self.run)
        match outcome:
            case Outcome.MORE:
                return 0.0
            case Outcome.LATER:
                return reader.delay
            case Outcome.STOPPED:
                return None
        self.caught_up = True
        return reader.delay or None if outcome is Outcome.FAILED else None
