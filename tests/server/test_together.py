from __future__ import annotations

import asyncio
import random

import pytest

from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.answers import Answer
from graphql_runs.server.request import Asked
from graphql_runs.server.together import Together, key_of

KEY = ("{ a }", None, b"{}", "")


class Clock:
    """Something that is read by executions: each takes a while, and gives what was there at some moment of it."""

    def __init__(self, seconds: float) -> None:
        self.value = 0
        self.seconds = seconds
        self.executions = 0

    async def execute(self) -> Answer:
        self.executions += 1
        await asyncio.sleep(self.seconds / 2)
        found = self.value
        await asyncio.sleep(self.seconds / 2)
        return Answer(str(found).encode(), None)


async def test_those_that_come_meanwhile_are_answered_by_one_that_begins_then() -> None:
    shared, value, executions = Together(), 0, 0
    read, go_on = asyncio.Event(), asyncio.Event()

    async def execute() -> Answer:
        nonlocal executions
        executions += 1
        found = value
        read.set()
        await go_on.wait()
        return Answer(str(found).encode(), None)

    first = asyncio.ensure_future(shared.answer(KEY, execute))
    await read.wait()
    value = 1
    others = [asyncio.ensure_future(shared.answer(KEY, execute)) for _ in range(30)]
    await asyncio.sleep(0)
    go_on.set()
    assert (await first).payload == b"0"
    answers = await asyncio.gather(*others)
    assert {answer.payload for answer in answers} == {b"1"}
    assert all(answer is answers[0] for answer in answers)
    assert executions == 2


async def test_everybody_is_told_what_was_there_when_they_asked_or_later() -> None:
    clock, shared = Clock(0.004), Together()
    chance = random.Random(7)

    async def ask() -> None:
        for _ in range(40):
            await asyncio.sleep(chance.random() * 0.01)
            clock.value += 1
            before = clock.value
            answer = await shared.answer(KEY, clock.execute)
            assert before <= int(answer.payload) <= clock.value

    await asyncio.gather(*(ask() for _ in range(25)))
    assert clock.executions < 25 * 40 / 2


async def test_nobody_waits_long_for_a_slow_one() -> None:
    shared, executions = Together(), 0
    two = asyncio.Event()

    async def execute() -> Answer:
        nonlocal executions
        executions += 1
        if executions == 2:
            two.set()
        await asyncio.Event().wait()
        raise AssertionError("it never ends")

    both = [asyncio.ensure_future(shared.answer(KEY, execute)) for _ in range(2)]
    await asyncio.wait_for(two.wait(), 20)
    for one in both:
        one.cancel()
    await asyncio.gather(*both, return_exceptions=True)


async def test_an_execution_ends_when_nobody_waits_for_it() -> None:
    shared = Together()
    ended: list[str] = []

    async def execute() -> Answer:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        raise AssertionError("it was to be ended")

    running = asyncio.ensure_future(shared.answer(KEY, execute))
    waiting = [asyncio.ensure_future(shared.answer(KEY, execute)) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    running.cancel()
    await asyncio.sleep(0.01)
    assert ended == ["cancelled"]
    for one in waiting:
        one.cancel()
    await asyncio.gather(running, *waiting, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert ended == ["cancelled", "cancelled"]

    async def quick() -> Answer:
        return Answer(b"", None)

    assert (await shared.answer(KEY, quick)).payload == b""


async def test_errors_are_everybodys() -> None:
    shared = Together()

    async def fail() -> Answer:
        await asyncio.sleep(0.005)
        raise ValueError("no")

    results = await asyncio.gather(*(shared.answer(KEY, fail) for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in results] == ["no"] * 3
    with pytest.raises(ValueError, match="no"):
        await shared.answer(KEY, fail)


def test_what_is_equal() -> None:
    def key(
        query: str = "{ a }", viewer: str = "", operation: str | None = None, **variables: object
    ) -> object:
        return key_of(Asked(query, variables, operation), Viewer(key=viewer))

    assert key(a=1, b=2) == key(b=2, a=1)
    different = [key(), key("{ b }"), key(viewer="x"), key(operation="A"), key(a=1), key(a="1"), key(a=1.5)]
    assert len(set(different)) == len(different)
    assert key(a=1 << 80) is None
