"""One unit of a source: where it stands, and reading it on."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Protocol, runtime_checkable

from graphql_runs.ingest.api import Context, Delivery, Unit, Unreadable
from graphql_runs.ingest.work import back_off
from graphql_runs.ingest.writer import PERMANENT, Gone, Overtaken, Passing, Records, Refusal, Refused, Writer
from graphql_runs.model.errors import RunsError
from graphql_runs.model.operation import (
    Annotate,
    DescribeCluster,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
    SetStatus,
)
from graphql_runs.model.source import SkippedInput
from graphql_runs.model.time import Micros, now

log = logging.getLogger(__name__)

_KEPT = 10
"""Skipped inputs that a unit remembers."""
_TEXT = 500
"""Characters of a message that are kept."""
_BACK_OFF = (0.25, 60.0)
_RIGHTS_SECONDS = 15.0
_OLD = 60_000_000
"""Micros after which data is no sign that its run is alive now."""


class Outcome(Enum):
    """How a pass ended."""

    DONE = "everything there was is read"
    MORE = "there is more; others may go first"
    LATER = "a passing trouble; try again after `Reader.delay`"
    FAILED = "it cannot be read until one of its files changes"
    BROKEN = "the plugin has a bug; it is not tried again"
    GONE = "its run was purged; it is passed over unless that is created anew"
    STOPPED = "told to stop"


@dataclass(slots=True)
class Counts:
    """What was read of a unit since it was first seen."""

    points: int = 0
    lines: int = 0
    skipped: int = 0
    recent: deque[SkippedInput] = field(default_factory=lambda: deque(maxlen=_KEPT))
    ended: bool = False
    """The last status that was read for the unit's run is a terminal one."""

    @staticmethod
    def of(note: Mapping[str, object]) -> Counts:
        """From a note."""
        counts = Counts()
        match note:
            case {
                "points": int(points),
                "lines": int(lines),
                "skipped": int(skipped),
                "recent": list(recent),
                "ended": bool(ended),
            }:
                counts = Counts(points, lines, skipped, ended=ended)
                counts.recent.extend(SkippedInput(*entry) for entry in recent)
        return counts

    def copy(self) -> Counts:
        """A copy that can be changed."""
        return Counts(self.points, self.lines, self.skipped, self.recent.copy(), self.ended)

    def note(self, checkpoint: Mapping[str, object] | None) -> dict[str, object]:
        """For the store: the counts with the checkpoint they go with."""
        recent = [[entry.path, entry.reason, entry.line, entry.at] for entry in self.recent]
        return {
            "checkpoint": checkpoint,
            "points": self.points,
            "lines": self.lines,
            "skipped": self.skipped,
            "recent": recent,
            "ended": self.ended,
        }

    def skip(self, path: str, reason: str, line: int | None) -> None:
        """Count something that was left out."""
        self.skipped += 1
        self.recent.append(SkippedInput(path[:_TEXT], reason[:_TEXT], line, now()))

    def add(self, operation: RunOperation, run_id: str) -> None:
        """Count what an operation holds."""
        match operation:
            case LogPoints():
                self.points += len(operation.values)
            case LogRows():
                self.points += len(next(iter(operation.columns.values()), ()))
            case LogText():
                self.lines += operation.data.count(b"\n")
            case SetStatus(run_id=named) if named == run_id:
                self.ended = operation.status.terminal


class Reads(Protocol):
    """What a reader wants of a plugin."""

    @property
    def name(self) -> str:
        """The plugin's."""
        ...

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """As `Ingester.read`."""
        ...


