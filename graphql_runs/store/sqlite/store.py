"""The adapter itself: every method of the port, put together from the files beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import apsw

from graphql_runs.model.change import Hint
from graphql_runs.model.filter import Key, Order, RunFilter
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs.store.port import (
    Batch,
    Capabilities,
    Extent,
    FoundRun,
    Item,
    Loose,
    Named,
    Position,
    Purge,
    R,
    Sizes,
    Wake,
)
from graphql_runs.store.sqlite import pages, reads, whole
from graphql_runs.store.sqlite.blobs import Blobs, folder_of
from graphql_runs.store.sqlite.lock import refuse_network
from graphql_runs.store.sqlite.readers import Readers
from graphql_runs.store.sqlite.wakes import Wakes
from graphql_runs.store.sqlite.writer import Writer

_MOUNTS = Path("/proc/self/mountinfo")


def _checked(path: Path) -> Path:
    path = path.resolve()
    refuse_network(path, _MOUNTS.read_text() if _MOUNTS.exists() else "")
    return path


class SqliteStore:
    """A store in one SQLite file, with its blobs in a folder beside it. Any number of processes may have it open."""

    def __init__(self, path: Path, writer: Writer, wakes: Wakes, epoch: str, read_threads: int) -> None:
        """Use `open`."""
        self._path = path
        self._writer = writer
        self._wakes = wakes
        self._readers = Readers(path, read_threads)
        self._blobs = Blobs(folder_of(path))
        self._epoch = epoch
        self._capabilities = Capabilities(
            name="sqlite",
            version=apsw.sqlite_lib_version(),
            change_notification=True,
            explain=True,
            backup=True,
            facts={"journal mode": "wal", "synchronous": "full", "file": path.name},
        )

    @classmethod
    async def open(
        cls, path: Path, *, create: bool = True, read_threads: int = 4, poll_seconds: float = 0.003
    ) -> SqliteStore:
        """Open the store of that file, and create it if there is none and `create` is set.

        read_threads: how many reads go on at once. poll_seconds: how often commits of other processes are looked for while
        somebody follows. Raises InvalidInput when no store can be there or another program's file is, NotFound when there
        is none and it may not be created, StoreUnavailable when the file is damaged or cannot be used now.
        """
        path = await asyncio.to_thread(_checked, path)
        wakes = Wakes(path, poll_seconds)
        writer = Writer(path, wakes.committed)
        epoch = await writer.open(create=create)
        return cls(path, writer, wakes, epoch, read_threads)

    @property
    def epoch(self) -> str:
        """See `Store.epoch`."""
        return self._epoch

    @property
    def capabilities(self) -> Capabilities:
        """See `Store.capabilities`."""
        return self._capabilities

    async def close(self) -> None:
        """See `Store.close`."""
        self._wakes.close()
        await self._readers.close()
        await self._writer.close()

    async def check(self) -> None:
        """See `Store.check`."""
        await self._readers.do(
            lambda cursor: cursor.execute("SELECT value FROM meta WHERE name = 'runs'").fetchone()
        )

    async def get(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """See `Store.get`."""
        return await self._readers.do(lambda cursor: reads.get(cursor, kind, ids))

    async def list_named(
        self,
        kind: type[Named],
        owner: str,
        *,
        after: str | None = None,
        first: int,
        contains: str | None = None,
        prefix: str | None = None,
        descending: bool = False,
    ) -> list[Named]:
        """See `Store.list_named`."""
        return await self._readers.do(
            lambda cursor: reads.list_named(
                cursor,
                kind,
                owner,
                after=after,
                first=first,
                contains=contains,
                prefix=prefix,
                descending=descending,
            )
        )

    async def count(
        self, kind: type[Named], owner: str, *, contains: str | None = None, prefix: str | None = None
    ) -> int:
        """See `Store.count`."""
        return await self._readers.do(lambda cursor: reads.count_named(cursor, kind, owner, contains, prefix))

    async def find_runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None = None, first: int
    ) -> list[FoundRun]:
        """See `Store.find_runs`."""
        return await self._readers.do(lambda cursor: pages.find(cursor, where, order, after, first))

    async def explain_runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None = None, first: int
    ) -> list[str]:
        """See `Store.explain_runs`; in SQLite's words (https://www.sqlite.org/eqp.html): which indexes it searches, what it scans or
        sorts."""
        return await self._readers.do(lambda cursor: pages.explain(cursor, where, order, after, first))

    async def count_runs(self, where: RunFilter | None) -> int:
        """See `Store.count_runs`."""
        return await self._readers.do(lambda cursor: pages.count(cursor, where))

    async def count_statuses(self, where: RunFilter | None) -> dict[RunStatus, int]:
        """See `Store.count_statuses`."""
        return await self._readers.do(lambda cursor: pages.count_statuses(cursor, where))

    async def explain_counts(self, where: RunFilter) -> list[str]:
        """The steps in which `count_runs` and `count_statuses` would count, in SQLite's words."""
        return await self._readers.do(lambda cursor: pages.explain_counts(cursor, where))

    async def tree_runs(self, root: str) -> list[Run]:
        """See `Store.tree_runs`."""
        return await self._readers.do(lambda cursor: reads.tree_runs(cursor, root))

    async def upsert(self, record: Loose, was: Loose | None) -> None:
        """See `Store.upsert`."""
        await self._writer.do(lambda changes: changes.upsert(record, was))

    async def next_number(self, counter: str) -> int:
        """See `Store.next_number`."""
        return await self._writer.do(lambda changes: changes.next_number(counter))

    async def raise_number(self, counter: str, least: int) -> None:
        """See `Store.raise_number`."""
        await self._writer.do(lambda changes: changes.raise_number(counter, least))

    async def scan(self, kind: type[R], *, after: str | None = None, first: int) -> list[R]:
        """See `Store.scan`."""
        return await self._readers.do(lambda cursor: reads.scan(cursor, kind, after, first))

    async def ends(self, streams: Sequence[str]) -> list[int]:
        """See `Store.ends`."""
        return await self._readers.do(lambda cursor: reads.ends(cursor, streams))

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        """See `Store.read`."""
        return await self._readers.do(lambda cursor: reads.read(cursor, stream, start, end, limit))

    async def read_back(self, stream: str, end: int, *, limit: int) -> list[Item]:
        """See `Store.read_back`."""
        return await self._readers.do(lambda cursor: reads.read_back(cursor, stream, end, limit))

    async def positions(self, root: str, writers: Sequence[str]) -> list[Position | None]:
        """See `Store.positions`."""
        return await self._readers.do(lambda cursor: reads.positions(cursor, root, writers))

    async def all_positions(self, root: str, *, after: str | None = None, first: int) -> list[Position]:
        """See `Store.all_positions`."""
        return await self._readers.do(lambda cursor: reads.all_positions(cursor, root, after, first))

    async def streams(self, *, after: str | None = None, first: int) -> list[Extent]:
        """See `Store.streams`."""
        return await self._readers.do(lambda cursor: reads.streams(cursor, after, first))

    async def commit(self, batch: Batch) -> None:
        """See `Store.commit`."""
        await self._writer.do(lambda changes: changes.commit(batch), batch.root)

    async def compact(self, stream: str, merged: Item, parts: Sequence[Item]) -> bool:
        """See `Store.compact`."""
        return await self._writer.do(lambda changes: changes.compact(stream, merged, parts))

    async def fragmented(self, *, items: int, after: str | None = None, first: int) -> list[str]:
        """See `Store.fragmented`."""
        return await self._readers.do(lambda cursor: reads.fragmented(cursor, items, after, first))

    async def purge(self, purge: Purge) -> None:
        """See `Store.purge`."""
        await self._writer.do(lambda changes: changes.purge(purge), purge.root)

    async def trim(self, root: str, before: int) -> None:
        """See `Store.trim`."""
        await self._writer.do(lambda changes: changes.trim(root, before))

    async def hints(self, workspace: str, after: int, *, first: int) -> list[Hint]:
        """See `Store.hints`."""
        return await self._readers.do(lambda cursor: reads.hints(cursor, workspace, after, first))

    async def hint_end(self, workspace: str) -> int:
        """See `Store.hint_end`."""
        return await self._readers.do(lambda cursor: reads.hint_end(cursor, workspace))

    async def put_blob(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """See `Store.put_blob`."""
        return await self._blobs.put(chunks, limit)

    async def blob_size(self, sha256: str) -> int | None:
        """See `Store.blob_size`."""
        return await self._blobs.size(sha256)

    def read_blob(self, sha256: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See `Store.read_blob`."""
        return self._blobs.read(sha256, start, end)

    async def sweep_blobs(self, before: Micros) -> int:
        """See `Store.sweep_blobs`."""
        swept = 0
        async for blobs in self._blobs.older(before):
            named = await self._readers.do(partial(reads.named_blobs, blobs=blobs))
            swept += await self._blobs.remove([blob for blob in blobs if blob not in named], before)
        return swept

    async def sizes(self) -> Sizes:
        """See `Store.sizes`."""
        return await whole.sizes(self._readers, self._blobs, self._path)

    async def backup(self, target: Path) -> None:
        """See `Store.backup`. The blobs of the copy are links to the same files where the file system can do that. A process that
        is killed meanwhile leaves a folder `<target>.unfinished-…`, which is of no use."""
        await whole.backup(self._path, await asyncio.to_thread(_checked, target))

    def wakes(self) -> AsyncGenerator[Wake]:
        """See `Store.wakes`."""
        return self._wakes.listen()
