"""`POST /ingest/jsonl` of a server, as curl speaks to it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from graphql_runs.model import ids
from graphql_runs_tabular.receiver import read_lines
from tests.server.local import Local, local

QUERY = """
query($run: ID!) { run(id: $run) {
  name status experiment { name workspace { name } } params { key value }
  metrics { nodes { name kind summary { count last lastStep } } }
} }
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Local]:
    async with local(tmp_path, ingest_line_bytes=1024, request_bytes=1 << 20) as up:
        yield up


async def post(
    server: Local, body: bytes, headers: dict[str, str] | None = None, **query: Any
) -> httpx.Response:
    async with httpx.AsyncClient(headers=server.headers, timeout=30) as client:
        return await client.post(
            f"{server.address}/ingest/jsonl", params=query, content=body, headers=headers
        )


async def run_of(server: Local, run: str, workspace: str = "default") -> Any:
    return (await server.ask(QUERY, run=ids.run_id(ids.workspace_id(workspace), run)))["run"]


def metrics(run: Any) -> dict[str, tuple[Any, ...]]:
    return {
        one["name"]: (one["kind"], one["summary"]["count"], one["summary"]["last"])
        for one in run["metrics"]["nodes"]
    }


def lines(*rows: object) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


async def test_rows_are_taken_and_each_line_that_is_not_is_named(server: Local) -> None:
    body = b'{"config": {"lr": 0.1}}\n{"step": 1, "loss": 0.5}\nnonsense\n\n{"step": 2, "loss": NaN}\n[1]\n{"step": 3, "loss": "high", "note": "ok"}'
    answer = await post(server, body, run="r1", experiment="shell", workspace="lab")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["runId"] == "r1"
    assert (found["rows"], found["points"], found["repeated"]) == (4, 3, False)
    assert [(one["line"], one["reason"].split(":")[0]) for one in found["skipped"]] == [
        (3, "malformed JSON"),
        (6, "not an object"),
        (7, "'loss' has numbers, here it is 'high'"),
    ]
    run = await run_of(server, "r1", "lab")
    assert run["experiment"] == {"name": "shell", "workspace": {"name": "lab"}}
    assert run["status"] == "RUNNING"
    assert run["params"] == [{"key": "lr", "value": "0.1"}]
    assert metrics(run) == {"loss": ("SCALAR", 2, "NaN"), "note": ("TEXT", 1, None)}


async def test_a_repetition_changes_nothing_and_another_content_is_a_conflict(server: Local) -> None:
    first, second = lines({"step": 1, "loss": 1.0}), lines({"step": 2, "loss": 0.5})
    for sequence, body, repeated in (
        (0, first, False),
        (0, first, True),
        (1, second, False),
        (1, second, True),
    ):
        answer = await post(server, body, run="r", writer="w", sequence=sequence)
        assert answer.status_code == 200, answer.text
        assert answer.json()["repeated"] is repeated
    assert metrics(await run_of(server, "r")) == {"loss": ("SCALAR", 2, 0.5)}
    for sequence, body, code in ((1, first, "SEQUENCE_CONFLICT"), (5, first, "SEQUENCE_GAP")):
        answer = await post(server, body, run="r", writer="w", sequence=sequence)
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_kinds_of_metrics_stay_what_they_are(server: Local) -> None:
    await post(server, lines({"loss": 1.0, "text": "a", "list": [1, 2]}), run="r")
    answer = await post(server, lines({"loss": "bad", "text": 3, "list": 3}), run="r")
    assert [one["line"] for one in answer.json()["skipped"]] == [1]
    run = await run_of(server, "r")
    assert metrics(run)["text"] == ("TEXT", 2, None)
    assert metrics(run)["list"][:2] == ("LIST", 3)
    assert metrics(run)["loss"] == ("SCALAR", 1, 1.0)


