"""The load generator of subscriptions tells what was told, and refuses what it must not count."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bare import bare
from benchmarks.figure import Wrong
from benchmarks.push import FOLLOW
from benchmarks.replay import request
from benchmarks.stream import CREATE, RECORD
from benchmarks.subscribers import Pushed, push, told
from graphql_runs.model import ids
from tests.server.local import Local, local


def changes(run: str, *values: float) -> list[bytes]:
    return [
        request(RECORD, input={"run": run, "points": [{"metric": "m", "values": [value]}]})
        for value in values
    ]


async def pushed(server: Local, count: int, subscription: bytes, bodies: list[bytes]) -> Pushed:
    return await asyncio.to_thread(push, server.port, count, subscription, bodies)


async def test_every_subscriber_is_told_every_change(tmp_path: Path) -> None:
    async with local(tmp_path) as server:
        run = (await server.ask(CREATE, run="r"))["createRun"]["run"]["id"]
        # A frame of more than 125 bytes, and one of more than 65,535.
        bodies = [*changes(run, 1.0), request(RECORD, input={"run": run, "points": many("m", 8000)})]
        found = await pushed(server, 60, request(FOLLOW, run=run), bodies)
    deltas: list[Any] = [told(frame) for frame in found.frames]
    values = [update["runTree"]["metrics"][0]["values"] for update in deltas]
    assert values == [[1.0], [float(i) for i in range(8000)]]
    assert [len(times) for times in found.heard] == [60, 60]
    assert all(seconds > 0 for times in found.heard for seconds in times)
    assert all(seconds >= 0 for seconds in found.after)


def many(metric: str, count: int) -> list[dict[str, Any]]:
    return [{"metric": metric, "values": [float(i) for i in range(count)]}]


@pytest.mark.parametrize(
    ("subscription", "body", "said"),
    [
        (request("subscription { nothing }"), b"", "Cannot query field"),
        (request(FOLLOW, run="there is none"), b"", "NOT_FOUND"),
        (None, changes("there is none", 1.0)[0], "NOT_FOUND"),
    ],
)
async def test_errors_are_refused(tmp_path: Path, subscription: bytes | None, body: bytes, said: str) -> None:
    async with local(tmp_path) as server:
        run = (await server.ask(CREATE, run="r"))["createRun"]["run"]["id"]
        with pytest.raises(Wrong, match=said):
            await pushed(server, 2, subscription or request(FOLLOW, run=run), [body])


async def test_a_server_that_ends_is_refused(tmp_path: Path) -> None:
    async with local(tmp_path) as server:
        run = (await server.ask(CREATE, run="r"))["createRun"]["run"]["id"]
        # Nobody is told of a change to another run; then the server ends.
        other = (await server.ask(CREATE, run="other"))["createRun"]["run"]["id"]
        going = asyncio.ensure_future(pushed(server, 2, request(FOLLOW, run=run), changes(other, 1.0)))
        async with server.rooms.hub.watch(ids.run_id(ids.workspace_id("bench"), "other")) as signal:
            async with asyncio.timeout(20):
                await signal.wait()
        await server.rooms.hub.close()
        with pytest.raises(Wrong, match="a subscriber was told"):
            await going


def test_the_bare_server_tells_everybody_once_a_change() -> None:
    with bare() as port:
        found = push(port, 60, request(FOLLOW), [request(RECORD)] * 3)
    assert [len(times) for times in found.heard] == [60] * 3
    assert len(set(found.frames)) == 1
