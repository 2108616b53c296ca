"""Copying one run tree, from wherever an earlier copy left it."""

from __future__ import annotations

from collections.abc import Sequence

from graphql_runs.maintain.draft import Draft
from graphql_runs.maintain.mark import WRITER, Mark, read_mark
from graphql_runs.maintain.pieces import joined
from graphql_runs.maintain.recount import S, rows_of
from graphql_runs.maintain.walk import PAGE, all_positions, owned, read_items
from graphql_runs.model.change import Entry, Hint
from graphql_runs.model.errors import InvalidInput, NotFound, RunsError
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import now
from graphql_runs.store.port import Batch, Item, Position, Purge, Store, journal_of

_PASSES = 5


class Moved(RunsError):
    """The source's tree was written to while it was looked at."""


class TreeCopy:
    """One tree on its way from `source` to `target`. The counts are of what this call brings."""

    def __init__(self, source: Store, target: Store, root: str) -> None:
        self._source = source
        self._target = target
        self._root = root
        self._draft = Draft(root)
        self._row = 0
        self.created = 0
        self.points = 0
        self.text_bytes = 0
        self.blobs = 0
        self.problems: list[str] = []

    async def copy(self) -> bool:
        """Bring what is missing; False when nothing was.

        Where writers stand comes last, and only when nothing was written to the source's tree since before the first record
        was read: a writer that goes on in the target then finds exactly what it was acknowledged. Raises Moved when writers
        gave no rest, InvalidInput when the target's tree is not of this source's, Damage when rows cannot be read.
        """
        n = await self._end()
        if await self._begin() == n:
            return False
        for _ in range(_PASSES):
            await self._pass()
            positions = [at for at in await all_positions(self._source, self._root) if at.writer != WRITER]
            before, n = n, await self._end()
            if n == before:
                await self._stand(positions, n)
                return True
            # What the next pass compares with has to be in the target.
            await self._flush()
        raise Moved(f"the tree {self._root} is written to without a pause")

    async def _end(self) -> int:
        [n] = await self._source.ends([journal_of(self._root)])
        return n

    async def bury(self) -> None:
        """The tree was purged in the source: it goes from the target too, and its journal there says so, as otherwise a source
        that still has its files would bring it back."""
        n = await self._end()
        if await self._begin() == n:
            return
        if runs := await self._target.tree_runs(self._root):
            await self._purge(runs)
        entry = Entry(now(), purged=(self._root,))
        item = Item(self._row, self._row + 1, entry.encode())
        mark = Mark(self._source.epoch, n, self._row)
        await self._target.commit(Batch(self._root, item, positions=(mark.position(),)))

    async def _begin(self) -> int | None:
        """Find out where to go on; gives the row of the source's journal up to which all is there already."""
        [self._row] = await self._target.ends([journal_of(self._root)])
        mark = await read_mark(self._target, self._root)
        if mark is None and (self._row == 0 or not await self._target.tree_runs(self._root)):
            # A purge takes the mark away with the tree.
            return None
        if mark is None or mark.source != self._source.epoch:
            raise InvalidInput(f"the target holds {self._root} from somewhere else", field="target")
        # A mark may announce the purge that comes after it.
        if self._row not in (mark.row, mark.row + 1):
            raise InvalidInput(
                f"the target's {self._root} was written to since it was copied, so it cannot be copied again; copy into a new store",
                field="target",
            )
        return mark.n

    async def _purge(self, runs: Sequence[Run]) -> None:
        """Take runs away that the source does not have any more. They are gone with the mark if the root is among them."""
        await self._commit(None, announced=1)
        gone = tuple(run.id for run in runs)
        entry = Entry(now(), purged=gone)
        hints = tuple(Hint(run.workspace, run.id, run.root, now()) for run in runs)
        await self._target.purge(
            Purge(self._root, Item(self._row, self._row + 1, entry.encode()), gone, hints)
        )
        self._row += 1

    async def _pass(self) -> None:
        found = await self._source.tree_runs(self._root)
        if not found:
            raise Moved(f"the tree {self._root} went away")
        kept = {run.id for run in found}
        if gone := [run for run in await self._target.tree_runs(self._root) if run.id not in kept]:
            await self._purge(gone)
        for start in range(0, len(found), PAGE):
            await self._put_runs(found[start : start + PAGE])
        for run in found:
            async for metrics in owned(self._source, Metric, run.id):
                await self._streams(Metric, run, metrics)
            async for logs in owned(self._source, LogFile, run.id):
                await self._streams(LogFile, run, logs)
            async for artifacts in owned(self._source, Artifact, run.id):
                await self._artifacts(run, artifacts)

    async def _put_runs(self, runs: Sequence[Run]) -> None:
        held = await self._target.get(Run, [run.id for run in runs])
        for run, old in zip(runs, held, strict=True):
            if run != old:
                await self._put(run, run, old)
                self.created += old is None

    async def _streams(self, kind: type[S], run: Run, records: Sequence[S]) -> None:
        ids = [record.id for record in records]
        held = await self._target.get(kind, ids)
        ends = await self._target.ends(ids)
        for record, old, end in zip(records, held, ends, strict=True):
            size = rows_of(record)
            if end > size:
                raise InvalidInput(
                    f"{record.id} ends at row {end} in the target and at row {size} in the source; it was made anew"
                    " there, so copy into a new store",
                    field="target",
                )
            await self._rows(record.id, end, size)
            if record != old:
                await self._put(record, run, old)

    async def _rows(self, stream: str, start: int, end: int) -> None:
        async for item in joined(stream, read_items(self._source, stream, start, end)):
            if not self._draft.append(stream, item):
                await self._flush()
                self._draft.append(stream, item)
            if stream.startswith("metric_"):
                self.points += item.end - item.start
            else:
                self.text_bytes += item.end - item.start
            await self._flush_full()

    async def _artifacts(self, run: Run, artifacts: Sequence[Artifact]) -> None:
        held = await self._target.get(Artifact, [artifact.id for artifact in artifacts])
        for artifact, old in zip(artifacts, held, strict=True):
            if artifact.blob is not None:
                await self._blob(artifact, artifact.blob)
            if artifact != old:
                await self._put(artifact, run, old)

    async def _blob(self, artifact: Artifact, sha256: str) -> None:
        if await self._target.blob_size(sha256) is not None:
            return
        size = await self._source.blob_size(sha256)
        if size is None:
            self._trouble(f"{artifact.id}: the source lacks its blob {sha256}")
            return
        try:
            found, _ = await self._target.put_blob(self._source.read_blob(sha256, 0, size), limit=size)
        except NotFound:
            self._trouble(f"{artifact.id}: the source lacks its blob {sha256}")
            return
        if found != sha256:
            self._trouble(
                f"{artifact.id}: the source's blob {sha256} is damaged, its content has the SHA-256 {found}"
            )
        self.blobs += 1

    def _trouble(self, text: str) -> None:
        # A further pass meets it again.
        if text not in self.problems:
            self.problems.append(text)

    async def _put(
        self,
        record: Run | Metric | LogFile | Artifact,
        run: Run,
        old: Run | Metric | LogFile | Artifact | None,
    ) -> None:
        self._draft.put(record, old)
        self._draft.touch(run)
        await self._flush_full()

    async def _stand(self, positions: Sequence[Position], n: int) -> None:
        for position in positions:
            self._draft.stand(position)
            await self._flush_full()
        # With something missing the tree is not done: the next call looks at it again.
        await self._commit(None if self.problems else n)

    async def _flush_full(self) -> None:
        if self._draft.full:
            await self._flush()

    async def _flush(self) -> None:
        if not self._draft.empty:
            await self._commit(None)

    async def _commit(self, n: int | None, *, announced: int = 0) -> None:
        """Commit the draft, with the mark that all up to row `n` of the source's journal is there, or that it is not yet, and
        how many rows of ours come after it."""
        mark = Mark(self._source.epoch, n, self._row + announced)
        await self._target.commit(self._draft.batch(mark, self._row))
        self._row += 1
        self._draft = Draft(self._root)
