"""GraphQL over HTTP beyond what the audit suite looks at, limits, and trusted documents."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from graphql_runs.model.errors import InvalidInput
from graphql_runs.schema.build import build_schema
from graphql_runs.server.application import read_documents
from graphql_runs.server.errors import BadRequest
from graphql_runs.server.request import EVENTS, HTML, JSON, RESPONSE, acceptable
from graphql_runs.server.settings import Settings
from tests.server.local import Local, local

TYPENAME = "{ __typename }"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Local]:
    async with local(tmp_path) as started:
        yield started


async def post(server: Local, body: object, accept: str = RESPONSE) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{server.address}/graphql", json=body, headers={"accept": accept})


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}; charset=utf-8", RESPONSE),
        (f"{JSON};q=0.9, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=0.5, {JSON};q=0.9", JSON),
        (f"{RESPONSE}, {JSON}", RESPONSE),
        (f"{JSON}, multipart/mixed", JSON),
        (EVENTS, EVENTS),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
    ],
)
def test_the_best_media_type_is_chosen(accept: str | None, expected: str) -> None:
    assert acceptable(accept, (JSON, RESPONSE, EVENTS, HTML)) == expected


@pytest.mark.parametrize("accept", ["image/png", f"{JSON};q=0", f"{JSON};q=x", "nonsense"])
def test_what_cannot_be_given_is_refused(accept: str) -> None:
    with pytest.raises(BadRequest) as caught:
        acceptable(accept, (JSON, RESPONSE))
    assert caught.value.status == 406


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ([{"query": TYPENAME}], 400, "BAD_REQUEST", None),
        ("x", 400, "BAD_REQUEST", None),
        ({}, 400, "BAD_REQUEST", "query"),
        ({"query": ""}, 400, "BAD_REQUEST", "query"),
        ({"query": 1}, 400, "BAD_REQUEST", "query"),
        ({"query": TYPENAME, "variables": []}, 400, "BAD_REQUEST", "variables"),
        ({"query": TYPENAME, "operationName": "nope"}, 400, "BAD_REQUEST", "operationName"),
        ({"query": "query A { __typename } query B { __typename }"}, 400, "BAD_USER_INPUT", "operationName"),
        ({"query": "{"}, 400, "GRAPHQL_PARSE_FAILED", None),
        ({"query": "{ nope }"}, 400, "GRAPHQL_VALIDATION_FAILED", None),
        ({"query": 'subscription { runs(workspace: "w") { cursor } }'}, 400, "BAD_REQUEST", None),
        ({"query": TYPENAME, "extensions": {"persistedQuery": 1}}, 400, "BAD_REQUEST", "persistedQuery"),
        ({"documentId": "sha256:00"}, 400, "PERSISTED_QUERY_NOT_FOUND", "documentId"),
    ],
)
async def test_bad_requests_are_told_apart(
    server: Local, body: object, status: int, code: str, field: str | None
) -> None:
    found = await post(server, body)
    assert found.status_code == status
    assert found.headers["content-type"] == f"{RESPONSE}; charset=utf-8"
    [error] = found.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"].get("field")) == (code, field)
    assert "data" not in found.json()


async def test_the_older_media_type_has_200_for_graphql_errors(server: Local) -> None:
    for query in ("{", "{ nope }"):
        found = await post(server, {"query": query}, JSON)
        assert (found.status_code, found.headers["content-type"]) == (200, f"{JSON}; charset=utf-8")
        assert "errors" in found.json()


async def test_errors_of_fields_come_with_the_data(server: Local) -> None:
    found = await post(server, {"query": 'mutation { record(input: {run: "x"}) { repeated } }'})
    assert found.status_code == 200
    assert found.json()["data"] is None
    assert found.json()["errors"][0]["path"] == ["record"]


async def test_what_json_does_not_have_is_masked_as_a_bug(
    server: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = replace(server.rooms.store.capabilities, name="\ud800")
    monkeypatch.setattr(type(server.rooms.store), "capabilities", odd)
    [error] = (await post(server, {"query": "{ server { store } }"})).json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "surrogates" not in error["message"]


async def test_a_body_that_is_not_json_or_not_utf_8(server: Local) -> None:
    async with httpx.AsyncClient(base_url=server.address) as client:
        for headers, content, status in [
            ({"content-type": "text/plain"}, b'{"query": "{ __typename }"}', 415),
            ({"content-type": "application/json; charset=latin-1"}, b'{"query": "{ __typename }"}', 415),
            ({"content-type": "application/json"}, b"\xff", 400),
        ]:
            assert (await client.post("/graphql", content=content, headers=headers)).status_code == status
        found = await client.get("/graphql", params={"query": TYPENAME, "variables": "{"})
        assert (found.status_code, found.json()["errors"][0]["extensions"]["field"]) == (400, "variables")
        found = await client.get("/graphql", params={"query": "mutation { __typename }"})
        assert (found.status_code, found.headers["allow"]) == (405, "POST")
        assert (await client.delete("/graphql")).status_code == 405


async def test_an_operation_that_takes_too_long_is_given_up_down_to_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = asyncio.Event()
    async with local(tmp_path, request_seconds=0.1) as server:

        async def slow(*_: object, **__: object) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        monkeypatch.setattr(server.rooms.store, "find_runs", slow)
        found = await post(server, {"query": "{ runs { nodes { id } } }"})
        assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (503, "TIMEOUT")
        async with asyncio.timeout(10):
            await cancelled.wait()


async def test_an_operation_that_nobody_waits_for_is_given_up(
    server: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(*_: object, **__: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setattr(server.rooms.store, "find_runs", slow)
    asking = asyncio.create_task(post(server, {"query": "{ runs { nodes { id } } }"}))
    await started.wait()
    asking.cancel()
    async with asyncio.timeout(10):
        await cancelled.wait()
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_read_of_the_store_ends_when_nobody_waits_for_it(server: Local) -> None:
    """Otherwise a few slow queries would hold every reader of the store long after their clients have gone."""
    store: Any = server.rooms.store
    running, ended = threading.Event(), threading.Event()

    def endless(cursor: Any) -> None:
        running.set()
        try:
            cursor.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
            ).fetchall()
        finally:
            ended.set()

    reading = asyncio.create_task(store._readers.do(endless))
    await asyncio.to_thread(running.wait, 10)
    reading.cancel()
    assert await asyncio.to_thread(ended.wait, 10)
    await asyncio.gather(reading, return_exceptions=True)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def as_folder(path: Path, text: str) -> Path:
    (path / "documents" / "deep").mkdir(parents=True)
    (path / "documents" / "deep" / "one.graphql").write_text(text)
    return path / "documents"


def as_file(path: Path, text: str) -> Path:
    (path / "documents.json").write_text(json.dumps({digest(text): text}))
    return path / "documents.json"


@pytest.mark.parametrize("make", [as_folder, as_file])
async def test_trusted_documents_are_named_by_their_hash(
    tmp_path: Path, make: Callable[[Path, str], Path]
) -> None:
    text = "query Who { viewer { authenticated } }\n"
    hashed = {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}
    async with local(tmp_path, trusted_documents=make(tmp_path, text)) as server:
        for body in (
            {"documentId": f"sha256:{digest(text)}"},
            {"extensions": hashed},
            {"query": text, "extensions": hashed},
            {"query": TYPENAME},
        ):
            assert (await post(server, body)).status_code == 200, body
        async with httpx.AsyncClient(base_url=server.address) as client:
            found = await client.get("/graphql", params={"extensions": json.dumps(hashed)})
            assert found.json() == {"data": {"viewer": {"authenticated": False}}}
        found = await post(server, {"query": TYPENAME, "extensions": hashed})
        assert (found.status_code, found.json()["errors"][0]["extensions"]["field"]) == (
            400,
            "persistedQuery",
        )


async def test_only_trusted_documents_run_where_that_is_set(tmp_path: Path) -> None:
    text = "query Who { viewer { authenticated } }"
    async with local(
        tmp_path, trusted_documents=as_folder(tmp_path, text), trusted_documents_only=True
    ) as server:
        assert (await post(server, {"query": text})).status_code == 200
        assert (await post(server, {"documentId": digest(text)})).status_code == 200
        found = await post(server, {"query": TYPENAME})
        assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (
            403,
            "DOCUMENT_NOT_TRUSTED",
        )
        [found] = [found async for found in server.follow("websocket", TYPENAME)]
        assert found["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "{", "is not JSON"),
        ("x.json", "[]", "is not an object"),
        ("x.json", '{"00": "{ __typename }"}', "is not the SHA-256"),
        ("folder/a.graphql", "query {", "a.graphql, line 1: Syntax Error"),
        ("folder/a.graphql", "\n{ nope }", "a.graphql, line 2: Cannot query field 'nope'"),
        ("missing", None, "cannot be read"),
    ],
)
def test_wrong_documents_are_named_at_the_start(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    place = tmp_path / name
    if content is not None:
        place.parent.mkdir(exist_ok=True)
        place.write_text(content)
    given = place.parent if name.startswith("folder") else place
    with pytest.raises(InvalidInput, match=message) as caught:
        read_documents(build_schema(), Settings(trusted_documents=given))
    assert caught.value.field == "trusted_documents"


def test_only_trusted_documents_need_some() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_documents(build_schema(), Settings(trusted_documents_only=True))
    assert caught.value.field == "trusted_documents_only"
