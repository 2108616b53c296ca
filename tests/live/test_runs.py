from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from graphql_runs.live.cluster import follow_cluster
from graphql_runs.live.follow import workspace_cursor
from graphql_runs.live.hub import Hub
from graphql_runs.live.runs import RunsUpdate, follow_runs
from graphql_runs.model import ids
from graphql_runs.model.cursor import TreeCursor, WorkspaceCursor
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    MetricField,
    Op,
    RunFilter,
)
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    DescribeCluster,
    LogPoints,
    RunOperation,
    SetStatus,
)
from graphql_runs.model.records import Cluster
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

HOME = ids.workspace_id("w")
ALL: RunFilter = And(())
RUNNING = Compare(AttributeField(Attribute.STATUS), Op.EQ, "RUNNING")
GOOD = Compare(MetricField("loss"), Op.LT, 0.5)


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


@dataclass
class Held:
    """The list of a client that takes every update as it comes."""

    runs: dict[str, RunStatus] = field(default_factory=dict)
    cursor: str | None = None

    def take(self, update: RunsUpdate) -> None:
        self.cursor = update.cursor
        if update.reset:
            self.runs.clear()
        for run in update.changed:
            self.runs[run.run_id] = run.status
        gone = set(update.left)
        self.runs = {run: status for run, status in self.runs.items() if id_of(run) not in gone}


def following(
    store: Store, hub: Hub, where: RunFilter = ALL, after: str | None = None, throttle: float = 0
) -> AsyncGenerator[RunsUpdate]:
    async def condition() -> RunFilter:
        return where

    return follow_runs(store, hub, HOME, condition, after=after, throttle=throttle)


async def until(updates: AsyncGenerator[RunsUpdate], held: Held, *expected: str) -> RunsUpdate:
    """Take updates until exactly these runs are held."""
    async with asyncio.timeout(20):
        async for update in updates:
            held.take(update)
            if set(held.runs) == set(expected):
                return update
    raise AssertionError("the stream ended")


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


def declared(run: str, status: RunStatus = RunStatus.RUNNING) -> tuple[RunOperation, RunOperation]:
    return DeclareRun(run, "e", run, "t"), SetStatus(run, status, "t")


@pytest.fixture
async def hub(store: Store) -> AsyncGenerator[Hub]:
    made = Hub(store)
    yield made
    await made.close()
    assert made.watchers == 0


async def test_runs_come_and_go(store: Store, recorder: Recorder, hub: Hub) -> None:
    for run in "ab":
        await write(recorder, *declared(run))
    await write(recorder, *declared("done", RunStatus.COMPLETED))
    held = Held()
    async with aclosing(following(store, hub, RUNNING)) as updates:
        update = await until(updates, held, "a", "b")
        assert (update.caught_up, update.reset, update.left) == (True, False, ())
        await write(recorder, *declared("c"))
        await until(updates, held, "a", "b", "c")
        await write(recorder, SetStatus("a", RunStatus.COMPLETED, "t"))
        update = await until(updates, held, "b", "c")
        assert update.left == (id_of("a"),)


async def test_a_metric_or_a_tag_brings_a_run_in_and_out(store: Store, recorder: Recorder, hub: Hub) -> None:
    await write(recorder, *declared("a"), LogPoints("a", "loss", [1.0]))
    held = Held()
    async with aclosing(following(store, hub, GOOD)) as updates:
        await until(updates, held)
        await write(recorder, LogPoints("a", "loss", [0.1]))
        await until(updates, held, "a")
        await write(recorder, LogPoints("a", "loss", [float("nan")]))
        await until(updates, held)


async def test_a_run_becomes_stale_by_time_alone(store: Store, recorder: Recorder, hub: Hub) -> None:
    await write(recorder, DeclareRun("a", "e", "a", "t", heartbeat_seconds=0.2))
    await write(recorder, *declared("b"))
    async with aclosing(following(store, hub)) as updates:
        update = await until(updates, Held(), "a", "b")
        async with asyncio.timeout(10):
            update = await anext(updates)
        # Nothing was written: it is told because its time came.
        assert [run.run_id for run in update.changed] == ["a"]
        cursor = update.cursor
    async with aclosing(following(store, hub, after=cursor)) as updates:
        # Whoever continues may not have been told before.
        assert [run.run_id for run in (await anext(updates)).changed] == ["a"]


