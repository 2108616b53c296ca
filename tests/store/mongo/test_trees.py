"""A run lies in one tree, whoever asks for it where, and whatever attempt was given up."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from graphql_runs.model.errors import Conflict
from graphql_runs.model.run import Run
from graphql_runs.store.mongo import MongoStore
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.port import Batch, Store
from tests.store.mongo.opening import connect, mongo
from tests.store.mongo.test_crashes import Crash, CrashingDriver
from tests.store.samples import a_run, entry

PARENT = a_run("parent")


def claim(root: Run) -> Batch:
    """A batch that makes a tree with the run `shared` in it."""
    shared = a_run("shared", root=root.id, parent=root.id, depth=1)
    return Batch(root.id, entry(0), creates=(root, shared))


async def roots_of_shared(store: Store) -> list[str]:
    [found] = await store.get(Run, [a_run("shared").id])
    return [] if found is None else [found.root]


async def test_one_of_many_trees_gets_a_run(target: str) -> None:
    stores = [await mongo(target) for _ in range(3)]
    roots = [a_run(f"root{i}") for i in range(9)]
    results = await asyncio.gather(
        *(stores[i % 3].commit(claim(root)) for i, root in enumerate(roots)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert [result for result in results if result is not None and not isinstance(result, Conflict)] == []
    winner = roots[results.index(None)]
    for store in stores:
        assert await roots_of_shared(store) == [winner.id]
        # Of those that lost, nothing is there.
        assert await store.count_runs(None) == 2
        assert await store.get(Run, [root.id for root in roots if root is not winner]) == [None] * 8
        await store.close()


@pytest.mark.parametrize("carried_out", [False, True])
async def test_what_a_crashed_attempt_has_reserved_is_free(target: str, carried_out: bool) -> None:
    for crash_at in count():
        place = f"{target}_{carried_out:d}_{crash_at}"
        driver = connect(place, CrashingDriver)
        assert isinstance(driver, CrashingDriver)
        dying = await MongoStore.open(driver, sweep_seconds=3600)
        driver.crash_at, driver.carried_out, driver.writes = crash_at, carried_out, 0
        crashed = True
        try:
            await dying.commit(claim(a_run("first")))
            crashed = False
        except Crash:
            pass
        await dying.close()
        store = await mongo(place)
        if await roots_of_shared(store) == []:
            await store.commit(claim(a_run("second")))
            assert await roots_of_shared(store) == [a_run("second").id]
            assert await store.count_runs(None) == 2
        # A run of the same tree can be asked for again as well.
        with pytest.raises(Conflict):
            await store.commit(claim(a_run("third")))
        await store.close()
        if not crashed:
            return


async def test_an_attempt_that_was_overtaken_cannot_be_decided_any_more(target: str) -> None:
    class Paused(Driver):
        """Waits before the commit point."""

        at_commit_point = asyncio.Event()
        go_on = asyncio.Event()

        async def change(
            self, collection: str, query: object, change: object, *, make: bool = False, again: bool = True
        ) -> bool:
            if collection == "tree" and not again:
                self.at_commit_point.set()
                await self.go_on.wait()
            return await super().change(collection, query, change, make=make, again=again)  # type: ignore[arg-type] # handed on

    driver = connect(target, Paused)
    assert isinstance(driver, Paused)
    slow, fast = await MongoStore.open(driver), await mongo(target)
    waiting = asyncio.create_task(slow.commit(claim(a_run("slow"))))
    await driver.at_commit_point.wait()
    await fast.commit(claim(a_run("fast")))
    driver.go_on.set()
    with pytest.raises(Conflict):
        await waiting
    assert await roots_of_shared(fast) == [a_run("fast").id]
    assert await fast.count_runs(None) == 2
    await slow.close()
    await fast.close()
