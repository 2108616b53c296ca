"""Looking at the journal of a run tree: does it name what there is, and all that there is?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql_runs.maintain.findings import Finding
from graphql_runs.maintain.mark import read_mark
from graphql_runs.maintain.walk import PAGE
from graphql_runs.model import ids
from graphql_runs.model.change import Entry, Growth
from graphql_runs.model.errors import RunsError, StoreUnavailable
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.store.port import Item, Store, journal_of

_AT_ONCE = 1 << 20


@dataclass(slots=True)
class JournalLook:
    """What is wrong with a journal.

    broken: what nobody can follow: entries that are missing, cannot be read, or name rows that do not exist.
    behind: growth that the journal does not tell of.
    """

    root: str
    broken: list[str] = field(default_factory=list)
    behind: list[Growth] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """The same for people."""
        return [
            *(Finding(self.root, f"its journal {problem}", repairable=True) for problem in self.broken),
            *(
                Finding(
                    self.root,
                    f"its journal tells of {growth.start} rows of {growth.id}, which has {growth.end}",
                    repairable=True,
                )
                for growth in self.behind
            ),
        ]


async def look_at_tree(store: Store, root: str) -> list[Finding]:
    """The tree of a root run: its journal, and whether it is a copy that was never finished."""
    [run] = await store.get(Run, [root])
    if run is None:
        return []
    findings = (await look_at_journal(store, root)).findings
    mark = await read_mark(store, root)
    if mark is not None and mark.n is None:
        findings.append(Finding(root, "the copy of this tree is not finished; run `store copy` again"))
    return findings


async def look_at_journal(store: Store, root: str) -> JournalLook:
    """Read a journal from its first entry that is left to its end, and compare it with the streams it names."""
    reading = _Reading(store, root)
    await reading.go_on()
    look = JournalLook(root, reading.problems)
    if not reading.row and not look.broken:
        look.broken.append("is empty")
    counts: dict[str, int] = {}
    for batch in _batches(await reading.told_of_runs()):
        counts |= await _compare(store, reading, batch, look)
    # What the records count may have been told only after the journal was read.
    short = {id: count for id, count in counts.items() if reading.told(id) < count}
    if short:
        await reading.go_on()
        look.behind = [
            Growth(id, reading.told(id), count) for id, count in short.items() if reading.told(id) < count
        ]
    return look


async def _compare(
    store: Store, reading: _Reading, batch: Sequence[str], look: JournalLook
) -> dict[str, int]:
    """Note rows that are told of and do not exist; gives how many rows the records count."""
    ends = await store.ends(batch)
    metrics = [id for id in batch if id.startswith("metric_")]
    logs = [id for id in batch if not id.startswith("metric_")]
    counts = {metric.id: metric.count for metric in await store.get(Metric, metrics) if metric is not None}
    counts |= {log.id: log.size for log in await store.get(LogFile, logs) if log is not None}
    for id, end in zip(batch, ends, strict=True):
        if id not in counts:
            look.broken.append(f"tells of {id}, which does not exist")
        elif reading.told(id) > end:
            look.broken.append(f"tells of {reading.told(id)} rows of {id}, which has {end}")
    return counts


class _Reading:
    """How far every stream has grown, by what the journal says up to `row`."""

    def __init__(self, store: Store, root: str) -> None:
        self._store = store
        self._root = root
        self._grown: dict[str, dict[str, int]] = {}
        """By run and stream, as runs begin anew after a purge."""
        self.row = 0
        self.problems: list[str] = []

    def told(self, id: str) -> int:
        return self._grown.get(ids.run_of(id), {}).get(id, 0)

    async def told_of_runs(self) -> list[str]:
        """The streams of runs that exist: those of others were told of before they were purged."""
        found: list[str] = []
        for batch in _batches(list(self._grown)):
            runs = await self._store.get(Run, batch)
            for run in runs:
                if run is not None and run.root == self._root:
                    found.extend(self._grown[run.id])
        return found

    async def go_on(self) -> None:
        """Read to the journal's end."""
        journal = journal_of(self._root)
        [end] = await self._store.ends([journal])
        while self.row < end:
            try:
                items = await self._store.read(journal, self.row, end=end, limit=_AT_ONCE)
            except StoreUnavailable as error:
                await self._store.check()
                self._broken(f"cannot be read from entry {self.row} on: {error.message}")
                self.row = end
                return
            if not items:
                self._broken(f"lacks entries [{self.row}, {end})")
                self.row = end
                return
            for item in items:
                self._take(item)

    def _take(self, item: Item) -> None:
        # What comes before the first entry that is left was trimmed.
        if item.start > self.row > 0:
            self._broken(f"lacks entries [{self.row}, {item.start})")
        self.row = item.end
        try:
            entry = Entry.decode(item.data)
        except RunsError as error:
            self._broken(f"cannot be read at entry {item.start}: {error.message}")
            return
        for run in (*entry.purged, *(change.run for change in entry.runs if change.created)):
            self._grown.pop(run, None)
        for growth in (*entry.metrics, *entry.logs):
            self._grown.setdefault(ids.run_of(growth.id), {})[growth.id] = growth.end

    def _broken(self, problem: str) -> None:
        # A second reading starts where the first one ended, so nothing is met twice.
        self.problems.append(problem)


def _batches(found: Sequence[str]) -> list[Sequence[str]]:
    return [found[start : start + PAGE] for start in range(0, len(found), PAGE)]
