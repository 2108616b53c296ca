from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from graphql_runs.model.errors import InvalidInput
from graphql_runs.server.auth import Tokens, read_tokens
from graphql_runs.server.errors import Unauthenticated
from graphql_runs.server.process import serve
from graphql_runs.server.settings import Settings
from tests.server.local import TRANSPORTS, Local, first, local, message

TOKEN = "first-secret-7d3"
OTHER = "second-secret-9a1"
VIEWER = "{ viewer { authenticated } }"
RUNS = 'subscription { runs(workspace: "default") { cursor } }'
CREATE = 'mutation { createRun(input: {experiment: "e", name: "a", runId: "a"}) { run { id uploadUrl(path: "x") } } }'


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_without_a_token_in_the_settings_everybody_is_let_in(tmp_path: Path) -> None:
    async with local(tmp_path) as server:
        assert await server.ask(VIEWER) == {"viewer": {"authenticated": False}}


@pytest.mark.parametrize("path", ["/graphql", "/readyz", "/logs/run_x/y", "/artifacts/run_x/y"])
async def test_every_route_asks_for_it(tmp_path: Path, path: str) -> None:
    async with (
        local(tmp_path, token=f"{TOKEN}, {OTHER}") as server,
        httpx.AsyncClient(base_url=server.address) as client,
    ):
        for headers, error in [
            ({}, None),
            (bearer("wrong"), "invalid_token"),
            ({"authorization": f"Basic {TOKEN}"}, None),
        ]:
            found = await client.get(path, headers=headers)
            assert found.status_code == 401
            assert found.headers["www-authenticate"].startswith('Bearer realm="graphql-runs"')
            assert ("invalid_token" in found.headers["www-authenticate"]) == (error is not None)
            assert found.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        for token in (TOKEN, OTHER):
            assert (await client.get(path, headers=bearer(token))).status_code != 401
        assert (await client.put("/artifacts/run_x/y", content=b"x")).status_code == 401


async def test_health_and_the_page_are_for_everybody(tmp_path: Path) -> None:
    async with (
        local(tmp_path, token=TOKEN) as server,
        httpx.AsyncClient(base_url=server.address) as client,
    ):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/runs/run_x")).status_code in (200, 404)
        page = await client.get("/graphql", headers={"accept": "text/html"})
        assert page.status_code in (200, 404)
        assert "authenticate" not in page.headers
        # With a token the host name says nothing more.
        assert (await client.get("/healthz", headers={"host": "runs.example"})).status_code == 200


async def test_the_right_token_is_let_in(tmp_path: Path) -> None:
    async with local(tmp_path, token=TOKEN) as server:
        assert await server.ask(VIEWER) == {"viewer": {"authenticated": True}}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_subscription_with_the_token(tmp_path: Path, transport: str) -> None:
    async with local(tmp_path, token=TOKEN) as server:
        await server.ask(CREATE)
        answers = server.follow(transport, RUNS)
        assert (await first(answers))["data"]["runs"]["cursor"]
        await answers.aclose()


