"""The adapter itself: every method of the port, put together from the files beside it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any

from graphql_runs.model.change import Hint
from graphql_runs.model.errors import InvalidInput, RunsError, StoreUnavailable
from graphql_runs.model.filter import Key, Order, RunFilter
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs.store.mongo.blobs import Blobs
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.heads import Heads
from graphql_runs.store.mongo.hints import Hints
from graphql_runs.store.mongo.layout import INDEXES, RETIRED
from graphql_runs.store.mongo.patience import uncut
from graphql_runs.store.mongo.records import Records
from graphql_runs.store.mongo.runs import Runs
from graphql_runs.store.mongo.server import ServerFacts, find_facts, uuid_of
from graphql_runs.store.mongo.sizes import sizes
from graphql_runs.store.mongo.streams import Streams
from graphql_runs.store.mongo.wakes import Wakes
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

log = logging.getLogger(__name__)

LAYOUT = 1
"""The version of what the collections hold."""

_TIDY_SECONDS = 3600.0


class MongoStore:
    """A store in one database of a MongoDB server, replica set or sharded cluster, for any number of processes."""

    def __init__(
        self, driver: Driver, epoch: str, facts: ServerFacts, sweep_seconds: float, poll_seconds: float
    ) -> None:
        """Use `open`."""
        self._driver = driver
        self._hints = Hints(driver)
        self._heads = Heads(driver, self._hints)
        self._records = Records(driver, self._heads)
        self._runs = Runs(driver)
        self._streams = Streams(driver, self._heads)
        self._blobs = Blobs(driver)
        self._wakes = Wakes(
            driver, self._heads, self._hints, stream=facts.change_streams, poll_seconds=poll_seconds
        )
        self._epoch = epoch
        self._capabilities = Capabilities(
            name="mongodb",
            version=facts.version,
            change_notification=facts.change_streams,
            explain=facts.explain,
            facts={
                "topology": facts.topology,
                "transactions": "yes" if facts.transactions else "no",
                "change streams": "yes" if facts.change_streams else "no",
                "write concern": "majority, journaled",
                "database": driver.name,
            },
        )
        self._sweeping = asyncio.create_task(self._sweep(sweep_seconds))
        self._under_way: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        address: str | Driver,
        *,
        sweep_seconds: float = 1.0,
        poll_seconds: float = 0.05,
    ) -> MongoStore:
        """Open the store of an address `mongodb://host/database` (`graphql_runs` where it names no database), or of a driver;
        what it needs is created.

        sweep_seconds: how often commits that a crashed process left are looked for; one is finished when it was there the
        last time too. poll_seconds: how often commits of other processes are looked for while somebody follows, on a server
        without change streams. Raises InvalidInput for an address that is not understood and for a store of a newer version,
        StoreUnavailable when the server cannot answer now.
        """
        driver = address if isinstance(address, Driver) else Driver.connect(address)
        try:
            await driver.ping()
            facts = await find_facts(driver)
            await asyncio.gather(
                *(
                    driver.ensure_indexes(name, indexes, RETIRED.get(name, ()))
                    for name, indexes in INDEXES.items()
                )
            )
            epoch = await _settle_epoch(driver)
            store = cls(driver, epoch, facts, sweep_seconds, poll_seconds)
        except BaseException:
            driver.close()
            raise
        try:
            await store._finish_pending(None)
        except BaseException:
            await store.close()
            raise
        found = ", ".join(f"{name}: {value}" for name, value in store.capabilities.facts.items())
        log.info("MongoDB %s is open; %s", facts.version, found)
        return store

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
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._sweeping.cancel()
        await asyncio.gather(self._sweeping, return_exceptions=True)
        await self._wakes.close()
        self._driver.close()

    async def check(self) -> None:
        """See `Store.check`."""
        await self._driver.ping()

    async def get(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """See `Store.get`."""
        return await self._records.get(kind, ids)

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
        return await self._records.list_named(
            kind, owner, after=after, first=first, contains=contains, prefix=prefix, descending=descending
        )

    async def count(
        self, kind: type[Named], owner: str, *, contains: str | None = None, prefix: str | None = None
    ) -> int:
        """See `Store.count`."""
        return await self._records.count(kind, owner, contains, prefix)

    async def find_runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None = None, first: int
    ) -> list[FoundRun]:
        """See `Store.find_runs`."""
        return await self._runs.find(where, order, after, first)

    async def explain_runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None = None, first: int
    ) -> list[str]:
        """See `Store.explain_runs`."""
        return await self._runs.explain(where, order, after)

    async def count_runs(self, where: RunFilter | None) -> int:
        """See `Store.count_runs`."""
        return await self._runs.count(where)

    async def count_statuses(self, where: RunFilter | None) -> dict[RunStatus, int]:
        """See `Store.count_statuses`."""
        return await self._runs.count_statuses(where)

    async def tree_runs(self, root: str) -> list[Run]:
        """See `Store.tree_runs`."""
        return await self._records.tree_runs(root)

    async def upsert(self, record: Loose, was: Loose | None) -> None:
        """See `Store.upsert`."""
        await self._records.upsert(record, was)
        await self._wakes.wrote()

    async def next_number(self, counter: str) -> int:
        """See `Store.next_number`."""
        return await self._records.next_number(counter)

    async def raise_number(self, counter: str, least: int) -> None:
        """See `Store.raise_number`."""
        await self._records.raise_number(counter, least)

    async def scan(self, kind: type[R], *, after: str | None = None, first: int) -> list[R]:
        """See `Store.scan`."""
        return await self._records.scan(kind, after, first)

    async def ends(self, streams: Sequence[str]) -> list[int]:
        """See `Store.ends`."""
        return await self._streams.ends(streams)

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        """See `Store.read`."""
        return await self._streams.read(stream, start, end, limit)

    async def read_back(self, stream: str, end: int, *, limit: int) -> list[Item]:
        """See `Store.read_back`."""
        return await self._streams.read_back(stream, end, limit)

    async def positions(self, root: str, writers: Sequence[str]) -> list[Position | None]:
        """See `Store.positions`."""
        return await self._records.positions(root, writers)

    async def all_positions(self, root: str, *, after: str | None = None, first: int) -> list[Position]:
        """See `Store.all_positions`."""
        return await self._records.all_positions(root, after, first)

    async def streams(self, *, after: str | None = None, first: int) -> list[Extent]:
        """See `Store.streams`."""
        return await self._streams.extents(after, first)

    async def commit(self, batch: Batch) -> None:
        """See `Store.commit`. A batch of more than 14 MiB is refused with LimitExceeded."""
        await self._carry_out(batch.root, self._heads.commit(batch))

    async def compact(self, stream: str, merged: Item, parts: Sequence[Item]) -> bool:
        """See `Store.compact`."""
        return await self._heads.compact(stream, merged, parts)

    async def fragmented(self, *, items: int, after: str | None = None, first: int) -> list[str]:
        """See `Store.fragmented`."""
        return await self._streams.fragmented(items, after, first)

    async def purge(self, purge: Purge) -> None:
        """See `Store.purge`. One of more than 14 MiB of ids is refused with LimitExceeded."""
        await self._carry_out(purge.root, self._heads.purge(purge))

    async def trim(self, root: str, before: int) -> None:
        """See `Store.trim`."""
        await self._heads.trim(root, before)

    async def hints(self, workspace: str, after: int, *, first: int) -> list[Hint]:
        """See `Store.hints`."""
        return await self._hints.after(workspace, after, first)

    async def hint_end(self, workspace: str) -> int:
        """See `Store.hint_end`."""
        return await self._hints.end(workspace)

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
        # What is pending may name some.
        await self._finish_pending(None)
        return await self._blobs.sweep(before)

    async def sizes(self) -> Sizes:
        """See `Store.sizes`."""
        return await sizes(self._driver, self._blobs)

    async def backup(self, target: Path) -> None:
        """Raises InvalidInput: a database has its own tools for that."""
        raise InvalidInput(
            f"{target} cannot be written: MongoDB is backed up by its own tools, such as mongodump; `graphql-runs store copy` makes a file of it",
            field="target",
        )

    def wakes(self) -> AsyncGenerator[Wake]:
        """See `Store.wakes`."""
        return self._wakes.listen()

    async def _carry_out(self, root: str, change: Coroutine[Any, Any, int]) -> None:
        if self._closed:
            change.close()
            raise StoreUnavailable("the store is closed")

        async def carry_out() -> None:
            self._wakes.committed(root, await change)

        # To its end even if nobody waits any more: others would have to finish it.
        work = asyncio.create_task(carry_out())
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        await uncut(work)

    async def _sweep(self, seconds: float) -> None:
        """Finish what crashed processes left, and clear up."""
        seen: set[tuple[str, int]] = set()
        tidied = 0.0
        while True:
            await asyncio.sleep(seconds)
            try:
                seen = await self._finish_pending(seen)
                if time.monotonic() - tidied > _TIDY_SECONDS:
                    await self._heads.reservations.sweep()
                    await self._blobs.tidy()
                    tidied = time.monotonic()
            except RunsError as error:
                log.warning("what other processes left is not cleared up now: %s", error)

    async def _finish_pending(self, seen: set[tuple[str, int]] | None) -> set[tuple[str, int]]:
        """Finish the entries that were pending at the last look already, or all of them where there was none."""
        pending = await self._heads.pending()
        for root, turn in pending:
            if seen is None or (root, turn) in seen:
                await self._heads.settle(root)
        return set(pending)


async def _settle_epoch(driver: Driver) -> str:
    """The epoch of the database: a new one if it was copied or restored since it was last open, as the identity of its
    collections then shows. Raises InvalidInput when it is of a newer version."""
    uuid = await uuid_of(driver, "tree")
    await driver.insert(
        "meta", [{"_id": "store", "layout": LAYOUT, "epoch": secrets.token_hex(8), "uuid": uuid}]
    )
    while True:
        known = await driver.find_one("meta", {"_id": "store"})
        if known is None:
            raise StoreUnavailable("the store is being deleted by somebody else")
        if known["layout"] > LAYOUT:
            raise InvalidInput(
                f"the store was written by a newer version of graphql-runs (layout {known['layout']}, this one knows {LAYOUT})",
                field="store",
            )
        if known["uuid"] == uuid:
            return str(known["epoch"])
        await driver.change("meta", known, {"$set": {"epoch": secrets.token_hex(8), "uuid": uuid}})