async def test_a_metric_has_steps_in_all_lines_of_a_body_or_in_none(server: Local) -> None:
    answer = await post(server, lines({"step": 7, "a": 1}, {"b": 2}, {"a": 2}), run="r")
    assert answer.status_code == 400
    assert "line 3: " in answer.text
    assert await run_of(server, "r") is None
    for rows in ([{"step": 7, "a": 1}, {"b": 2}], [{"a": 2}], [{"time": 1704067200, "a": 3}]):
        assert (await post(server, lines(*rows), run="r")).status_code == 200
    assert metrics(await run_of(server, "r")) == {"a": ("SCALAR", 3, 3), "b": ("SCALAR", 1, 2)}


@pytest.mark.parametrize("header", [{"content-encoding": "gzip"}, {}])
async def test_gzip_is_unpacked(server: Local, header: dict[str, str]) -> None:
    packed = gzip.compress(lines({"loss": 1})) + gzip.compress(b"\n" + lines({"loss": 2}))
    answer = await post(server, packed, header, run="r")
    assert answer.json()["points"] == 2, answer.text
    cut = await post(server, packed[:-3], header, run="cut")
    assert cut.status_code == 400
    assert "cut off" in cut.text
    garbage = await post(server, b"\x1f\x8bgarbage", header, run="cut")
    assert garbage.status_code == 400
    assert await run_of(server, "cut") is None


@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans(), st.integers(1, 30))
def test_lines_do_not_depend_on_how_a_body_comes(parts: list[bytes], packed: bool, size: int) -> None:
    whole = b"".join(parts)
    if not packed and whole.startswith(b"\x1f\x8b"):
        return  # taken for gzip
    body = gzip.compress(whole) if packed else whole
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    coming = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(coming)

    async def read() -> list[bytes]:
        request = Request({"type": "http", "method": "POST", "headers": []}, receive)
        return [line async for line in read_lines(request, 1 << 20)]

    found = asyncio.run(read())
    assert [line for line in found if line] == [line for line in whole.split(b"\n") if line]


async def test_limits_hold_once_it_is_unpacked_and_nothing_is_half_written(server: Local) -> None:
    bomb = gzip.compress((lines({"loss": 1}) + b"\n") * 200_000)
    assert len(bomb) < 100_000
    answer = await post(server, bomb, run="bomb")
    assert answer.status_code == 413, answer.text
    assert answer.json()["errors"][0]["extensions"]["field"] == "request_bytes"
    assert (await post(server, b"x" * (1 << 21), run="bomb")).status_code == 413
    assert await run_of(server, "bomb") is None
    long = await post(server, lines({"loss": 1}, {"text": "x" * 2000}), run="long")
    assert long.json()["skipped"] == [{"line": 2, "reason": "the line is longer than 1024 bytes"}]


async def test_what_is_asked_wrongly_is_named(server: Local) -> None:
    await post(server, lines({"a": 1}), run="r", experiment="one")
    body = lines({"a": 2})
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "run"),
        ({"run": "r", "rum": "x"}, "rum"),
        ({"run": "r", "writer": "w"}, "sequence"),
        ({"run": "r", "writer": "w", "sequence": "x"}, "sequence"),
        ({"run": "r", "experiment": "two"}, "experiment"),
        ({"run": ids.run_id("x", "y")}, "run"),
    ]
    for query, field in wrong:
        answer = await post(server, body, **query)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["field"] == field
    assert (await post(server, body, {"content-encoding": "br"}, run="r")).status_code == 400
    assert metrics(await run_of(server, "r")) == {"a": ("SCALAR", 1, 1)}


async def test_web_pages_of_others_are_kept_out(server: Local) -> None:
    answer = await post(server, lines({"a": 1}), {"origin": "https://example.org"}, run="r")
    assert answer.status_code == 403
    assert await run_of(server, "r") is None
    assert (await post(server, lines({"a": 1}), {"origin": server.address}, run="r")).status_code == 200


async def test_a_token_is_asked_for(tmp_path: Path) -> None:
    async with local(tmp_path, token="secret") as server:
        assert (await post(server, lines({"a": 1}), run="r")).status_code == 200
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(f"{server.address}/ingest/jsonl?run=r", content=lines({"a": 1}))
        assert answer.status_code == 401
