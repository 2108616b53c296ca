"""What is old goes away, behind everybody's backs and within bounds.

Runs that ended long ago go to the trash, what has long been in the trash is purged, old entries of journals are trimmed, and
blobs that no artifact names are deleted. Each step looks for what is due and does it, so a round that was cut off, or that
another process does at the same time, leaves nothing half-done, and the next one goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from graphql_runs.model.change import Entry
from graphql_runs.model.errors import InvalidInput, NotFound, RunsError, StoreUnavailable
from graphql_runs.model.filter import And, Attribute, AttributeField, Compare, Key, Op, Order, RunFilter
from graphql_runs.model.operation import TrashRun
from graphql_runs.model.records import Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.status import StatusClass
from graphql_runs.model.time import Micros, from_text, now
from graphql_runs.record.recorder import Recorder
from graphql_runs.record.rounds import Rounds
from graphql_runs.record.trash import RESTORED_AT
from graphql_runs.store.port import Extent, Store, journal_of

log = logging.getLogger(__name__)

_DAY = 86_400_000_000
_SWEEP_SECONDS = 3600.0
"""A sweep looks at all blobs, so it is not made in every round."""
_TRIM_ROWS = 10_000
"""Entries that go at once: writers have their turn in between."""
_JOURNALS = journal_of("")
"""How the names of all journals begin."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept.

    trash_days:      days in the trash before a purge; 0 purges nothing.
    retain_days:     days since its end (or since it came back from the trash) before a root run goes to the trash; None never.
    journal_entries: newest entries of a tree's journal that always stay, and journal_days: days in which all stay.
    blob_days:       days that a blob may be without an artifact.
    pause:           seconds between rounds; 0 turns them off.
    runs, journals:  most runs that one step of a round looks at, most journals.
    trims:           most entries that a round trims.
    """

    trash_days: float = 30.0
    retain_days: float | None = None
    journal_entries: int = 10_000
    journal_days: float = 1.0
    blob_days: float = 1.0
    pause: float = 60.0
    runs: int = 100
    journals: int = 1000
    trims: int = 200_000


_KEEPING = Keeping()


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: root runs trashed, runs purged (those below others too), entries trimmed, blobs deleted."""

    trashed: int = 0
    purged: int = 0
    trimmed: int = 0
    blobs: int = 0


