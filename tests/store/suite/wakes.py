"""Being told of commits."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graphql_runs.model import ids
from graphql_runs.model.records import Workspace
from graphql_runs.store.port import Batch, Store
from tests.store.samples import HOME, Place, a_run, entry, eventually, save
from tests.store.suite.base import Suite


class Heard:
    """Everything that one iterator has told."""

    def __init__(self) -> None:
        self.roots: set[str] = set()
        self.everybody = 0
        self.wakes = 0

    def clear(self) -> None:
        self.roots.clear()
        self.everybody = 0
        self.wakes = 0

    async def of(self, root: str) -> None:
        """Return when the tree's followers were woken."""

        async def woken() -> bool:
            return bool(self.everybody or root in self.roots)

        await eventually(woken)


@asynccontextmanager
async def listening(store: Store) -> AsyncIterator[Heard]:
    heard = Heard()

    async def listen() -> None:
        async for wake in store.wakes():
            heard.wakes += 1
            if wake.roots is None:
                heard.everybody += 1
            else:
                heard.roots |= wake.roots

    task = asyncio.create_task(listen())
    # Time to begin, and for a first wake about the past.
    await asyncio.sleep(0.05)
    heard.clear()
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Wakes(Suite):
    """See the module."""

    async def test_every_iterator_is_told_of_this_processes_commits(self, store: Store) -> None:
        run, other = a_run("r"), a_run("other")
        async with listening(store) as one, listening(store) as two:
            await save(store, run)
            await one.of(run.root)
            await two.of(run.root)
            one.clear()
            await save(store, other)
            await one.of(other.root)
            assert run.root not in one.roots

    async def test_a_commit_while_the_iterator_is_busy_is_told_next(self, store: Store) -> None:
        runs = [a_run(f"r{i}") for i in range(30)]
        wakes = store.wakes()
        waiting = asyncio.ensure_future(anext(wakes))
        await asyncio.sleep(0.05)
        for run in runs:
            await save(store, run)
        heard: set[str] = set()
        wanted = {run.root for run in runs}
        while not wanted <= heard:
            wake = await asyncio.wait_for(waiting, 10)
            if wake.roots is None:
                heard |= wanted
            else:
                heard |= wake.roots
            waiting = asyncio.ensure_future(anext(wakes))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await wakes.aclose()

    async def test_a_failed_commit_wakes_nobody(self, store: Store) -> None:
        run = a_run("r")
        await save(store, run)
        async with listening(store) as heard:
            await asyncio.gather(
                store.commit(Batch(run.root, entry(0))),
                store.commit(Batch(run.root, entry(7))),
                return_exceptions=True,
            )
            await store.check()
            await asyncio.sleep(0.02)
            assert run.root not in heard.roots

    async def test_a_record_that_stands_alone_wakes_too(self, store: Store, place: Place) -> None:
        other = await place.open()
        async with listening(store) as here, listening(other) as there:
            await store.upsert(Workspace(HOME, "home", 1), None)

            async def both() -> bool:
                return here.wakes > 0 and there.wakes > 0

            await eventually(both)
        await other.close()

    async def test_another_opening_of_the_store_is_told(self, store: Store, place: Place) -> None:
        other = await place.open()
        runs = [a_run(f"r{i}") for i in range(5)]
        async with listening(other) as heard:
            for run in runs:
                await save(store, run)
            for run in runs:
                await heard.of(run.root)
            heard.clear()
            own = a_run("own")
            await save(other, own)
            await save(store, a_run("foreign"))
            await heard.of(own.root)
            await heard.of(ids.run_id(HOME, "foreign"))
        await other.close()

    async def test_listening_again_after_a_pause(self, store: Store, place: Place) -> None:
        other = await place.open()
        async with listening(other) as heard:
            await save(store, a_run("1"))
            await heard.of(a_run("1").root)
        await save(store, a_run("2"))
        async with listening(other) as heard:
            await save(store, a_run("3"))
            await heard.of(a_run("3").root)
        await other.close()

    async def test_nothing_is_left_of_an_iterator(self, store: Store) -> None:
        before = len(asyncio.all_tasks())
        for _ in range(3):
            async with listening(store), listening(store):
                await save(store, a_run(f"r{_}"))
        wakes = store.wakes()
        task = asyncio.ensure_future(anext(wakes))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await wakes.aclose()
        del wakes, task
        gc.collect()
        assert len(asyncio.all_tasks()) == before
        # A commit after all have gone disturbs nobody.
        await save(store, a_run("last"))

    async def test_closing_the_store_ends_iterators(self, store: Store) -> None:
        async def listen() -> int:
            return len([wake async for wake in store.wakes()])

        tasks = [asyncio.create_task(listen()) for _ in range(3)]
        await asyncio.sleep(0.02)
        await store.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
