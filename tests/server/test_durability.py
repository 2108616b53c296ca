"""The promise of the product: kill anything at any time, and a client that resumes has exactly what the job wrote."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport

from tests.server.processes import ServerProcess, start

FOLLOW = """
subscription ($run: ID!, $after: String) {
  runTree(run: $run, after: $after, throttle: 0.01) {
    cursor caughtUp reset
    runs { runId status }
    metrics { runId name start steps values }
    logs { runId path offset size text }
  }
}
"""
RECORD = "mutation ($input: RecordInput!) { record(input: $input) { repeated } }"
CREATE = "mutation ($input: CreateRunInput!) { createRun(input: $input) { run { id } } }"


class Held:
    """What a client holds that takes every update as it comes. It fails on a gap and on a duplicate."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {}
        self.texts: dict[str, str] = {}
        self.sizes: dict[str, float] = {}
        self.cursor: str | None = None
        self.connections = 0

    def take(self, update: dict[str, Any]) -> None:
        assert not update["reset"]
        self.cursor = update["cursor"]
        for delta in update["metrics"]:
            values = self.values.setdefault(delta["name"], [])
            assert delta["start"] == len(values)
            values += delta["values"]
        for delta in update["logs"]:
            assert delta["offset"] == self.sizes.get(delta["path"], 0)
            self.sizes[delta["path"]] = delta["offset"] + delta["size"]
            self.texts[delta["path"]] = self.texts.get(delta["path"], "") + delta["text"]

    def has(self, metric: str, count: int) -> bool:
        return len(self.values.get(metric, [])) > count

    async def follow(self, websocket: str, run: str) -> None:
        """Connect, and resume from the last cursor whenever the connection is lost, until cancelled."""
        while True:
            try:
                async with aclosing(subscribe(websocket, run, self.cursor)) as updates:
                    async for update in updates:
                        self.take(update)
            except (OSError, TransportError):
                await asyncio.sleep(0.05)
            self.connections += 1


async def subscribe(websocket: str, run: str, after: str | None) -> AsyncGenerator[dict[str, Any]]:
    transport = WebsocketsTransport(
        url=websocket, subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL], close_timeout=1
    )
    async with Client(transport=transport) as session:
        request = gql(FOLLOW)
        request.variable_values = {"run": run, "after": after}
        async with aclosing(session.subscribe(request)) as results:
            async for result in results:
                yield result["runTree"]


async def call(
    client: httpx.AsyncClient, server: str, query: str, variables: dict[str, Any]
) -> dict[str, Any]:
    """One operation, tried again with the same content until it is acknowledged."""
    while True:
        try:
            answer = await client.post(server, json={"query": query, "variables": variables})
            result = answer.json()
            assert "errors" not in result, result
            found: dict[str, Any] = result["data"]
            return found
        except httpx.TransportError:
            await asyncio.sleep(0.02)


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a follower and wait until its connection is closed."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # the condition is about another process
            await asyncio.sleep(0.02)


@pytest.mark.timeout(170)
async def test_a_writer_over_the_api_and_a_follower_survive_kills(tmp_path: Path) -> None:
    server = await start("--store", "sqlite:///runs.sqlite", cwd=tmp_path)
    held, lines = Held(), 150
    async with httpx.AsyncClient(timeout=10) as client:
        created = await call(
            client, server.graphql, CREATE, {"input": {"experiment": "e", "name": "r", "runId": "r"}}
        )
        run = created["createRun"]["run"]["id"]

        async def write() -> None:
            for i in range(lines):
                entry = {
                    "run": run,
                    "writer": "job",
                    "sequence": i,
                    "points": [{"metric": "loss", "values": [i / 4], "steps": [i]}],
                    "logs": [{"path": "out.log", "text": f"line {i} ✓\n"}],
                }
                await call(client, server.graphql, RECORD, {"input": entry})
                await asyncio.sleep(0.01)

        following = asyncio.create_task(held.follow(server.websocket, run))
        writing = asyncio.create_task(write())
        for kills in range(1, 4):
            await until(partial(held.has, "loss", 30 * kills))
            await server.kill()
            server = await start("--store", "sqlite:///runs.sqlite", cwd=tmp_path, port=server.port)
        await writing
        await until(lambda: len(held.values["loss"]) >= lines)
        await stop(following)
    assert held.values == {"loss": [i / 4 for i in range(lines)]}
    assert held.texts == {"out.log": "".join(f"line {i} ✓\n" for i in range(lines))}
    assert held.connections >= 3
    await server.kill()


JOB = """
import json, sys, time
folder = sys.argv[1]
with open(f"{folder}/metrics.jsonl", "a") as metrics, open(f"{folder}/stdout.log", "a") as log:
    for i in range(200):
        value = float("nan") if i == 50 else i / 8
        metrics.write(json.dumps({"step": i, "loss": value}) + "\\n"); metrics.flush()
        print(f"\\rstep {i}", end="\\n" if i % 3 == 0 else "", file=log, flush=True)
        time.sleep(0.01)
    print("", file=log)
"""


@pytest.mark.timeout(170)
async def test_a_followed_job_and_a_follower_survive_kills(tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "train"
    folder.mkdir(parents=True)
    arguments = ("jobs", "--store", "sqlite:///runs.sqlite")
    server = await start(*arguments, cwd=tmp_path)
    job = await asyncio.create_subprocess_exec(sys.executable, "-c", JOB, str(folder))
    async with httpx.AsyncClient(timeout=10) as client:
        run = await _first_run(client, server)
        held = Held()
        following = asyncio.create_task(held.follow(server.websocket, run))
        for kills in range(1, 4):
            await until(partial(held.has, "loss", 40 * kills))
            await server.kill()
            server = await start(*arguments, cwd=tmp_path, port=server.port)
        await job.wait()
        written = (folder / "stdout.log").read_bytes().decode()
        await until(lambda: len(held.values["loss"]) >= 200 and len(held.texts["stdout.log"]) >= len(written))
        # Nothing further comes, not even twice.
        await asyncio.sleep(1)
        await stop(following)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert held.values["loss"] == ["NaN" if math.isnan(row["loss"]) else row["loss"] for row in rows]
    assert held.texts["stdout.log"] == written
    await server.kill()


async def _first_run(client: httpx.AsyncClient, server: ServerProcess) -> str:
    async with asyncio.timeout(30):
        while True:
            found = await call(client, server.graphql, "{ runs { nodes { id runId } } }", {})
            for node in found["runs"]["nodes"]:
                assert node["runId"] == "jobs/train"
                run: str = node["id"]
                return run
            await asyncio.sleep(0.05)