async def test_pages_can_be_resumed(
    store: Store, recorder: Recorder, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphql_runs.live.runs.MESSAGE_RUNS", 3)
    names = [f"r{i}" for i in range(10)]
    for name in names:
        await write(recorder, *declared(name))
    held, pages, told = Held(), 0, []
    caught_up = False
    while not caught_up:
        # A connection that is cut after every message.
        async with aclosing(following(store, hub, after=held.cursor)) as updates:
            update = await anext(updates)
        held.take(update)
        told += [run.run_id for run in update.changed]
        caught_up = update.caught_up and not update.changed
        pages += 1
    assert sorted(told) == names
    assert pages == 5


async def test_query_then_subscribe_has_no_hole(store: Store, recorder: Recorder, hub: Hub) -> None:
    await write(recorder, *declared("a"))
    cursor = await workspace_cursor(store, HOME)
    await write(recorder, *declared("b"))
    held = Held()
    async with aclosing(following(store, hub, after=cursor)) as updates:
        await until(updates, held, "b")
    async with aclosing(following(store, hub, after=held.cursor)) as updates:
        update = await anext(updates)
        assert (update.changed, update.left, update.caught_up) == ((), (), True)


@pytest.mark.parametrize("change", ["epoch", "ahead"])
async def test_a_cursor_of_another_history_is_reset(
    store: Store, recorder: Recorder, hub: Hub, change: str
) -> None:
    await write(recorder, *declared("a"))
    epoch, n = ("other", 1) if change == "epoch" else (store.epoch, 99)
    async with aclosing(following(store, hub, after=WorkspaceCursor(epoch, HOME, n).encode())) as updates:
        update = await anext(updates)
    assert (update.reset, [run.run_id for run in update.changed]) == (True, ["a"])
    assert update.gap is not None
    assert update.gap.to_cursor != update.gap.from_cursor


@pytest.mark.parametrize(
    "cursor",
    ["", "nonsense", TreeCursor("e", "run_x", 0).encode(), WorkspaceCursor("e", "workspace_x", 0).encode()],
)
async def test_a_wrong_cursor_is_refused(store: Store, hub: Hub, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await anext(following(store, hub, after=cursor))
    assert caught.value.field == "after"


async def test_random_histories_end_with_what_is_there(store: Store, recorder: Recorder, hub: Hub) -> None:
    """Three writers and followers that drop and resume at random: each ends with exactly the list as it is."""
    statuses = list(RunStatus)

    async def writer(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            run = f"r{chance.randrange(12)}"
            await write(recorder, *declared(run, chance.choice(statuses)))
            if chance.random() < 0.5:
                await write(recorder, LogPoints(run, "loss", [chance.random()]))

    done = asyncio.Event()

    async def follower(where: RunFilter, seed: int) -> Held:
        chance, held = random.Random(seed), Held()
        while True:
            ending = done.is_set()
            async with aclosing(following(store, hub, where, held.cursor)) as updates:
                for _ in range(chance.randrange(1, 6)):
                    try:
                        async with asyncio.timeout(0.5):
                            update = await anext(updates)
                    except TimeoutError:
                        break
                    held.take(update)
                    if update.caught_up and ending:
                        return held

    wheres = [ALL, RUNNING, GOOD, And((RUNNING, GOOD))] * 2
    async with asyncio.timeout(60):
        followers = [asyncio.create_task(follower(where, i)) for i, where in enumerate(wheres)]
        await asyncio.gather(*(writer(seed) for seed in range(3)))
        done.set()
        ends = await asyncio.gather(*followers)
    for where, held in zip(wheres, ends, strict=True):
        found = await store.find_runs(where, (), first=100)
        assert held.runs == {entry.run.run_id: entry.run.status for entry in found}


async def test_a_slow_reader_is_told_the_end_of_it_not_every_step(
    store: Store, recorder: Recorder, hub: Hub
) -> None:
    await write(recorder, *declared("a"))
    async with aclosing(following(store, hub)) as updates:
        await until(updates, Held(), "a")
        for i in range(300):
            await write(recorder, LogPoints("a", "loss", [float(i)]))
        await write(recorder, SetStatus("a", RunStatus.COMPLETED, "t"))
        async with asyncio.timeout(10):
            update = await anext(updates)
        assert [(run.run_id, run.status) for run in update.changed] == [("a", RunStatus.COMPLETED)]


async def test_closing_the_hub_ends_followers(store: Store, recorder: Recorder, hub: Hub) -> None:
    await write(recorder, *declared("a"))
    async with aclosing(following(store, hub, throttle=3600)) as updates:
        await anext(updates)
        waiting = asyncio.ensure_future(anext(updates, None))
        await hub.close()
        # It may tell where it stands before it ends, but it does not sit out its pause.
        async with asyncio.timeout(5):
            while await waiting is not None:
                waiting = asyncio.ensure_future(anext(updates, None))


async def test_a_cluster_with_its_runs(store: Store, recorder: Recorder, hub: Hub) -> None:
    cluster = await recorder.describe_cluster("w", DescribeCluster("gpu", state="Running", current_nodes=1))
    await write(
        recorder, DeclareRun("a", "e", "a", "t", cluster="gpu"), SetStatus("a", RunStatus.QUEUED, "t")
    )
    await write(recorder, *declared("elsewhere"))
    async with aclosing(follow_cluster(store, hub, cluster, throttle=0)) as updates:
        update = await anext(updates)
        assert [run.run_id for run in update.runs.changed] == ["a"]
        await recorder.describe_cluster("w", DescribeCluster("gpu", state="Running", current_nodes=3))
        async with asyncio.timeout(10):
            while update.cluster.current_nodes != 3:
                update = await anext(updates)
        await write(recorder, SetStatus("a", RunStatus.COMPLETED, "t"))
        async with asyncio.timeout(10):
            while id_of("a") not in update.runs.left:
                update = await anext(updates)
    assert await store.get(Cluster, [cluster.id]) == [update.cluster]
    await write(recorder, Annotate("a", description="late"))
