from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from graphql_runs.model import ids
from tests.schema.conftest import Api

MOVE = "mutation ($runs: [ID!]!) { %s(runs: $runs) { id run { runId trashedAt } error { code message } } }"
NAMES = "query ($filter: RunFilter) { runs(filter: $filter, orderBy: [{by: {field: NAME}}]) { nodes { name } totalCount } }"


@pytest.fixture
async def runs(api: Api) -> dict[str, str]:
    """A sweep above a and b, a above aa, and a run by itself; server ids by name."""
    found = {"sweep": await api.create("sweep", status={"status": "RUNNING"})}
    for name, parent in (("a", "sweep"), ("b", "sweep"), ("aa", "a")):
        found[name] = await api.create(name, parent=parent, cluster="gpu", status={"status": "RUNNING"})
        await api.record(found[name], points=[{"metric": "loss", "values": [1.0]}])
    found["alone"] = await api.create("alone")
    return found


async def move(api: Api, how: str, *runs: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.ask(MOVE % how, runs=list(runs)))[how]
    assert [result["id"] for result in found] == list(runs)
    return found


async def names(api: Api, **filter: Any) -> list[str]:
    found = (await api.ask(NAMES, filter=filter or None))["runs"]
    listed = [run["name"] for run in found["nodes"]]
    assert found["totalCount"] == len(listed)
    return listed


async def test_lists_leave_out_the_trash_unless_they_are_asked_for_it(api: Api, runs: dict[str, str]) -> None:
    [result] = await move(api, "trashRuns", runs["a"])
    assert result["run"]["trashedAt"] is not None
    assert result["error"] is None
    assert await names(api) == ["alone", "b", "sweep"]
    assert await names(api, trashed=False) == ["alone", "b", "sweep"]
    assert await names(api, trashed=True) == ["a", "aa"]
    assert await names(api, trashed=True, depth={"eq": 2}) == ["aa"]
    assert await names(api, name={"like": "a%"}) == ["alone"]
    assert await names(api, **{"or": [{"trashed": True}, {"trashed": False}]}) == sorted(runs)
    query = """query ($id: ID!, $cluster: ID!) {
      run(id: $id) { children { nodes { name } statusCounts { status count } } descendants { nodes { name } } }
      experiment: workspace(name: "default") { experiment(name: "digits") { runs { totalCount } } runs { totalCount } }
      node(id: $cluster) { ... on Cluster { runs { nodes { name } } } }
    }"""
    cluster = ids.cluster_id(ids.workspace_id("default"), "gpu")
    found = await api.ask(query, id=runs["sweep"], cluster=cluster)
    assert found["run"] == {
        "children": {"nodes": [{"name": "b"}], "statusCounts": [{"status": "RUNNING", "count": 1}]},
        "descendants": {"nodes": [{"name": "b"}]},
    }
    assert found["experiment"] == {"experiment": {"runs": {"totalCount": 3}}, "runs": {"totalCount": 3}}
    assert found["node"]["runs"]["nodes"] == [{"name": "b"}]


async def test_a_trashed_run_is_found_by_its_id_and_written_to(api: Api, runs: dict[str, str]) -> None:
    await move(api, "trashRuns", "sweep")
    await api.record(runs["aa"], points=[{"metric": "loss", "values": [2.0]}])
    query = """query ($id: ID!) { node(id: $id) { ... on Run { trashedAt } }
      run(id: $id) { trashedAt parent { name trashedAt } metric(name: "loss") { series { y } } } }"""
    found = await api.ask(query, id=runs["aa"])
    at = found["node"]["trashedAt"]
    assert at is not None
    assert found["run"] == {
        "trashedAt": at,
        "parent": {"name": "a", "trashedAt": at},
        "metric": {"series": {"y": [1.0, 2.0]}},
    }


async def test_restoring_brings_back_what_went_together(api: Api, runs: dict[str, str]) -> None:
    await move(api, "trashRuns", runs["aa"], runs["sweep"], runs["sweep"])
    results = await move(api, "restoreRuns", runs["b"], "nothing")
    assert [result["error"]["code"] for result in results] == ["BAD_USER_INPUT", "NOT_FOUND"]
    assert "below 'sweep', which is in the trash" in results[0]["error"]["message"]
    assert results[0]["run"] is None
    [result] = await move(api, "restoreRuns", "sweep")
    assert result["run"] == {"runId": "sweep", "trashedAt": None}
    assert await names(api, trashed=True) == ["aa"]
    # In any order: what lies above comes first.
    await move(api, "trashRuns", runs["sweep"])
    results = await move(api, "restoreRuns", runs["aa"], runs["b"], runs["sweep"], runs["alone"])
    assert [result["error"] for result in results] == [None] * 4
    assert await names(api) == sorted(runs)


