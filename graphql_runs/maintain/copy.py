"""Copying a store into another one through the port alone.

Every tree of the target carries a mark (`mark.Mark`) that says how far it has come, so that a copy that was cut off goes on, and
one that is made again brings what was written to the source meanwhile. Journals begin anew in the target.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from graphql_runs.maintain.mark import read_mark
from graphql_runs.maintain.tree import Moved, TreeCopy
from graphql_runs.maintain.verify import Difference, verify_standing, verify_tree
from graphql_runs.maintain.walk import each, scan, streams
from graphql_runs.model import ids
from graphql_runs.model.errors import Conflict, InvalidInput
from graphql_runs.model.records import Cluster, Experiment, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.port import Loose, Store

TREES_AT_ONCE = 4
_JOURNALS = "journal_"

Told = Callable[[str, int, int], None]
"""Told the step (`copy`, then `verify`), how many runs it has done, and of how many."""


@dataclass(slots=True)
class CopyReport:
    """What a copy did. Counts are of this call: what an earlier one brought is only verified.

    behind:   roots of trees that were written to while they were copied; copying again brings the rest.
    problems: what could not be copied, or differs.
    """

    trees: int = 0
    runs: int = 0
    points: int = 0
    text_bytes: int = 0
    blobs: int = 0
    verified: int = 0
    behind: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """The target holds all that the source holds, and that was verified."""
        return not self.behind and not self.problems


async def copy_store(source: Store, target: Store, told: Told = lambda step, done, total: None) -> CopyReport:
    """Bring everything of `source` to `target`, which is empty or was begun by an earlier copy of the same source.

    Then both are read and compared: counts, and checksums of records and rows, tree by tree. Raises InvalidInput when the target
    holds anything else, Damage when a stream of the source cannot be read.
    """
    copying = _Copying(source, target, told)
    await copying.admit()
    await copying.standing()
    await copying.trees()
    await copying.verify()
    return copying.report


class _Copying:
    def __init__(self, source: Store, target: Store, told: Told) -> None:
        self._source = source
        self._target = target
        self._told = told
        self._total = 0
        self._unfinished: set[str] = set()
        self._numbers: dict[str, int] = {}
        """The highest number of a run by the experiment that counts it."""
        self.report = CopyReport()

    async def admit(self) -> None:
        """Raises InvalidInput when this target is not for this source."""
        source, target = self._source, self._target
        if source.epoch == target.epoch:
            raise InvalidInput("source and target are the same store", field="target")
        for run in await target.scan(Run, first=1):
            mark = await read_mark(target, run.root)
            if mark is None or mark.source != source.epoch:
                raise InvalidInput(
                    "the target is neither empty nor the beginning of a copy of this source; copy into a new store",
                    field="target",
                )
            return
        await self._admit_kind(Workspace)
        await self._admit_kind(Cluster)
        await self._admit_kind(Experiment)

    async def _admit_kind(self, kind: type[Loose]) -> None:
        async for page in scan(self._target, kind):
            if await self._source.get(kind, [record.id for record in page]) != page:
                raise InvalidInput(
                    f"the target is not empty: it has {page[0].id}; copy into a new store", field="target"
                )

    async def standing(self) -> None:
        """Workspaces, clusters and experiments."""
        await self._kind(Workspace)
        await self._kind(Cluster)
        await self._kind(Experiment)

    async def _kind(self, kind: type[Loose]) -> None:
        async for page in scan(self._source, kind):
            held = await self._target.get(kind, [record.id for record in page])
            for record, was in zip(page, held, strict=True):
                if record != was:
                    try:
                        await self._target.upsert(record, was)
                    except Conflict as error:
                        raise _busy(record.id) from error

    async def trees(self) -> None:
        """All run trees, and the counters that numbered their runs."""
        self._total = await self._source.count_runs(None)
        lost: set[str] = set()
        async for page in self._walk("copy", self._tree):
            for run in page:
                number = self._numbers.get(run.experiment, 0)
                self._numbers[run.experiment] = max(number, run.number)
            roots = sorted({run.root for run in page if run.id != run.root} - lost)
            found = await self._source.get(Run, roots)
            lost.update(root for root, run in zip(roots, found, strict=True) if run is None)
        await self._graves()
        for experiment, number in self._numbers.items():
            await self._target.raise_number(experiment, number)
        self.report.problems.extend(
            f"{root}: the root of a tree is missing in the source, so its runs are not copied"
            for root in sorted(lost)
        )

    async def _graves(self) -> None:
        """Trees that were purged: only their journals are left of them."""
        async for page in streams(self._source, _JOURNALS):
            roots = [ids.run_of(extent.stream) for extent in page if extent.stream.startswith(_JOURNALS)]
            found = await self._source.get(Run, roots)
            buried = [root for root, run in zip(roots, found, strict=True) if run is None]
            await each(buried, self._bury, TREES_AT_ONCE)
            if len(roots) < len(page):
                return

    async def _bury(self, root: str) -> None:
        try:
            await TreeCopy(self._source, self._target, root).bury()
        except Conflict as error:
            raise _busy(root) from error

    async def _walk(self, step: str, do: Callable[[str], Awaitable[None]]) -> AsyncGenerator[list[Run]]:
        """Do something for every tree of the source; gives the source's runs page by page."""
        done = 0

        def advance(runs: int) -> None:
            nonlocal done
            done += runs
            # Runs may have come since they were counted.
            self._told(step, done, max(done, self._total))

        async def one(root: str) -> None:
            await do(root)
            advance(1)

        async for page in scan(self._source, Run):
            roots = [run.id for run in page if run.id == run.root]
            advance(len(page) - len(roots))
            await each(roots, one, TREES_AT_ONCE)
            yield page

    async def _tree(self, root: str) -> None:
        tree = TreeCopy(self._source, self._target, root)
        try:
            changed = await tree.copy()
        except Moved:
            changed = True
            self._unfinished.add(root)
            self.report.behind.append(root)
        except Conflict as error:
            raise _busy(root) from error
        report = self.report
        report.trees += changed
        report.runs += tree.created
        report.points += tree.points
        report.text_bytes += tree.text_bytes
        report.blobs += tree.blobs
        if tree.problems:
            self._unfinished.add(root)
            report.problems += tree.problems

    async def verify(self) -> None:
        """Compare both sides and put what differs into the report."""
        async for _ in self._walk("verify", self._verify_tree):
            pass
        self.report.problems += [
            *await verify_standing(self._source, self._target, Workspace),
            *await verify_standing(self._source, self._target, Cluster),
            *await verify_standing(self._source, self._target, Experiment),
        ]
        async for page in scan(self._target, Run):
            found = await self._source.get(Run, [run.id for run in page])
            self.report.problems.extend(
                f"{run.id}: a run of the target that the source does not have"
                for run, origin in zip(page, found, strict=True)
                if origin is None
            )

    async def _verify_tree(self, root: str) -> None:
        if root in self._unfinished:
            return
        try:
            await verify_tree(self._source, self._target, root)
        except Moved:
            self.report.behind.append(root)
        except Difference as error:
            self.report.problems.append(error.message)
        else:
            self.report.verified += 1


def _busy(id: str) -> InvalidInput:
    return InvalidInput(
        f"{id} was written to in the target by somebody else while it was copied; a target is not to be used before"
        " its copy is complete",
        field="target",
    )
