"""Receivers: what the server does for them and keeps from them, and the one of the docs."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_runs.ingest import plugins
from graphql_runs.ingest.api import Stability
from graphql_runs.ingest.receiver import RECEIVERS, Desk
from tests.docs.pages import blocks
from tests.server.local import local

Answering = Callable[[Request], Awaitable[Response]]
PLUGINS = "{ server { plugins { name error description } } }"


class Fixed:
    """A receiver with routes of any kind."""

    description = "A test's."
    stability = Stability.EXPERIMENTAL

    def __init__(self, name: str, routes: dict[str, Answering], claims: Sequence[str] = ()) -> None:
        self.name = name
        self.claims = claims
        self._routes = routes

    def routes(self, desk: Desk) -> list[Route]:
        return [Route(path, answer, methods=["POST", "PUT"]) for path, answer in self._routes.items()]


class Point(EntryPoint):
    """An entry point that is loaded already, or that fails to load."""

    def load(self) -> Any:
        found = LOADED[self.name]
        if isinstance(found, Exception):
            raise found
        return found


LOADED: dict[str, Any] = {}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(**receivers: object) -> None:
        LOADED.clear()
        LOADED.update(receivers)
        points = [Point(name, "none", RECEIVERS) for name in receivers]
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: points if group == RECEIVERS else entry_points(group=group)
        )

    return install


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def broken(request: Request) -> Response:
    raise RuntimeError("secret of the inside")


async def said(path: Path, install: Callable[..., None], **receivers: object) -> dict[str, str | None]:
    install(**receivers)
    async with local(path) as server:
        found = (await server.ask(PLUGINS))["server"]["plugins"]
        return {one["name"]: one["error"] for one in found if one["name"] in receivers}


async def test_routes_are_a_receivers_own(tmp_path: Path, install: Callable[..., None]) -> None:
    found = await said(
        tmp_path,
        install,
        good=Fixed("good", {"/ingest/good": echo, "/api/9.0/other/x": echo}, ["/api/9.0/other/"]),
        late=Fixed("late", {"/api/9.0/other/x": echo}, ["/api/9.0/other/"]),
        foreign=Fixed("foreign", {"/graphql": echo}),
        greedy=Fixed("greedy", {"/graphql": echo}, ["/"]),
        sly=Fixed("sly", {"/ingest/goodness": echo}),
        dead=ImportError("not today"),
    )
    assert found["good"] is None
    assert found["dead"] == "ImportError: not today"
    for name, words in (
        ("late", "another receiver has the route"),
        ("foreign", "the route /graphql is not below"),
        ("greedy", "a claim is a path of two parts"),
        ("sly", "is not below"),
    ):
        assert words in str(found[name])


async def test_what_a_receiver_raises_is_masked_and_bodies_are_bounded(
    tmp_path: Path, install: Callable[..., None]
) -> None:
    install(mine=Fixed("mine", {"/ingest/mine": echo, "/ingest/mine/broken": broken}))
    async with (
        local(tmp_path, request_bytes=1024, upload_bytes=2048) as server,
        httpx.AsyncClient() as client,
    ):
        place = f"{server.address}/ingest/mine"
        failed = await client.post(f"{place}/broken")
        assert failed.status_code == 500
        assert "secret" not in failed.text
        assert failed.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
        for method, size, status in (
            ("POST", 1024, 200),
            ("POST", 1025, 413),
            ("PUT", 2048, 200),
            ("PUT", 2049, 413),
        ):
            assert (await client.request(method, place, content=b"x" * size)).status_code == status
        assert (await client.post(place, headers={"origin": "http://else"})).status_code == 403
        assert await server.ask("{ server { version } }")


async def test_a_receiver_answers_only_with_the_token(tmp_path: Path, install: Callable[..., None]) -> None:
    install(mine=Fixed("mine", {"/ingest/mine": echo}))
    async with local(tmp_path, token="secret") as server, httpx.AsyncClient() as client:
        assert (await client.post(f"{server.address}/ingest/mine")).status_code == 401
        assert (await client.post(f"{server.address}/ingest/mine", headers=server.headers)).status_code == 200


async def test_the_receiver_of_the_docs_works(tmp_path: Path, install: Callable[..., None]) -> None:
    [code] = [one.code for one in blocks("python") if "class NumberReceiver" in one.code]
    module = types.ModuleType("my_package")
    exec(compile(code, "docs/write-an-ingester.md", "exec"), module.__dict__)
    install(mine=module.receiver)
    async with local(tmp_path) as server, httpx.AsyncClient() as client:
        answer = await client.post(f"{server.address}/ingest/mine/r1", content=b"2.5")
        assert answer.status_code == 200, answer.text
        found = await server.ask(
            "query($id: ID!) { run(id: $id) { experiment { name } metrics { nodes { summary { last } } } } }",
            id=answer.json()["id"],
        )
    assert found["run"] == {
        "experiment": {"name": "numbers"},
        "metrics": {"nodes": [{"summary": {"last": 2.5}}]},
    }