@pytest.mark.parametrize(
    ("headers", "payload", "code"),
    [
        (bearer(TOKEN), None, None),
        ({}, {"Authorization": f"Bearer {TOKEN}"}, None),
        ({}, {"authorization": f"bearer {TOKEN}"}, None),
        ({}, None, 4401),
        ({}, {"authorization": TOKEN}, 4401),
        ({}, {"authorization": 1}, 4401),
        (bearer("wrong"), {}, 4401),
        (bearer(TOKEN), {"authorization": "Bearer wrong"}, 4401),
    ],
)
async def test_a_socket_says_it_with_the_handshake_or_its_first_message(
    tmp_path: Path, headers: dict[str, str], payload: Any, code: int | None
) -> None:
    async with (
        local(tmp_path, token=TOKEN) as server,
        server.socket(additional_headers=headers) as connection,
    ):
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        if code is None:
            assert await message(connection) == {"type": "connection_ack"}
        else:
            with pytest.raises(websockets.ConnectionClosed):
                await message(connection)
            assert connection.close_code == code


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_token_that_is_taken_away_ends_what_it_opened(tmp_path: Path, transport: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# rotated monthly\n{TOKEN}\n{OTHER}\n")
    async with local(tmp_path, token_file=file, ping_seconds=0.05) as server:
        old = Local(server.rooms, server.port, TOKEN)
        new = Local(server.rooms, server.port, OTHER)
        await old.ask(CREATE)
        answers, others = old.follow(transport, RUNS), new.follow(transport, RUNS)
        await first(answers)
        await first(others)
        replacement = tmp_path / "next"
        replacement.write_text(f"{OTHER}\n")
        replacement.replace(file)
        with pytest.raises((StopAsyncIteration, websockets.ConnectionClosedError, httpx.RemoteProtocolError)):
            await first(answers)
        assert (await old.answer(VIEWER))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await new.ask('mutation { requestCancel(runs: ["a"]) { id } }')
        assert (await first(others))["data"]["runs"]["cursor"]
        await others.aclose()


async def test_links_to_bytes_can_be_followed_by_a_browser(tmp_path: Path) -> None:
    async with (
        local(tmp_path, token=TOKEN) as server,
        httpx.AsyncClient(base_url=server.address) as client,
    ):
        run = (await server.ask(CREATE))["createRun"]["run"]["id"]
        path = f"/artifacts/{run}/models/best model.bin"
        assert (await client.put(path, content=b"abc", headers=bearer(TOKEN))).status_code == 201
        query = "query ($id: ID!) { run(id: $id) { portalUrl artifacts { nodes { url } } } }"
        shown = (await server.ask(query, id=run))["run"]
        [node] = shown["artifacts"]["nodes"]
        url = node["url"]
        assert "?" not in shown["portalUrl"]
        assert TOKEN not in url
        assert (await client.get(url)).content == b"abc"
        # It opens this path alone, for reading, and only as it was signed.
        assert (await client.put(url, content=b"x")).status_code == 401
        assert (await client.get(url.replace("best", "last"))).status_code == 401
        assert (await client.get(url[:-1] + ("0" if url[-1] != "0" else "1"))).status_code == 401
        assert (await client.get(url.replace("until=", "until=9"))).status_code == 401


def test_a_link_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens([TOKEN])
    path, _, query = tokens.link("/logs/run_x/a%20b").partition("?")
    assert tokens.opens("/logs/run_x/a b", query)
    assert path == "/logs/run_x/a%20b"
    monkeypatch.setattr("time.time", lambda: 1e11)
    assert not tokens.opens("/logs/run_x/a b", query)
    assert not tokens.opens("/logs/run_x/a b", "until=x&signature=y")
    assert not tokens.opens("/logs/run_x/a b", "")


async def test_no_token_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with local(tmp_path, token=TOKEN) as server:
        await server.ask(VIEWER)
        await Local(server.rooms, server.port, "a-wrong-one").answer(VIEWER)
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    assert TOKEN not in ours
    assert "a-wrong-one" not in ours
    assert TOKEN not in repr(Settings(token=TOKEN))  # type: ignore[arg-type]  # as the environment gives it


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"token": " , "}, "token"),
        ({"token": "with space"}, "token"),
        ({"token": "ümlaut"}, "token"),
        ({"token_file": "empty"}, "token_file"),
        ({"token_file": "missing"}, "token_file"),
        ({"token_file": "broken"}, "token_file"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, str], field: str) -> None:
    (tmp_path / "empty").write_text("# nothing\n\n")
    (tmp_path / "broken").write_text("two words\n")
    if "token_file" in settings:
        settings = {"token_file": str(tmp_path / settings["token_file"])}
    with pytest.raises(InvalidInput) as caught:
        read_tokens(Settings(**settings))  # type: ignore[arg-type]  # as the environment gives them
    assert caught.value.field == field


def test_a_file_that_vanishes_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(TOKEN)
    tokens = Tokens([], file)
    assert tokens.viewer(TOKEN).authenticated
    file.unlink()
    with pytest.raises(Unauthenticated):
        tokens.viewer(TOKEN)


async def test_beyond_loopback_there_has_to_be_one(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.sqlite"
    with pytest.raises(InvalidInput, match="GRAPHQL_RUNS_TOKEN") as caught:
        await serve(Settings(host="0.0.0.0", port=0, store=store), [], print)
    assert caught.value.field == "token"
    assert not (tmp_path / "runs.sqlite").exists()


@pytest.mark.parametrize("allowed", [{"token": TOKEN}, {"allow_remote": True}])
async def test_beyond_loopback_with_a_token_or_without_on_purpose(
    tmp_path: Path, allowed: dict[str, Any]
) -> None:
    started = asyncio.Event()
    settings = Settings(host="0.0.0.0", port=0, store=f"sqlite:///{tmp_path}/runs.sqlite", **allowed)
    serving = asyncio.create_task(serve(settings, [], lambda _: started.set()))
    async with asyncio.timeout(20):
        await started.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 20)
