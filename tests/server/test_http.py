"""The application over HTTP, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message, Scope

from graphql_runs.server.application import build_application, build_rooms
from graphql_runs.server.settings import Settings
from graphql_runs.store.sqlite import SqliteStore


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    settings = Settings(request_bytes=4096, upload_bytes=1000)
    rooms = build_rooms(await SqliteStore.open(tmp_path / "runs.sqlite"), settings, [])
    made = build_application(rooms, settings)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as made:
        yield made


async def ask(client: httpx.AsyncClient, query: str, **variables: Any) -> dict[str, Any]:
    answer = await client.post("/graphql", json={"query": query, "variables": variables})
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def run(client: httpx.AsyncClient) -> str:
    made = await ask(
        client, 'mutation { createRun(input: {experiment: "e", name: "r", runId: "r"}) { run { id } } }'
    )
    found: str = made["data"]["createRun"]["run"]["id"]
    return found


async def test_health(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json()["status"] == "ok"


async def test_an_artifact_is_put_and_got_whole_and_in_ranges(client: httpx.AsyncClient, run: str) -> None:
    url = f"/artifacts/{run}/models/best model.bin"
    put = await client.put(url, content=b"0123456789", headers={"content-type": "application/x-model"})
    assert (put.status_code, put.json()["size"]) == (201, 10)
    got = await client.get(url)
    assert (got.content, got.headers["content-type"]) == (b"0123456789", "application/x-model")
    assert got.headers["x-content-type-options"] == "nosniff"
    for asked, content, place in [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ]:
        part = await client.get(url, headers={"range": asked})
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, content, place)
    assert (await client.get(url, headers={"range": "bytes=10-"})).status_code == 416
    shown = await ask(
        client, "query ($id: ID!) { run(id: $id) { artifacts { nodes { path size sha256 url } } } }", id=run
    )
    [node] = shown["data"]["run"]["artifacts"]["nodes"]
    assert (node["path"], node["size"], node["sha256"]) == ("models/best model.bin", 10, put.json()["sha256"])
    assert (await client.get(node["url"])).content == b"0123456789"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/artifacts/run_unknown/x", 404, "NOT_FOUND"),
        ("/artifacts/{run}/../../etc/passwd", 404, None),
        ("/artifacts/{run}/..%2F..%2Fsecret", 400, "BAD_USER_INPUT"),
    ],
)
async def test_a_bad_upload_is_refused(
    client: httpx.AsyncClient, run: str, path: str, status: int, code: str | None
) -> None:
    answer = await client.put(path.format(run=run), content=b"x")
    assert answer.status_code in (status, 405)
    if code is not None:
        assert answer.json()["errors"][0]["extensions"]["code"] == code
    shown = await ask(client, "query ($id: ID!) { run(id: $id) { artifacts { nodes { path } } } }", id=run)
    assert shown["data"]["run"]["artifacts"]["nodes"] == []


async def test_an_upload_beyond_the_limit_leaves_nothing(client: httpx.AsyncClient, run: str) -> None:
    answer = await client.put(f"/artifacts/{run}/big", content=b"x" * 1001)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (413, "LIMIT_EXCEEDED")
    assert (await client.get(f"/artifacts/{run}/big")).status_code == 404


async def test_a_log_is_downloaded_as_it_was_written(client: httpx.AsyncClient, run: str) -> None:
    record = 'mutation ($input: RecordInput!) { record(input: $input) { run { log(path: "out.log") { url size } } } }'
    done = await ask(client, record, input={"run": run, "logs": [{"path": "out.log", "text": "50%\r100%\n"}]})
    log = done["data"]["record"]["run"]["log"]
    assert log["size"] == 9
    got = await client.get(log["url"])
    assert got.content == b"50%\r100%\n"
    assert (await client.get(log["url"], headers={"range": "bytes=-5"})).content == b"100%\n"
    assert (await client.get(log["url"] + "x")).status_code == 404


async def test_a_request_beyond_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ __typename }", "variables": {"x": "y" * 5000}})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (413, "LIMIT_EXCEEDED")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    answer = await client.post("/graphql", content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_a_foreign_host_name_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz", headers={"host": "evil.example"})
    assert answer.status_code == 400


async def test_a_browser_gets_graphiql_and_a_program_gets_json(client: httpx.AsyncClient) -> None:
    page = await client.get("/graphql", headers={"accept": "text/html"})
    assert "html" in page.headers["content-type"]
    answer = await client.get(
        "/graphql", params={"query": "{ __typename }"}, headers={"accept": "application/json"}
    )
    assert answer.json() == {"data": {"__typename": "Query"}}
    written = await client.get(
        "/graphql", params={"query": 'mutation { createWorkspace(input: {name: "x"}) { workspace { id } } }'}
    )
    assert written.status_code >= 400


async def test_an_unknown_run_is_said(client: httpx.AsyncClient) -> None:
    answer = await ask(
        client,
        'mutation { record(input: {run: "nobody", points: [{metric: "m", values: [1]}]}) { repeated } }',
    )
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert answer["errors"][0]["path"] == ["record"]


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_failure(app: Starlette) -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"query": "{ ser', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
