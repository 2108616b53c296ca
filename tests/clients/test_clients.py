"""Other people's clients, each on a server of its own: ask, write, subscribe, drop, resume after kill -9."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.conftest import RunScript
from tests.server.processes import start

TOKEN = "a-token-of-the-test"


@pytest.mark.parametrize("client", ["graphql-ws.js", "graphql-sse.js", "apollo.js", "urql.js"])
async def test_a_client_goes_on_where_it_was(
    script: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setenv("GRAPHQL_RUNS_TOKEN", TOKEN)
    arguments = ("--store", "sqlite:///runs.sqlite")
    server = await start(*arguments, cwd=tmp_path)
    try:
        found = json.loads(await script(client, server.graphql, TOKEN))
    finally:
        await server.kill()
    again = await start(*arguments, cwd=tmp_path, port=server.port)
    try:
        await script(client, again.graphql, TOKEN, found["run"], found["cursor"])
    finally:
        await again.kill()