class Reader:
    """A unit with its writer. Passes never overlap; `unit` and `context` may be replaced between them."""

    def __init__(self, plugin: Reads, unit: Unit, context: Context, records: Records, workspace: str) -> None:
        self.plugin = plugin
        self.unit = unit
        self.context = context
        self.counts = Counts()
        self.earlier: Counts | None = None
        """What had been read of it before; None until that is known."""
        self.outcome: Outcome | None = None
        self.error: str | None = None
        self.delay = 0.0
        self.last_read_at: Micros | None = None
        self.modified_at: Micros = 0
        """When a file of the unit was last changed; whoever watches the files keeps it."""
        self._records = records
        self._workspace = workspace
        self._checkpoint: Mapping[str, object] | None = None
        self._failures = 0
        self._waits_since: float | None = None
        self.root = None if unit.run is None else unit.run.root_id
        self.writer_name = f"{plugin.name}:{unit.place}"
        self._writer = None if self.root is None else Writer(records, workspace, self.root, self.writer_name)

    @property
    def silent_seconds(self) -> float:
        """How long the plugin has given nothing although it was asked to."""
        return 0.0 if self._waits_since is None else time.monotonic() - self._waits_since

    async def read(self, pool: Executor, seconds: float, stopping: Callable[[], bool]) -> Outcome:
        """Read on for about so many seconds. Never raises for what a file, a plugin or the store does."""
        try:
            outcome = await self._pass(pool, seconds, stopping)
            self._failures = 0
            self.error = None
        except Overtaken:
            outcome, self.delay = Outcome.LATER, random.uniform(0, 0.1)
        except (Passing, OSError) as error:
            outcome, self.error = self._later(str(error)), str(error)
        except Unreadable as error:
            # Rights may be given without any sign of it in the file.
            self.delay = _RIGHTS_SECONDS if isinstance(error.__cause__, OSError) else 0.0
            path = error.path or (str(self.unit.files[0]) if self.unit.files else None)
            outcome, self.error = (
                Outcome.FAILED,
                str(SkippedInput(path or self.unit.key, str(error), error.line)),
            )
        except Gone as error:
            outcome = self._pass_over(str(error))
        except Refused as error:
            outcome, self.error = Outcome.FAILED, f"{self.unit.key}: {error}"
        except Exception as error:
            log.exception("a plugin failed: plugin %s, unit %s", self.plugin.name, self.unit.key)
            outcome, self.error = Outcome.BROKEN, f"{self.unit.key}: {type(error).__name__}: {error}"
        self.outcome = outcome
        return outcome

    def wait(self, reason: str) -> None:
        """What has to come first does not work now."""
        self.outcome, self.error = self._later(reason), reason

    def refuse(self, reason: str) -> None:
        """What has to come first cannot be."""
        self.outcome, self.error = Outcome.FAILED, f"{self.unit.key}: {reason}"

    def give_up(self, reason: str) -> None:
        """The run is gone."""
        self.outcome = self._pass_over(reason)

    def _pass_over(self, reason: str) -> Outcome:
        self.error = None
        if self.outcome is not Outcome.GONE:
            path = str(self.unit.files[0]) if self.unit.files else self.unit.key
            self.counts.skip(path, reason, None)
        return Outcome.GONE

    def _later(self, reason: str) -> Outcome:
        self.delay = back_off(*_BACK_OFF, self._failures)
        self._failures += 1
        log.warning(
            "reading waits: plugin %s, unit %s, seconds %s, reason %s",
            self.plugin.name,
            self.unit.key,
            round(self.delay, 1),
            reason,
        )
        return Outcome.LATER

    async def _pass(self, pool: Executor, seconds: float, stopping: Callable[[], bool]) -> Outcome:
        if self._writer is not None and not self._writer.opened:
            note = await self._writer.open()
            self.counts = Counts.of(note)
            self.earlier = self.earlier or self.counts.copy()
            self._checkpoint = _checkpoint_of(note)
        loop = asyncio.get_running_loop()
        context = self.context
        if self._checkpoint is None and self.unit.after is not None:
            context = replace(context, after=await self._after(self.unit.after))
        deliveries = _Deliveries(self.plugin, self.unit, self._checkpoint, context)
        until = time.monotonic() + seconds
        # The next delivery is read while the one before is being written.
        ahead = loop.run_in_executor(pool, deliveries.next)
        try:
            while (delivery := await self._next(ahead)) is not None:
                more = not stopping() and time.monotonic() < until
                if more:
                    ahead = loop.run_in_executor(pool, deliveries.next)
                await self._take(delivery)
                if not more:
                    return Outcome.STOPPED if stopping() else Outcome.MORE
            return Outcome.DONE
        finally:
            await _finish(loop, pool, ahead, deliveries)

    async def _next(self, ahead: asyncio.Future[Delivery | None]) -> Delivery | None:
        self._waits_since = time.monotonic()
        try:
            return await ahead
        finally:
            self._waits_since = None

    async def _after(self, key: str) -> Mapping[str, object] | None:
        """The checkpoint of another unit of the run."""
        if self.root is None:
            return None
        name = f"{self.plugin.name}:{replace(self.unit, key=key).place}"
        return _checkpoint_of(await Writer(self._records, self._workspace, self.root, name).open())

    async def _take(self, delivery: Delivery) -> None:
        for cluster in delivery.clusters:
            await self._describe(cluster)
        self.last_read_at = now()
        counts = self.counts.copy()
        for skipped in delivery.skipped:
            counts.skip(skipped.path, skipped.reason, skipped.line)
        if not delivery.operations:
            # Nothing to write: it is kept with the next batch, or found out again after a restart.
            self.counts, self._checkpoint = counts, delivery.checkpoint
            return
        if self._writer is None:
            raise TypeError("a unit without a run gave operations of runs")
        assert self.unit.run is not None
        for operation in delivery.operations:
            counts.add(operation, self.unit.run.run_id)
        written = counts

        def note(refusals: Sequence[Refusal]) -> Mapping[str, object]:
            nonlocal written
            written = counts.copy()
            for refusal in refusals:
                self._refuse(written, refusal)
            return written.note(delivery.checkpoint)

        operations = [*delivery.operations, *self._signs_of_life(delivery.operations)]
        refusals = await self._writer.write(operations, note)
        if len(refusals) == len(operations):
            note(refusals)
        self.counts, self._checkpoint = written, delivery.checkpoint

    async def _describe(self, cluster: DescribeCluster) -> None:
        try:
            await self._records.describe_cluster(self._workspace, cluster)
        except PERMANENT as error:
            raise Refused(f"cluster {cluster.name!r}: {error}") from error
        except RunsError as error:
            raise Passing(str(error)) from error

    def _refuse(self, counts: Counts, refusal: Refusal) -> None:
        path = str(self.unit.files[0]) if self.unit.files else self.unit.key
        counts.skip(path, f"{type(refusal.operation).__name__} was refused: {refusal.error}", None)
        match refusal.operation:
            case LogPoints() | LogRows() | LogText():
                taken = Counts()
                taken.add(refusal.operation, "")
                counts.points -= taken.points
                counts.lines -= taken.lines

    def _signs_of_life(self, operations: Sequence[RunOperation]) -> list[RunOperation]:
        """Data counts as a heartbeat when it arrives; of data that has long been there, the file's time is one."""
        if not self.modified_at or self.modified_at > now() - _OLD:
            return []
        silent: dict[str, bool] = {}
        for operation in operations:
            match operation:
                case LogPoints() | LogRows() | LogText():
                    silent.setdefault(operation.run_id, True)
                case Annotate(heartbeat_at=int()):
                    silent[operation.run_id] = False
        return [
            Annotate(run_id, heartbeat_at=self.modified_at) for run_id, wanted in silent.items() if wanted
        ]


