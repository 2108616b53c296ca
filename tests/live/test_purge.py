from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from graphql_runs.live.follow import follow_tree, tree_cursor
from graphql_runs.live.hub import Hub
from graphql_runs.live.update import TreeUpdate
from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints, LogText, RunOperation, TrashRun
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store, journal_of
from tests.live.client import Client

HOME = ids.workspace_id("w")


def declare(run_id: str, parent: str | None = None) -> DeclareRun:
    return DeclareRun(run_id, "exp", run_id, "test", parent=parent)


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


ROOT = id_of("r")
TREE = (declare("r"), declare("a", "r"), declare("aa", "a"), declare("b", "r"))


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


async def purge(recorder: Recorder, run_id: str) -> None:
    await write(recorder, TrashRun(run_id))
    await recorder.purge(id_of(run_id))


@pytest.fixture
async def hub(store: Store) -> AsyncIterator[Hub]:
    opened = Hub(store)
    yield opened
    assert opened.watchers == 0
    await opened.close()


async def rest(stream: Any) -> list[TreeUpdate]:
    async with asyncio.timeout(10):
        return [update async for update in stream]


async def test_a_purge_is_told_and_the_rest_goes_on(store: Store, recorder: Recorder, hub: Hub) -> None:
    await write(recorder, *TREE, LogPoints("aa", "m", [1.0]), LogPoints("b", "m", [2.0]))
    client = Client(ROOT, ROOT)
    await client.follow(store, hub)
    await purge(recorder, "a")
    await write(recorder, LogPoints("b", "m", [3.0]))
    await client.follow(store, hub)
    assert client.runs.keys() == {ROOT, id_of("b")}
    assert client.values == {(id_of("b"), "m"): [2.0, 3.0]}
    assert client.resets == 0


@pytest.mark.parametrize("purged", ["aa", "a", "r"])
async def test_followers_of_a_purged_run_end_with_the_message_that_says_so(
    store: Store, recorder: Recorder, hub: Hub, purged: str
) -> None:
    await write(recorder, *TREE, LogPoints("aa", "m", [1.0]))
    async with aclosing(follow_tree(store, hub, ROOT, run=id_of("aa"), throttle=0)) as stream:
        assert (await anext(stream)).caught_up
        await purge(recorder, purged)
        *_, last = await rest(stream)
    assert id_of("aa") in last.purged
    assert (last.runs, last.metrics, last.logs) == ((), (), ())
    # The trashing before it cannot be told any more when the whole tree is gone.
    assert last.reset is (purged == "r")


async def test_a_run_that_is_gone_when_the_follower_comes(store: Store, recorder: Recorder, hub: Hub) -> None:
    await write(recorder, *TREE)
    before = await tree_cursor(store, ROOT)
    await purge(recorder, "a")
    for after in (None, before):
        [only] = await rest(follow_tree(store, hub, ROOT, run=id_of("aa"), after=after))
        assert (only.purged, only.caught_up, only.reset) == ((id_of("aa"),), True, False)
    # The tree's journal begins anew with the purge of its root: one who was not there yet cannot go on.
    await purge(recorder, "r")
    [only] = await rest(follow_tree(store, hub, ROOT, run=ROOT, after=before))
    assert (only.purged, only.reset) == ((ROOT,), True)


async def test_a_new_run_with_the_id_of_a_purged_one_is_not_mixed_up(
    store: Store, recorder: Recorder, hub: Hub
) -> None:
    await write(recorder, *TREE, LogPoints("a", "m", [1.0, 2.0, 3.0]), LogText("a", "out", b"old text\n"))
    held = Client(ROOT, ROOT)
    await held.follow(store, hub)
    await write(recorder, LogPoints("a", "m", [4.0, 5.0]))
    await purge(recorder, "a")
    await write(recorder, declare("a", "r"), LogPoints("a", "m", [7.0]), LogText("a", "out", b"new\n"))
    fresh = Client(ROOT, ROOT)
    for client in (held, fresh):
        await client.follow(store, hub)
        assert client.values == {(id_of("a"), "m"): [7.0]}
        assert client.texts == {(id_of("a"), "out"): "new\n"}
        assert client.runs.keys() == {ROOT, id_of("a"), id_of("b")}
        assert client.resets == 0


async def test_a_tree_that_is_made_anew_is_told_to_who_knew_the_old_one(
    store: Store, recorder: Recorder, hub: Hub
) -> None:
    await write(recorder, *TREE, LogPoints("r", "m", [1.0, 2.0]))
    early, late = Client(ROOT, ROOT), Client(ROOT, ROOT)
    await early.follow(store, hub)
    await write(recorder, TrashRun("r"))
    await late.follow(store, hub)
    await recorder.purge(ROOT)
    await write(recorder, declare("r"), LogPoints("r", "m", [9.0]))
    await early.follow(store, hub)
    assert early.resets == 1
    # Whoever saw everything before the purge sees the purge, and from there on the new tree.
    await late.follow(store, hub)
    assert late.ended
    await late.follow(store, hub)
    assert late.resets == 0
    for client in (early, late):
        assert (client.runs, client.values) == ({ROOT: None}, {(ROOT, "m"): [9.0]})


