"""Checking a store: everything is read, and compared with what it says of itself.

A store may be in use meanwhile: whatever looks wrong is looked at again until nothing was written to its run tree between two
looks, and is a finding only if it is still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from graphql_runs.maintain import look, repair
from graphql_runs.maintain.findings import CheckReport, Finding
from graphql_runs.maintain.journal import look_at_tree
from graphql_runs.maintain.unread import Unread, scan_readable
from graphql_runs.maintain.walk import streams
from graphql_runs.model import ids
from graphql_runs.model.errors import RunsError, StoreUnavailable
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.port import R, Store, journal_of

_ATTEMPTS = 20

Look = Callable[[Sequence[str]], Awaitable[list[Finding]]]
"""What is wrong with what these ids name."""
Mend = Callable[[str], Awaitable[None]]
Told = Callable[[str, int], None]
"""Told what is looked at (`runs`, `metrics`, …), and how much of it was."""


async def check_store(
    store: Store, *, mend: bool = False, blobs: bool = False, told: Told = lambda step, done: None
) -> CheckReport:
    """Look at everything in a store.

    mend:  repair what can be computed anew: summaries of metrics, sizes and lines of log files, journals.
    blobs: read all blobs, and compare their content with their SHA-256.

    Raises StoreUnavailable when the store as a whole cannot answer.
    """
    checking = _Checking(store, mend, told)
    await checking.kind("workspaces", Workspace, _nothing)
    await checking.kind("clusters", Cluster, partial(look.look_at_standing, store, Cluster))
    await checking.kind("experiments", Experiment, partial(look.look_at_standing, store, Experiment))
    await checking.kind("runs", Run, partial(look.look_at_runs, store))
    await checking.kind(
        "metrics", Metric, partial(look.look_at_metrics, store), partial(repair.mend_metric, store)
    )
    await checking.kind(
        "log files", LogFile, partial(look.look_at_logs, store), partial(repair.mend_log, store)
    )
    await checking.kind("artifacts", Artifact, partial(look.look_at_artifacts, store, blobs=blobs))
    await checking.journals()
    await checking.streams()
    return checking.report


async def _nothing(ids: Sequence[str]) -> list[Finding]:
    return []


class _Checking:
    def __init__(self, store: Store, mend: bool, told: Told) -> None:
        self._store = store
        self._mend = mend
        self._told = told
        self.report = CheckReport()

    async def kind(self, name: str, kind: type[R], look_at: Look, mend: Mend | None = None) -> None:
        """All records of a kind."""
        async for page in self._pages(name, kind):
            await self._look([record.id for record in page], look_at, mend)
            self._count(name, len(page))

    async def journals(self) -> None:
        """The journals of all trees."""
        async for page in self._pages(None, Run):
            roots = [run.id for run in page if run.id == run.root]
            for root in roots:
                await self._look([root], self._tree, partial(repair.mend_journal, self._store))
            self._count("trees", len(roots))

    async def _tree(self, roots: Sequence[str]) -> list[Finding]:
        return [finding for root in roots for finding in await look_at_tree(self._store, root)]

    async def streams(self) -> None:
        """Streams without an owner."""
        async for page in streams(self._store):
            extents = {extent.stream: extent for extent in page}

            async def look_at(names: Sequence[str]) -> list[Finding]:
                return await look.look_at_streams(self._store, [extents[name] for name in names])  # noqa: B023 # used at once

            await self._look(list(extents), look_at, None)
            self._count("streams", len(page))

    async def _pages(self, name: str | None, kind: type[R]) -> AsyncGenerator[list[R]]:
        async for page in scan_readable(self._store, kind):
            if isinstance(page, Unread):
                if name is not None:
                    self.report.findings.append(Finding(page.id, page.problem))
            else:
                yield page

    def _count(self, name: str, more: int) -> None:
        self.report.counts[name] += more
        self._told(name, self.report.counts[name])

    async def _look(self, ids: list[str], look_at: Look, mend: Mend | None) -> None:
        try:
            suspects = {finding.id for finding in await look_at(ids)}
        except StoreUnavailable as error:
            # What the store says of one damaged page it also says when it is not there at all.
            await self._store.check()
            if len(ids) > 1:
                for id in ids:
                    await self._look([id], look_at, mend)
                return
            self.report.findings.append(Finding(ids[0], error.message))
            return
        for id in sorted(suspects):
            await self._settle(id, look_at, mend)

    async def _settle(self, id: str, look_at: Look, mend: Mend | None) -> None:
        journal = journal_of(await self._root(id))
        findings: list[Finding] = []
        for attempt in range(_ATTEMPTS):
            before = await self._store.ends([journal])
            findings = await look_at([id])
            if not findings or before == await self._store.ends([journal]):
                break
            await asyncio.sleep(0.01 * attempt)
        if self._mend and mend is not None and any(finding.repairable for finding in findings):
            findings = await self._mended(id, findings, look_at, mend)
        self.report.findings += findings

    async def _mended(self, id: str, findings: list[Finding], look_at: Look, mend: Mend) -> list[Finding]:
        try:
            await mend(id)
        except StoreUnavailable:
            raise
        except RunsError as error:
            return [*findings, Finding(id, f"could not be repaired: {error.message}")]
        left = await look_at([id])
        still = {finding.problem for finding in left}
        known = {finding.problem for finding in findings}
        return [
            *(replace(finding, repaired=finding.problem not in still) for finding in findings),
            *(finding for finding in left if finding.problem not in known),
        ]

    async def _root(self, id: str) -> str:
        """The root of the tree that an id belongs to, as far as that can be found out."""
        if id.partition("_")[0] not in {"run", "metric", "log", "artifact", "journal"} or "_" not in id:
            return id
        run = ids.run_of(id)
        try:
            [found] = await self._store.get(Run, [run])
        except StoreUnavailable:
            return run
        return run if found is None else found.root
