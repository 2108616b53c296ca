from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from inspect import isasyncgen
from typing import Any

import pytest

from graphql_runs.model.operation import SetStatus
from graphql_runs.model.status import RunStatus
from tests.schema.conftest import Api

TREE = """
subscription ($run: ID!, $after: String, $metrics: [String!], $logs: [String!], $until: StatusClass, $points: Boolean! = true) {
  runTree(run: $run, after: $after, metrics: $metrics, logs: $logs, until: $until, points: $points, throttle: 0) {
    cursor caughtUp reset gap { from to reason }
    runs { id runId status parent { status } }
    metrics { name runId start steps values at columns { name values } summary { count last } metric { id kind run { status } } }
    logs { path runId text offset size log { lineCount } }
  }
}
"""


async def first(results: AsyncIterator[dict[str, Any]]) -> Any:
    answer = await asyncio.wait_for(anext(results), 20)
    assert "errors" not in answer, answer
    return answer["data"]["runTree"]


@pytest.fixture
async def run(api: Api) -> str:
    id = await api.create("r1", status={"status": "RUNNING"})
    await api.record(
        id,
        points=[{"metric": "loss", "values": [2, "NaN"], "at": [1, 2]}],
        logs=[{"path": "out.log", "text": "hello\n"}],
    )
    return id


async def test_what_is_there_then_what_happens(api: Api, run: str) -> None:
    async with aclosing(api.follow(TREE, run=run)) as results:
        now = await first(results)
        cursor = now.pop("cursor")
        assert now == {
            "caughtUp": True, "reset": False, "gap": None,
            "runs": [{"id": run, "runId": "r1", "status": "RUNNING", "parent": None}],
            "metrics": [
                {
                    "name": "loss", "runId": "r1", "start": 0.0, "steps": [0, 1], "values": [2.0, "NaN"], "at": [1.0, 2.0],
                    "columns": [{"name": "value", "values": [2.0, "NaN"]}], "summary": {"count": 2.0, "last": "NaN"},
                    "metric": {"id": now["metrics"][0]["metric"]["id"], "kind": "SCALAR", "run": {"status": "RUNNING"}},
                }
            ],
            "logs": [{"path": "out.log", "runId": "r1", "text": "hello\n", "offset": 0.0, "size": 6.0, "log": {"lineCount": 1.0}}],
        }  # fmt: skip
        await api.record(run, points=[{"metric": "loss", "values": [1.5], "steps": [7]}])
        then = await first(results)
        [delta] = then["metrics"]
        assert (delta["start"], delta["steps"], delta["values"]) == (2.0, [7], [1.5])
    async with aclosing(api.follow(TREE, run="r1", after=cursor)) as results:
        again = await first(results)
        assert again["metrics"] == then["metrics"]
        assert again["cursor"] == then["cursor"]


async def test_a_query_hands_over_without_a_hole(api: Api, run: str) -> None:
    query = (
        'query ($id: ID!) { run(id: $id) { liveCursor status metric(name: "loss") { summary { count } } } }'
    )
    seen = (await api.ask(query, id=run))["run"]
    await api.record(run, status={"status": "COMPLETED"}, points=[{"metric": "loss", "values": [1]}])
    async with aclosing(api.follow(TREE, run=run, after=seen["liveCursor"], until="TERMINAL")) as results:
        update = await first(results)
        assert update["runs"][0]["status"] == "COMPLETED"
        assert update["metrics"][0]["start"] == seen["metric"]["summary"]["count"]
        with pytest.raises(StopAsyncIteration):
            await anext(results)


async def test_each_event_sees_records_as_they_are_then(api: Api, run: str) -> None:
    child = await api.create("child", parent=run, status={"status": "RUNNING"})
    query = (
        "subscription ($run: ID!) { runTree(run: $run, throttle: 0) { runs { runId parent { status } } } }"
    )
    async with aclosing(api.follow(query, run=child)) as results:
        [shown] = (await first(results))["runs"]
        assert shown == {"runId": "child", "parent": {"status": "RUNNING"}}
        # The first operation changes what a loader had read for the first event.
        await api.recorder.record(
            "default",
            [SetStatus("r1", RunStatus.FINALIZING, "test"), SetStatus("child", RunStatus.COMPLETED, "test")],
        )
        [shown] = (await first(results))["runs"]
        assert shown == {"runId": "child", "parent": {"status": "FINALIZING"}}


async def test_operations_on_one_socket_do_not_share_what_they_loaded(api: Api, run: str) -> None:
    # A WebSocket makes one context for all of its operations.
    context = api.context()
    query = f'query {{ node(id: "{run}") {{ ... on Run {{ status }} }} }}'
    first = await api.schema.execute(query, None, context)
    assert first.data == {"node": {"status": "RUNNING"}}
    await api.record(run, status={"status": "COMPLETED"})
    second = await api.schema.execute(query, None, context)
    assert second.data == {"node": {"status": "COMPLETED"}}


@pytest.mark.parametrize(
    ("variables", "code", "field"),
    [
        ({"run": "nope"}, "NOT_FOUND", "run"),
        ({"run": "r1", "after": "x"}, "BAD_USER_INPUT", "after"),
    ],
)
async def test_bad_subscriptions_end_with_one_error(
    api: Api, run: str, variables: Any, code: str, field: str
) -> None:
    answers = [answer async for answer in api.follow(TREE, **variables)]
    [answer] = answers
    [error] = answer["errors"]
    assert error["extensions"] == {"code": code, "field": field}


async def test_a_page_cursor_is_no_live_cursor(api: Api, run: str) -> None:
    page = (await api.ask("{ runs { pageInfo { endCursor } } }"))["runs"]["pageInfo"]["endCursor"]
    [answer] = [answer async for answer in api.follow(TREE, run=run, after=page)]
    assert "liveCursor is wanted" in answer["errors"][0]["message"]


async def test_invalid_documents_are_answered(api: Api) -> None:
    [answer] = [answer async for answer in api.follow("subscription { nope }")]
    assert answer["errors"][0]["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}
    [answer] = [answer async for answer in api.follow("subscription {")]
    assert answer["errors"][0]["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}


async def test_a_bug_while_following_is_masked(api: Api, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with aclosing(api.follow(TREE, run=run)) as results:
        await first(results)

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("secret")

        monkeypatch.setattr(api.store, "read", broken)
        await api.record(run, exitCode=1)
        answer = await asyncio.wait_for(anext(results), 20)
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in str(answer)


async def test_a_follower_that_leaves_leaves_nothing(api: Api, run: str) -> None:
    def following() -> int:
        gc.collect()
        return sum(isasyncgen(found) and found.ag_code.co_name == "follow_tree" for found in gc.get_objects())

    before = following()
    async with aclosing(api.follow(TREE, run=run)) as results:
        await first(results)
        assert following() == before + 1
    assert following() == before


async def test_queries_may_stream_too(api: Api, run: str) -> None:
    [answer] = [answer async for answer in api.follow("query ($id: ID!) { run(id: $id) { name } }", id=run)]
    assert answer == {"data": {"run": {"name": "r1"}}}