def _checkpoint_of(note: Mapping[str, object]) -> Mapping[str, object] | None:
    checkpoint = note.get("checkpoint")
    return checkpoint if isinstance(checkpoint, dict) else None


@runtime_checkable
class _Closes(Protocol):
    """What generators are."""

    def close(self) -> None: ...


class _Deliveries:
    """A plugin's deliveries, taken one by one in worker threads."""

    def __init__(
        self, plugin: Reads, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> None:
        self._start = partial(plugin.read, unit, checkpoint, context)
        self._iterator: Iterator[Delivery] | None = None

    def next(self) -> Delivery | None:
        """The next one, None after the last."""
        if self._iterator is None:
            self._iterator = iter(self._start())
        return next(self._iterator, None)

    def close(self) -> None:
        """Let the plugin close its files."""
        iterator: object = self._iterator
        if isinstance(iterator, _Closes):
            iterator.close()


async def _finish(
    loop: asyncio.AbstractEventLoop,
    pool: Executor,
    ahead: asyncio.Future[Delivery | None],
    deliveries: _Deliveries,
) -> None:
    """End a pass: the delivery that is being read ahead is let go, then the plugin closes its files."""
    await asyncio.wait([ahead])
    if not ahead.cancelled() and ahead.exception() is None and ahead.result() is not None:
        await loop.run_in_executor(pool, deliveries.close)