class Retention(Rounds):
    """The background task of one server process."""

    def __init__(self, store: Store, recorder: Recorder, keeping: Keeping = _KEEPING) -> None:
        super().__init__("retention", keeping.pause)
        self._store = store
        self._recorder = recorder
        self._keeping = keeping
        # Where the next round goes on, so that what cannot be done now does not hinder the rest.
        self._ended_after: Key | None = None
        self._trashed_after: Key | None = None
        self._journal_after = _JOURNALS
        self._swept = -_SWEEP_SECONDS

    async def round(self) -> Round:
        """Do what is due now, within the bounds of one round. Raises StoreUnavailable."""
        done = Round(
            trashed=await self._trash_ended(),
            purged=await self._purge_trashed(),
            trimmed=await self._trim(),
            blobs=await self._sweep(),
        )
        if done != Round():
            log.info(
                "retention: %s runs trashed, %s purged, %s journal entries trimmed, %s blobs deleted",
                done.trashed,
                done.purged,
                done.trimmed,
                done.blobs,
            )
        return done

    # Runs

    async def _trash_ended(self) -> int:
        days = self._keeping.retain_days
        if days is None:
            return 0
        before = _ago(days)
        due = And(
            (
                Compare(AttributeField(Attribute.ENDED_AT), Op.LT, before),
                Compare(AttributeField(Attribute.STATUS_CLASS), Op.EQ, str(StatusClass.TERMINAL)),
                Compare(AttributeField(Attribute.DEPTH), Op.EQ, 0),
                Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, False),
            )
        )
        runs, self._ended_after = await self._page(due, Attribute.ENDED_AT, self._ended_after)
        done = 0
        for run in runs:
            if _restored_at(run) < before:
                done += await self._trash(run)
        return done

    async def _trash(self, run: Run) -> bool:
        [workspace] = await self._store.get(Workspace, [run.workspace])
        if workspace is None:
            return False
        try:
            await self._recorder.record(workspace.name, [TrashRun(run.run_id)], create=False)
        except NotFound:
            return False  # purged meanwhile
        except StoreUnavailable:
            raise
        except RunsError as error:
            log.warning("an old run cannot be trashed: run %s, error %s", run.id, error)
            return False
        log.info("trashed since it ended long ago: run %s, name %s", run.id, run.name)
        return True

    async def _purge_trashed(self) -> int:
        if not self._keeping.trash_days:
            return 0
        before = _ago(self._keeping.trash_days)
        due = Compare(AttributeField(Attribute.TRASHED_AT), Op.LT, before)
        runs, self._trashed_after = await self._page(due, Attribute.TRASHED_AT, self._trashed_after)
        gone: set[str] = set()
        for run in runs:
            if run.id not in gone:
                gone.update(await self._purge(run, before))
        return len(gone)

    async def _purge(self, run: Run, before: Micros) -> Sequence[str]:
        try:
            purged = await self._recorder.purge(run.id, trashed_before=before)
        except (NotFound, InvalidInput):
            return ()  # purged or restored meanwhile
        except StoreUnavailable:
            raise
        except RunsError as error:
            log.warning("a trashed run cannot be purged: run %s, error %s", run.id, error)
            return ()
        log.info("purged from the trash: run %s, name %s, runs %s", run.id, run.name, len(purged.runs))
        return purged.runs

    async def _page(
        self, due: RunFilter, by: Attribute, after: Key | None
    ) -> tuple[Sequence[Run], Key | None]:
        """The next runs that are due, the longest overdue and of these the upper ones first, and where the next page begins."""
        order = (Order(AttributeField(by)), Order(AttributeField(Attribute.DEPTH)))
        found = await self._store.find_runs(due, order, after=after, first=self._keeping.runs)
        key = found[-1].key if len(found) == self._keeping.runs else None
        return [entry.run for entry in found], key

    # Journals and blobs

    async def _trim(self) -> int:
        """Trim the next journals; the round after the last of them begins with the first."""
        left = self._keeping.trims
        extents = await self._store.streams(after=self._journal_after, first=self._keeping.journals)
        for extent in extents:
            if not extent.stream.startswith(_JOURNALS) or left <= 0:
                break
            left -= await self._trim_one(extent, left)
            if left > 0:
                self._journal_after = extent.stream
        else:
            if len(extents) == self._keeping.journals:
                return self._keeping.trims - left
        if left > 0:
            self._journal_after = _JOURNALS
        return self._keeping.trims - left

    async def _trim_one(self, extent: Extent, most: int) -> int:
        """Forget entries that are neither new nor among the newest; gives how many went."""
        row = min(extent.end - self._keeping.journal_entries, extent.start + most)
        if row <= extent.start:
            return 0
        row = await self._first_since(extent.stream, extent.start, row, _ago(self._keeping.journal_days))
        root = f"run_{extent.stream.removeprefix(_JOURNALS)}"
        for before in (*range(extent.start + _TRIM_ROWS, row, _TRIM_ROWS), row):
            if before > extent.start:
                await self._store.trim(root, before)
        return row - extent.start

    async def _first_since(self, journal: str, low: int, high: int, since: Micros) -> int:
        """The first row of `[low, high)` whose entry is not older, `high` if all are: entries are in order of time."""
        while low < high:
            middle = (low + high) // 2
            items = await self._store.read(journal, middle, end=middle + 1)
            # Another process may have trimmed it meanwhile: then it was old.
            if items and items[0].start == middle and Entry.decode(items[0].data).at >= since:
                high = middle
            else:
                low = middle + 1
        return low

    async def _sweep(self) -> int:
        if time.monotonic() - self._swept < _SWEEP_SECONDS:
            return 0
        swept = await self._store.sweep_blobs(_ago(self._keeping.blob_days))
        self._swept = time.monotonic()
        return swept


def _ago(days: float) -> Micros:
    return now() - round(days * _DAY)


def _restored_at(run: Run) -> Micros:
    try:
        return from_text(run.properties.get(RESTORED_AT, ""))
    except ValueError:
        return 0
