"""Equal subscriptions are followed once, and each is told exactly what it would be told alone."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from graphql_runs.live.hub import Hub
from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.schema.build import build_schema
from graphql_runs.schema.context import Context
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.answers import Answer
from graphql_runs.server.operations import EVERYTHING, Operations
from graphql_runs.server.request import Asked
from graphql_runs.store.port import Store

RUN = ids.run_id(ids.workspace_id("w"), "r")
TREE = """
subscription ($run: ID!, $after: String, $throttle: Float! = 0, $until: StatusClass) {
  runTree(run: $run, after: $after, throttle: $throttle, until: $until) {
    cursor caughtUp reset metrics { name start values } runs { status }
  }
}
"""
RUNS = """
subscription ($after: String) {
  runs(workspace: "w", after: $after, throttle: 0) { cursor caughtUp changed { runId status } left }
}
"""
ANNA, BERT = Viewer(True, "anna"), Viewer(True, "bert")


class Bench:
    """Operations over a store, without a transport, so that a reader may be as slow as a test wants."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self.recorder = recorder
        self.hub = Hub(store)

        def context(viewer: Viewer) -> Context:
            limits = SchemaLimits()
            return Context(store, recorder, self.hub, list, [], limits, "1", viewer=viewer)

        self.operations = Operations(build_schema(), context, self.hub, 30)

    async def write(self, *operations: RunOperation) -> None:
        await self.recorder.record("w", operations)

    def follow(self, query: str, viewer: Viewer = ANNA, **variables: Any) -> AsyncGenerator[Answer]:
        return self.operations.stream(Asked(query, variables, None), viewer, EVERYTHING)


@pytest.fixture
async def bench(store: Store, recorder: Recorder) -> AsyncIterator[Bench]:
    made = Bench(store, recorder)
    await made.write(DeclareRun("r", "e", "r", "t"))
    yield made
    await made.hub.close()
    assert made.hub.watchers == 0