async def test_only_the_trash_can_be_purged_and_one_bad_id_fails_alone(
    api: Api, runs: dict[str, str]
) -> None:
    await move(api, "trashRuns", "a", "alone")
    results = await move(api, "purgeRuns", "a", "aa", "sweep", "nothing", runs["alone"])
    assert [result["run"] for result in results] == [None] * 5
    codes = [result["error"] and result["error"]["code"] for result in results]
    assert codes == [None, None, "BAD_USER_INPUT", "NOT_FOUND", None]
    assert "not in the trash" in results[2]["error"]["message"]
    assert await names(api, **{"or": [{"trashed": True}, {"trashed": False}]}) == ["b", "sweep"]
    again = await move(api, "purgeRuns", runs["a"], runs["aa"], runs["alone"])
    assert [result["error"]["code"] for result in again] == ["NOT_FOUND"] * 3
    query = "query ($id: ID!) { run(id: $id) { id } node(id: $id) { id } }"
    assert await api.ask(query, id=runs["a"]) == {"run": None, "node": None}
    error = await api.error(
        "mutation ($input: RecordInput!) { record(input: $input) { repeated } }",
        input={"run": runs["a"], "points": [{"metric": "loss", "values": [1.0]}]},
    )
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "input.run"}


async def test_a_purged_run_can_be_created_anew(api: Api, runs: dict[str, str]) -> None:
    await move(api, "trashRuns", "alone")
    await move(api, "purgeRuns", "alone")
    assert await api.create("alone", displayName="another") == runs["alone"]
    for sequence in range(2):
        answer = await api.record(
            runs["alone"],
            writer="job",
            sequence=sequence,
            points=[{"metric": "loss", "values": [float(sequence)]}],
        )
        assert not answer["repeated"]
    found = await api.ask(
        'query ($id: ID!) { run(id: $id) { displayName metric(name: "loss") { series { y } } } }',
        id=runs["alone"],
    )
    assert found["run"] == {"displayName": "another", "metric": {"series": {"y": [0.0, 1.0]}}}


async def test_followers_are_told(api: Api, runs: dict[str, str]) -> None:
    query = """subscription ($run: ID!) { runTree(run: $run, throttle: 0) {
      caughtUp runs { runId trashedAt } metrics { runId } purged } }"""
    async with aclosing(api.follow(query, run=runs["a"])) as updates, asyncio.timeout(10):
        first = (await anext(updates))["data"]["runTree"]
        assert {delta["runId"] for delta in first["metrics"]} == {"a", "aa"}
        await move(api, "trashRuns", runs["a"])
        second = (await anext(updates))["data"]["runTree"]
        assert {run["runId"] for run in second["runs"]} == {"a", "aa"}
        assert all(run["trashedAt"] for run in second["runs"])
        await move(api, "purgeRuns", runs["a"])
        rest = [update["data"]["runTree"] async for update in updates]
    assert [set(update["purged"]) for update in rest] == [{runs["a"], runs["aa"]}]
    query = """subscription { runs(workspace: "default", throttle: 0) { changed { runId } left caughtUp } }"""
    async with aclosing(api.follow(query)) as updates, asyncio.timeout(10):
        first = (await anext(updates))["data"]["runs"]
        assert {run["runId"] for run in first["changed"]} == {"sweep", "b", "alone"}
        await move(api, "trashRuns", "b")
        assert (await anext(updates))["data"]["runs"]["left"] == [runs["b"]]


async def test_what_is_read_of_a_run_that_is_purged_meanwhile_is_not_found(
    api: Api, runs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await move(api, "trashRuns", "a")
    read = api.store.read

    async def purged_first(stream: str, start: int, **options: Any) -> Any:
        if await names(api, trashed=True, runId={"eq": "a"}):
            await api.recorder.purge(runs["a"])
        return await read(stream, start, **options)

    monkeypatch.setattr(api.store, "read", purged_first)
    error = await api.error(
        'query ($id: ID!) { run(id: $id) { metric(name: "loss") { series(x: {by: RELATIVE_TIME}) { y } } } }',
        id=runs["a"],
    )
    assert error["extensions"]["code"] == "NOT_FOUND"
