"""Subscriptions over both transports: the same tests for each."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from inspect import isasyncgen
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from graphql_runs.live.follow import workspace_cursor
from graphql_runs.model import ids
from tests.server.local import TRANSPORTS, Local, first, local, message

HOME = ids.workspace_id("default")
CREATE = "mutation ($input: CreateRunInput!) { createRun(input: $input) { run { id } } }"
RECORD = "mutation ($input: RecordInput!) { record(input: $input) { liveCursor } }"
RUNS = """
subscription ($workspace: String!, $filter: RunFilter, $after: String) {
  runs(workspace: $workspace, filter: $filter, after: $after, throttle: 0) {
    cursor caughtUp reset changed { id runId status } left gap { reason }
  }
}
"""
TREE = """
subscription ($run: ID!, $after: String, $until: StatusClass) {
  runTree(run: $run, after: $after, until: $until, throttle: 0) {
    cursor caughtUp metrics { name start values } runs { status }
  }
}
"""
LOG = """
subscription ($run: ID!, $after: String, $tail: Int! = 100) {
  log(run: $run, path: "out", after: $after, tail: $tail) {
    cursor caughtUp reset replaceFrom lines { number offset text runId path }
  }
}
"""
CLUSTER = """
subscription ($id: ID!) {
  cluster(id: $id, throttle: 0) { cursor cluster { name currentNodes } changed { runId } left }
}
"""
both = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Local]:
    async with local(tmp_path) as started:
        yield started


async def create(server: Local, name: str, **fields: Any) -> str:
    run = {"experiment": "e", "name": name, "runId": name, "status": {"status": "RUNNING"}, **fields}
    id: str = (await server.ask(CREATE, input=run))["createRun"]["run"]["id"]
    return id


async def record(server: Local, run: str, **fields: Any) -> None:
    await server.ask(RECORD, input={"run": run, **fields})


@both
async def test_a_list_of_runs(server: Local, transport: str) -> None:
    run = await create(server, "a")
    running = {"status": {"eq": "RUNNING"}}
    async with aclosing(server.follow(transport, RUNS, workspace="default", filter=running)) as answers:
        update = (await first(answers))["data"]["runs"]
        assert update.pop("cursor")
        assert update == {
            "caughtUp": True,
            "reset": False,
            "changed": [{"id": run, "runId": "a", "status": "RUNNING"}],
            "left": [],
            "gap": None,
        }
        await record(server, run, status={"status": "COMPLETED"})
        update = (await first(answers))["data"]["runs"]
        assert (update["changed"], update["left"]) == ([], [run])


@both
async def test_what_is_put_into_the_trash_or_deleted_leaves(server: Local, transport: str) -> None:
    run = await create(server, "a")
    async with aclosing(server.follow(transport, RUNS, workspace="default")) as answers:
        await first(answers)
        for mutation, expected in [
            ("trashRuns", "left"),
            ("restoreRuns", "changed"),
            ("trashRuns", "left"),
            ("purgeRuns", "left"),
        ]:
            await server.ask(f"mutation ($runs: [ID!]!) {{ {mutation}(runs: $runs) {{ id }} }}", runs=[run])
            update = (await first(answers))["data"]["runs"]
            told = update["left"] if expected == "left" else [found["id"] for found in update["changed"]]
            assert (mutation, told) == (mutation, [run])


@both
async def test_it_goes_on_from_a_query_and_after_a_drop(server: Local, transport: str) -> None:
    await create(server, "a")
    asked = await server.ask('{ workspace(name: "default") { runs { liveCursor nodes { runId } } } }')
    after = asked["workspace"]["runs"]["liveCursor"]
    await create(server, "b")
    for expected in (["b"], ["c"]):
        async with aclosing(server.follow(transport, RUNS, workspace="default", after=after)) as answers:
            told: list[str] = []
            while told != expected:
                update = (await first(answers))["data"]["runs"]
                told += [run["runId"] for run in update["changed"]]
                after = update["cursor"]
        await create(server, chr(ord(expected[0]) + 1))


@both
async def test_it_goes_on_after_a_restart_and_in_another_process(tmp_path: Path, transport: str) -> None:
    async with local(tmp_path) as one:
        run = await create(one, "a")
        after = await workspace_cursor(one.rooms.store, HOME)
        await record(one, run, status={"status": "COMPLETED"})
    async with local(tmp_path) as two, local(tmp_path) as three:
        for server in (two, three):
            async with aclosing(server.follow(transport, RUNS, workspace="default", after=after)) as answers:
                update = (await first(answers))["data"]["runs"]
                assert [(run["runId"], run["status"]) for run in update["changed"]] == [("a", "COMPLETED")]


@both
async def test_a_cluster(server: Local, transport: str) -> None:
    described = await server.ask(
        "mutation ($input: UpsertClusterInput!) { upsertCluster(input: $input) { cluster { id } } }",
        input={"workspace": "default", "name": "gpu", "currentNodes": 2},
    )
    run = await create(server, "a", cluster="gpu")
    id = described["upsertCluster"]["cluster"]["id"]
    async with aclosing(server.follow(transport, CLUSTER, id=id)) as answers:
        update = (await first(answers))["data"]["cluster"]
        assert update["cluster"] == {"name": "gpu", "currentNodes": 2}
        assert update["changed"] == [{"runId": "a"}]
        await record(server, run, status={"status": "FAILED"})
        while run not in update["left"]:
            update = (await first(answers))["data"]["cluster"]


@both
async def test_a_log(server: Local, transport: str) -> None:
    run = await create(server, "a")
    await record(server, run, logs=[{"path": "out", "text": "one\n 10%"}])
    async with aclosing(server.follow(transport, LOG, run=run, tail=1)) as answers:
        update = (await first(answers))["data"]["log"]
        assert update["lines"] == [{"number": 2, "offset": 4, "text": " 10%", "runId": "a", "path": "out"}]
        await record(server, run, logs=[{"path": "out", "text": "\r 20%"}])
        update = (await first(answers))["data"]["log"]
        assert (update["replaceFrom"], [line["text"] for line in update["lines"]]) == (4, [" 20%"])
        after = update["cursor"]
    await record(server, run, logs=[{"path": "out", "text": "\nend\n"}])
    async with aclosing(server.follow(transport, LOG, run=run, after=after)) as answers:
        lines: list[str] = []
        while lines != ["end"]:
            update = (await first(answers))["data"]["log"]
            assert (update["reset"], update["replaceFrom"]) == (False, None)
            lines += [line["text"] for line in update["lines"]]


@both
async def test_a_tree_until_it_ends(server: Local, transport: str) -> None:
    run = await create(server, "a")
    values: list[float] = []
    async with (
        asyncio.timeout(30),
        aclosing(server.follow(transport, TREE, run=run, until="TERMINAL")) as answers,
    ):
        sent = 0
        async for found in answers:
            for delta in found["data"]["runTree"]["metrics"]:
                assert delta["start"] == len(values)
                values += delta["values"]
            if sent < 5:
                await record(server, run, points=[{"metric": "m", "values": [sent]}])
                sent += 1
            elif sent == 5:
                await record(server, run, status={"status": "COMPLETED"})
                sent += 1
    assert values == [0, 1, 2, 3, 4]


@both
@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        (RUNS, {"workspace": "nowhere"}, "NOT_FOUND"),
        (RUNS, {"workspace": "default", "after": "x"}, "BAD_USER_INPUT"),
        (RUNS, {}, "BAD_USER_INPUT"),
        (TREE, {"run": "nobody"}, "NOT_FOUND"),
        (LOG, {"run": "a", "tail": -1}, "BAD_USER_INPUT"),
        (CLUSTER, {"id": "cluster_x"}, "NOT_FOUND"),
        ("subscription { nope }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", {}, "GRAPHQL_PARSE_FAILED"),
    ],
)
async def test_what_is_wrong_is_said_and_ends_it(
    server: Local, transport: str, query: str, variables: dict[str, Any], code: str
) -> None:
    await create(server, "a")
    [found] = [found async for found in server.follow(transport, query, **variables)]
    assert [error["extensions"]["code"] for error in found["errors"]] == [code]
    assert "data" not in found


@both
async def test_queries_and_mutations_too(server: Local, transport: str) -> None:
    [found] = [found async for found in server.follow(transport, "{ viewer { authenticated } }")]
    assert found == {"data": {"viewer": {"authenticated": False}}}
    run = {"experiment": "e", "name": "a", "runId": "a"}
    [found] = [found async for found in server.follow(transport, CREATE, input=run)]
    assert found["data"]["createRun"]["run"]["id"]


@both
async def test_a_stopping_server_cuts_a_subscription_and_does_not_complete_it(
    tmp_path: Path, transport: str
) -> None:
    async with local(tmp_path) as server:
        await create(server, "a")
        answers = server.follow(transport, RUNS, workspace="default")
        await first(answers)
        waiting = asyncio.ensure_future(anext(answers))
        await asyncio.sleep(0)
    # What `follow` gives for a `complete` is an end; over a WebSocket the close code says that one may connect again.
    if transport == "websocket":
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            await waiting
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1012
    else:
        with pytest.raises(StopAsyncIteration):
            await waiting
    await answers.aclose()


async def test_an_event_stream_as_it_is_on_the_wire(tmp_path: Path) -> None:
    async with local(tmp_path, ping_seconds=0.1) as server:
        run = await create(server, "a")
        text = ""
        async with (
            httpx.AsyncClient() as client,
            client.stream(
                "POST",
                f"{server.address}/graphql",
                headers={"accept": "text/event-stream"},
                json={
                    "query": "subscription ($r: ID!) { runTree(run: $r, until: TERMINAL) { caughtUp } }",
                    "variables": {"r": run},
                },
            ) as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-cache, no-transform"
            async with asyncio.timeout(20):
                async for chunk in response.aiter_text():
                    text += chunk
                    # The first comment, an event, and at least one comment because nothing happens.
                    if text.count(":\n\n") == 3:
                        await record(server, run, status={"status": "COMPLETED"})
    assert text.startswith(':\n\nevent: next\ndata: {"data":{"runTree":{"caughtUp":true}}}\n\n:\n\n')
    assert text.endswith("event: complete\ndata:\n\n")


async def test_event_streams_by_get_are_for_reading(server: Local) -> None:
    async with httpx.AsyncClient(headers={"accept": "text/event-stream"}) as client:
        found = await client.get(f"{server.address}/graphql", params={"query": "{ __typename }"})
        assert 'data: {"data":{"__typename":"Query"}}' in found.text
        found = await client.get(
            f"{server.address}/graphql",
            params={"query": 'mutation { createWorkspace(input: {name: "x"}) { workspace { id } } }'},
        )
    assert "GET is for queries" in found.text


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["nonsense"], 4400),
        ([[]], 4400),
        ([{"type": "what"}], 4400),
        ([{"type": "connection_init", "payload": 1}], 4400),
        ([{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init"}, {"type": "subscribe", "payload": {}}], 4400),
        (
            [
                {"type": "connection_init"},
                *[
                    {
                        "type": "subscribe",
                        "id": "1",
                        "payload": {"query": RUNS, "variables": {"workspace": "default"}},
                    }
                ]
                * 2,
            ],
            4409,
        ),
    ],
)
async def test_a_socket_that_breaks_the_protocol_is_closed(
    server: Local, messages: list[Any], code: int
) -> None:
    await create(server, "a")
    async with server.socket() as connection:
        for given in messages:
            await connection.send(given if isinstance(given, str) else json.dumps(given))
        async with asyncio.timeout(20):
            await connection.wait_closed()
    assert connection.close_code == code


async def test_a_socket_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with local(tmp_path, connect_seconds=0.05) as server, server.socket() as connection:
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await message(connection)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4408


@pytest.mark.parametrize("protocol", ["graphql-ws", "anything"])
async def test_another_protocol_is_refused(server: Local, protocol: str) -> None:
    async with server.socket(protocol) as connection, asyncio.timeout(20):
        await connection.wait_closed()
    assert connection.close_code == 4406


async def test_a_page_of_another_origin_may_not_connect(server: Local) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with server.socket(origin="http://evil.example"):
            pass
    assert caught.value.response.status_code == 403
    async with server.socket(origin=server.address) as connection:
        await connection.send('{"type":"ping"}')
        assert await message(connection) == {"type": "pong"}


async def test_a_socket_has_a_limit_of_operations(tmp_path: Path) -> None:
    async with local(tmp_path, socket_subscriptions=1) as server, server.socket() as connection:
        await create(server, "a")
        await connection.send('{"type":"connection_init"}')
        payload = {"query": RUNS, "variables": {"workspace": "default"}}
        for id in "12":
            await connection.send(json.dumps({"type": "subscribe", "id": id, "payload": payload}))
        found = [await message(connection) for _ in range(3)]
        [error] = [entry for entry in found if entry["type"] == "error"]
        assert (error["id"], error["payload"][0]["extensions"]["code"]) == ("2", "LIMIT_EXCEEDED")


@both
async def test_a_slow_reader_holds_its_subscription_back(server: Local, transport: str) -> None:
    """What a reader does not take is not gathered for it: the server reads on when the reader does."""
    run = await create(server, "a")
    reads = 0
    read = server.rooms.store.read

    async def counted(*arguments: Any, **keywords: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*arguments, **keywords)

    server.rooms.store.read = counted  # type: ignore[method-assign]
    text = "x" * 99 + "\n"
    async with aclosing(server.follow(transport, TREE_LOGS, run=run)) as answers:
        await first(answers)
        # Tens of mebibytes, far more than sockets hold.
        for _ in range(40):
            await record(server, run, logs=[{"path": "out", "text": text * 10_000}])
        before = reads
        await asyncio.sleep(0.3)
        assert reads - before < 40
        size = 0
        while size < 40 * len(text) * 10_000:
            for delta in (await first(answers))["data"]["runTree"]["logs"]:
                assert delta["offset"] == size
                size += int(delta["size"])


TREE_LOGS = "subscription ($run: ID!) { runTree(run: $run, throttle: 0) { logs { offset size text } } }"


@both
async def test_a_thousand_connects_and_drops_leave_nothing(server: Local, transport: str) -> None:
    run = await create(server, "a")

    def left() -> tuple[int, int]:
        gc.collect()
        return len(asyncio.all_tasks()), sum(map(isasyncgen, gc.get_objects()))

    async def once(index: int) -> None:
        query, variables = [(RUNS, {"workspace": "default"}), (TREE, {"run": run}), (LOG, {"run": run})][
            index % 3
        ]
        async with aclosing(server.follow(transport, query, **variables)) as answers:
            await first(answers)

    await once(0)
    before = left()
    for start in range(0, 1000, 50):
        await asyncio.gather(*(once(start + i) for i in range(50)))
    for _ in range(500):
        if not server.rooms.hub.watchers and left() <= before:
            break
        await asyncio.sleep(0.02)
    assert (server.rooms.hub.watchers, left() <= before) == (0, True)