class Held:
    """The values that one subscriber was told; a gap or a repetition fails."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.cursor: str | None = None

    def take(self, found: Answer) -> None:
        update = json.loads(found.payload)["data"]["runTree"]
        assert update["reset"] is False
        self.cursor = update["cursor"]
        for delta in update["metrics"]:
            assert delta["start"] == len(self.values)
            self.values += delta["values"]


async def until(answers: AsyncGenerator[Answer], held: Held, count: int) -> Answer:
    """Take answers until so many values are held."""
    async with asyncio.timeout(20):
        while True:
            found = await anext(answers)
            held.take(found)
            if len(held.values) == count:
                return found


async def followed(bench: Bench, count: int) -> None:
    """Wait until so much is followed in all."""
    for _ in range(500):
        if bench.hub.watchers == count:
            return
        await asyncio.sleep(0.01)
    assert bench.hub.watchers == count


async def keep(stack: AsyncExitStack, answers: AsyncGenerator[Answer]) -> asyncio.Queue[Answer]:
    """Read on in the background."""
    taken: asyncio.Queue[Answer] = asyncio.Queue()

    async def read() -> None:
        async with aclosing(answers):
            async for found in answers:
                taken.put_nowait(found)

    task = asyncio.create_task(read())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)
    return taken


async def test_equal_subscriptions_are_followed_once_and_get_the_same_bytes(bench: Bench) -> None:
    await bench.write(LogPoints("r", "m", [0.0]))
    async with AsyncExitStack() as stack:
        readers = [await keep(stack, bench.follow(TREE, run=RUN)) for _ in range(20)]
        helds = [Held() for _ in readers]
        async with asyncio.timeout(20):
            for reader, held in zip(readers, helds, strict=True):
                while len(held.values) < 1:
                    held.take(await reader.get())
        await followed(bench, 1)
        await bench.write(LogPoints("r", "m", [1.0]))
        async with asyncio.timeout(20):
            answers = [await reader.get() for reader in readers]
        assert len({id(answer.payload) for answer in answers}) == 1
        for answer, held in zip(answers, helds, strict=True):
            held.take(answer)
            assert held.values == [0.0, 1.0]
    await followed(bench, 0)


async def test_what_is_not_equal_is_not_shared(bench: Bench) -> None:
    async with AsyncExitStack() as stack:
        for answers in (
            bench.follow(TREE, run=RUN),
            bench.follow(TREE, run=RUN),
            bench.follow(TREE, BERT, run=RUN),
            bench.follow(TREE, run=RUN, throttle=1.0),
            bench.follow(TREE.replace("reset", "reset gap { reason }"), run=RUN),
            bench.follow(RUNS),
        ):
            taken = await keep(stack, answers)
            await asyncio.wait_for(taken.get(), 20)
        # The first two are equal; nobody else's answers are theirs.
        await followed(bench, 5)


async def test_one_that_resumes_joins_the_others(bench: Bench) -> None:
    async with AsyncExitStack() as stack:
        first = Held()
        answers = bench.follow(TREE, run=RUN)
        first.take(await anext(answers))
        await answers.aclose()
        await bench.write(LogPoints("r", "m", [0.0]))
        await keep(stack, bench.follow(TREE, run=RUN))
        resumed = bench.follow(TREE, run=RUN, after=first.cursor)
        async with aclosing(resumed):
            await until(resumed, first, 1)
            waiting = asyncio.ensure_future(anext(resumed))
            await followed(bench, 1)
            await bench.write(LogPoints("r", "m", [1.0]))
            first.take(await asyncio.wait_for(waiting, 20))
            assert first.values == [0.0, 1.0]


async def test_a_slow_one_is_let_go_and_told_everything_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphql_runs.server.sharing.WAITING_ANSWERS", 3)
    slow, quick = Held(), Held()
    async with (
        aclosing(bench.follow(TREE, run=RUN)) as lagging,
        aclosing(bench.follow(TREE, run=RUN)) as others,
    ):
        await bench.write(LogPoints("r", "m", [0.0]))
        await until(lagging, slow, 1)
        await until(others, quick, 1)
        # It joins, and then takes no more.
        waiting = asyncio.ensure_future(anext(lagging))
        going = asyncio.ensure_future(anext(others))
        await followed(bench, 1)
        for i in range(1, 30):
            await bench.write(LogPoints("r", "m", [float(i)]))
            quick.take(await asyncio.wait_for(going, 20))
            going = asyncio.ensure_future(anext(others))
        assert len(quick.values) == 30
        slow.take(await waiting)
        await until(lagging, slow, 30)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
    assert slow.values == quick.values == [float(i) for i in range(30)]


async def test_all_end_together(bench: Bench) -> None:
    async def follow() -> list[str]:
        found = []
        async for answer in bench.follow(TREE, run=RUN, until="TERMINAL"):
            found += [run["status"] for run in json.loads(answer.payload)["data"]["runTree"]["runs"]]
        return found

    following = [asyncio.create_task(follow()) for _ in range(5)]
    await followed(bench, 1)
    await bench.write(SetStatus("r", RunStatus.COMPLETED, "t"))
    for found in await asyncio.wait_for(asyncio.gather(*following), 20):
        assert found[-1] == "COMPLETED"


async def test_the_one_that_others_joined_may_leave(bench: Bench) -> None:
    async with AsyncExitStack() as stack:
        founder = bench.follow(TREE, run=RUN)
        await anext(founder)
        waiting = asyncio.ensure_future(anext(founder))
        await followed(bench, 1)
        other = await keep(stack, bench.follow(TREE, run=RUN))
        await asyncio.wait_for(other.get(), 20)
        await followed(bench, 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await founder.aclose()
        await bench.write(LogPoints("r", "m", [1.0]))
        held = Held()
        held.take(await asyncio.wait_for(other.get(), 20))
        assert held.values == [1.0]


@pytest.mark.parametrize("throttle", [0, 0.02])
async def test_subscribers_that_come_and_go_at_random_miss_nothing(bench: Bench, throttle: float) -> None:
    total, done = 150, asyncio.Event()

    async def writer() -> None:
        chance = random.Random(7)
        for i in range(total):
            await bench.write(LogPoints("r", "m", [float(i)]))
            await asyncio.sleep(chance.random() * 0.006)
        done.set()

    async def subscriber(seed: int) -> Held:
        chance, held = random.Random(seed), Held()
        while len(held.values) < total:
            answers = bench.follow(TREE, run=RUN, after=held.cursor, throttle=throttle)
            async with aclosing(answers):
                for _ in range(chance.randrange(1, 25)):
                    held.take(await asyncio.wait_for(anext(answers), 20))
                    if len(held.values) == total:
                        break
                    await asyncio.sleep(chance.choice([0, 0, 0, 0.01]))
        return held

    async with asyncio.timeout(60):
        ends = await asyncio.gather(*(subscriber(seed) for seed in range(12)), writer())
    for held in ends[:-1]:
        assert held is not None
        assert held.values == [float(i) for i in range(total)]


async def test_lists_end_with_what_is_there(bench: Bench, store: Store) -> None:
    done = asyncio.Event()

    async def writer(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
            run, status = f"r{chance.randrange(8)}", chance.choice(list(RunStatus))
            await bench.write(DeclareRun(run, "e", run, "t"), SetStatus(run, status, "t"))
            await asyncio.sleep(chance.random() * 0.004)

    async def subscriber(seed: int) -> dict[str, str]:
        chance, held = random.Random(seed), dict[str, str]()
        cursor = None
        while True:
            ending = done.is_set()
            async with aclosing(bench.follow(RUNS, after=cursor)) as answers:
                for _ in range(chance.randrange(1, 12)):
                    try:
                        found = await asyncio.wait_for(anext(answers), 0.5)
                    except TimeoutError:
                        break
                    update = json.loads(found.payload)["data"]["runs"]
                    cursor = update["cursor"]
                    held |= {run["runId"]: run["status"] for run in update["changed"]}
                    if update["caughtUp"] and ending:
                        return held

    async with asyncio.timeout(60):
        subscribers = [asyncio.create_task(subscriber(seed)) for seed in range(8)]
        await asyncio.gather(writer(1), writer(2))
        done.set()
        ends = await asyncio.gather(*subscribers)
    there = {entry.run.run_id: str(entry.run.status) for entry in await store.find_runs(None, (), first=100)}
    assert all(held == there for held in ends)