@pytest.mark.parametrize("kept", [0, 1, 5])
async def test_a_cursor_from_before_a_trimmed_journal_is_reset(
    store: Store, recorder: Recorder, hub: Hub, kept: int
) -> None:
    await write(recorder, *TREE)
    client = Client(ROOT, id_of("a"))
    await client.follow(store, hub)
    for i in range(10):
        await write(recorder, LogPoints("aa", "m", [float(i)]))
    [end] = await store.ends([journal_of(ROOT)])
    await store.trim(ROOT, end - kept)
    await client.follow(store, hub)
    assert client.resets == 1
    assert client.values == {(id_of("aa"), "m"): [float(i) for i in range(10)]}
    await store.trim(ROOT, end)
    # One who is at the end has missed nothing.
    await client.follow(store, hub)
    await write(recorder, LogPoints("aa", "m", [10.0]))
    await client.follow(store, hub)
    assert client.resets == 1
    assert client.values == {(id_of("aa"), "m"): [float(i) for i in range(11)]}


@pytest.mark.parametrize("kept", [0, 2])
async def test_a_slow_follower_that_the_trimming_overtakes_is_reset(
    store: Store, recorder: Recorder, hub: Hub, kept: int
) -> None:
    await write(recorder, *TREE)
    client = Client(ROOT, ROOT)
    async with aclosing(follow_tree(store, hub, ROOT, run=ROOT, throttle=0)) as stream:
        client.take(await anext(stream))
        for i in range(10):
            await write(recorder, LogPoints("a", "m", [float(i)]))
        [end] = await store.ends([journal_of(ROOT)])
        await store.trim(ROOT, end - kept)
        async with asyncio.timeout(10):
            while client.values != {(id_of("a"), "m"): [float(i) for i in range(10)]}:
                client.take(await anext(stream))
    assert client.resets == 1


async def test_a_backfill_survives_purging_and_trimming(
    store: Store, recorder: Recorder, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphql_runs.live.backfill.MESSAGE_ROWS", 3)
    monkeypatch.setattr("graphql_runs.live.backfill.MESSAGE_BYTES", 3)
    names = ["a", "aa", "b", "r"]
    await write(
        recorder,
        *TREE,
        *(LogPoints(name, "m", [1.0, 2.0, 3.0, 4.0, 5.0]) for name in names),
        *(LogText(name, "out", b"some text\n") for name in names),
    )
    for taken in range(1, 12):
        client = Client(ROOT, ROOT)
        async with aclosing(follow_tree(store, hub, ROOT, run=ROOT, throttle=0)) as stream:
            for _ in range(taken):
                client.take(await anext(stream))
            await purge(recorder, "a")
            if taken % 3 == 0:
                await store.trim(ROOT, (await store.ends([journal_of(ROOT)]))[0])
            await write(
                recorder,
                declare("a", "r"),
                declare("aa", "a"),
                *(LogPoints(name, "m", [float(taken)] * 5) for name in ("a", "aa")),
                *(LogText(name, "out", b"some text\n") for name in ("a", "aa")),
            )
            caught_up = False
            async with asyncio.timeout(10):
                while not caught_up:
                    update = await anext(stream)
                    client.take(update)
                    caught_up = update.caught_up
        await client.follow(store, hub)
        assert client.values == {
            (id_of(name), "m"): [float(taken)] * 5 if name in ("a", "aa") else [1.0, 2.0, 3.0, 4.0, 5.0]
            for name in names
        }
        assert set(client.texts.values()) == {"some text\n"}
        assert client.runs.keys() == {id_of(name) for name in names}


async def test_runs_come_and_go_while_many_follow(store: Store, recorder: Recorder, hub: Hub) -> None:
    names = ["a", "b", "c"]
    await write(recorder, declare("r"), *(declare(name, "r") for name in names))
    done = False

    async def job(name: str) -> None:
        for turn in range(3):
            for i in range(5):
                points = LogPoints(name, "m", [float(turn), float(i)])
                await write(recorder, declare(name, "r"), points, LogText(name, "out", b"line\n"))
            if turn < 2:
                await purge(recorder, name)

    async def reader(updates: int | None) -> Client:
        client = Client(ROOT, ROOT)
        while not done:
            await client.follow(store, hub, updates)
        await client.follow(store, hub)
        return client

    readers = [asyncio.create_task(reader(updates)) for updates in (None, 1, 2, 5)]
    async with asyncio.timeout(60):
        await asyncio.gather(*map(job, names))
        done = True
        for client in await asyncio.gather(*readers):
            assert client.runs.keys() == {ROOT, *map(id_of, names)}
            values = [value for i in range(5) for value in (2.0, float(i))]
            assert client.values == {(id_of(name), "m"): values for name in names}
            assert client.texts == {(id_of(name), "out"): "line\n" * 5 for name in names}
            assert client.resets == 0
