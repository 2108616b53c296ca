from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.model import ids
from graphql_runs.model.cursor import TreeCursor
from tests.schema.conftest import Api

RECORD = "mutation ($input: RecordInput!) { record(input: $input) { repeated } }"
CREATE = "mutation ($input: CreateRunInput!) { createRun(input: $input) { run { id runId name status } liveCursor } }"
UPDATE = "mutation ($input: UpdateRunInput!) { updateRun(input: $input) { run { %s } } }"


async def values(api: Api, id: str, metric: str = "loss") -> Any:
    query = "query ($id: ID!, $name: String!) { run(id: $id) { metric(name: $name) { series { x y } } } }"
    found = (await api.ask(query, id=id, name=metric))["run"]["metric"]
    return None if found is None else found["series"]["y"]


async def test_workspaces(api: Api) -> None:
    query = "mutation ($input: CreateWorkspaceInput!) { createWorkspace(input: $input) { workspace { id name description } } }"
    first = await api.ask(query, input={"name": "lab", "description": "Ours"})
    assert first["createWorkspace"]["workspace"] == {
        "id": ids.workspace_id("lab"),
        "name": "lab",
        "description": "Ours",
    }
    assert await api.ask(query, input={"name": "lab"}) == first
    error = await api.error(query, input={"name": "lab", "description": "Theirs"})
    assert error["extensions"] == {"code": "ALREADY_EXISTS", "field": "input.name"}
    error = await api.error(query, input={"name": " "})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.name"}


async def test_experiments(api: Api) -> None:
    query = """mutation ($input: CreateExperimentInput!) { createExperiment(input: $input) {
      experiment { name tags { key value } workspace { name } } } }"""
    first = await api.ask(query, input={"name": "digits", "tags": [{"key": "a", "value": "1"}]})
    assert first["createExperiment"]["experiment"] == {
        "name": "digits",
        "tags": [{"key": "a", "value": "1"}],
        "workspace": {"name": "default"},
    }
    error = await api.error(query, input={"name": "digits", "tags": [{"key": "a", "value": "2"}]})
    assert error["extensions"]["code"] == "ALREADY_EXISTS"


async def test_runs_are_created_once(api: Api) -> None:
    given = {"experiment": "digits", "name": "a", "runId": "r1", "status": {"status": "RUNNING"}}
    first = (await api.ask(CREATE, input=given))["createRun"]
    assert first["run"]["runId"] == "r1"
    await api.record(first["run"]["id"], status={"status": "COMPLETED"})
    again = (await api.ask(CREATE, input=given))["createRun"]
    assert again["run"] == {**first["run"], "status": "COMPLETED"}
    error = await api.error(CREATE, input={**given, "name": "b"})
    assert error["extensions"] == {"code": "ALREADY_EXISTS", "field": "input.runId"}


async def test_runs_without_an_id_are_given_one(api: Api) -> None:
    given = {"experiment": "digits", "name": "a"}
    one, other = [(await api.ask(CREATE, input=given))["createRun"]["run"] for _ in range(2)]
    assert one["runId"] != other["runId"]
    assert one["status"] == "NOT_STARTED"


async def test_parents_by_either_id(api: Api) -> None:
    sweep = await api.create("sweep")
    for name, parent in (("a", sweep), ("b", "sweep")):
        child = await api.create(name, parent=parent)
        found = await api.ask(
            "query ($id: ID!) { run(id: $id) { parent { id } root { id } depth } }", id=child
        )
        assert found["run"] == {"parent": {"id": sweep}, "root": {"id": sweep}, "depth": 1}
    deep = await api.create("deep", parent="a")
    assert (await api.ask("query ($id: ID!) { run(id: $id) { root { id } depth } }", id=deep))["run"] == {
        "root": {"id": sweep},
        "depth": 2,
    }


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"name": ""}, "BAD_USER_INPUT", "input.name"),
        ({"experiment": " "}, "BAD_USER_INPUT", "input.experiment"),
        ({"workspace": ""}, "BAD_USER_INPUT", "input.workspace"),
        ({"runId": ids.run_id("w", "r")}, "BAD_USER_INPUT", "input.runId"),
        ({"name": "x" * 10_000}, "LIMIT_EXCEEDED", "input.name"),
        ({"parent": ids.run_id("w", "r")}, "NOT_FOUND", "input.parent"),
        ({"parent": "r1"}, "BAD_USER_INPUT", "input.parent"),
        ({"heartbeatSeconds": -1}, "BAD_USER_INPUT", "input.heartbeatSeconds"),
        ({"cluster": "\n"}, "BAD_USER_INPUT", "input.cluster"),
    ],
)
async def test_bad_runs_name_the_field(api: Api, changes: Any, code: str, field: str) -> None:
    error = await api.error(CREATE, input={"experiment": "e", "name": "a", "runId": "r1", **changes})
    assert error["extensions"] == {"code": code, "field": field}
    assert error["path"] == ["createRun"]
    assert (await api.ask("{ runs { totalCount } }"))["runs"]["totalCount"] == 0


async def test_a_batch_of_everything(api: Api) -> None:
    id = await api.create("r1")
    done = await api.record(
        id,
        points=[{"metric": "loss", "values": [1, "Infinity"], "steps": [0, 1], "at": [5, 5.5]}],
        rows=[
            {
                "metric": "t",
                "columns": [{"name": "a", "values": [1, 2]}, {"name": "b", "values": ["x", None]}],
                "kind": "TABLE",
            }
        ],
        logs=[{"path": "out.log", "text": "one\ntwo", "stream": "STDOUT", "complete": True}],
        status={"status": "RUNNING", "at": "2020-01-01T00:00:00Z", "original": "R", "detail": "d"},
        tags=[{"key": "k", "value": "v"}],
        params=[{"key": "lr", "value": "1"}],
        properties=[{"key": "p", "value": "q"}],
        exitCode=3,
        heartbeatAt="2020-01-01T00:00:01Z",
    )
    assert done["repeated"] is False
    assert TreeCursor.decode(done["liveCursor"]).root == id
    query = """query ($id: ID!) { run(id: $id) { status originalStatus exitCode heartbeatAt tags { key } params { key } properties { key }
      loss: metric(name: "loss") { series { x y at } } t: metric(name: "t") { kind rows { columns { values } } }
      log(path: "out.log") { complete stream lines { nodes { text } } } } }"""
    assert (await api.ask(query, id=id))["run"] == {
        "status": "RUNNING",
        "originalStatus": "R",
        "exitCode": 3,
        "heartbeatAt": "2020-01-01T00:00:01.000000Z",
        "tags": [{"key": "k"}],
        "params": [{"key": "lr"}],
        "properties": [{"key": "p"}],
        "loss": {"series": {"x": [0, 1], "y": [1.0, "Infinity"], "at": [5.0, 5.5]}},
        "t": {"kind": "TABLE", "rows": {"columns": [{"values": [1.0, 2.0]}, {"values": ["x", None]}]}},
        "log": {"complete": True, "stream": "STDOUT", "lines": {"nodes": [{"text": "one"}, {"text": "two"}]}},
    }


async def test_a_batch_is_written_once(api: Api) -> None:
    id = await api.create("r1")
    said = {"writer": "w", "points": [{"metric": "loss", "values": [1.5]}]}
    assert (await api.record(id, sequence=0, **said))["repeated"] is False
    assert (await api.record(id, sequence=0, **said))["repeated"] is True
    assert await values(api, id) == [1.5]
    error = await api.error(RECORD, input={"run": id, "sequence": 2, **said})
    assert error["extensions"] == {"code": "SEQUENCE_GAP", "field": "input.sequence", "expected": 1}
    error = await api.error(
        RECORD, input={"run": id, "sequence": 0, "writer": "w", "points": [{"metric": "loss", "values": [2]}]}
    )
    assert error["extensions"]["code"] == "SEQUENCE_CONFLICT"
    error = await api.error(RECORD, input={"run": id, **said})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.sequence"}


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({}, "BAD_USER_INPUT", "input"),
        ({"points": []}, "BAD_USER_INPUT", "input"),
        ({"points": [{"metric": "", "values": [1]}]}, "BAD_USER_INPUT", "input.points[0].metric"),
        ({"points": [{"metric": "m" * 10_240, "values": [1]}]}, "LIMIT_EXCEEDED", "input.points[0].metric"),
        ({"points": [{"metric": "m", "values": []}]}, "BAD_USER_INPUT", "input.points[0].values"),
        ({"points": [{"metric": "m", "values": [1, None]}]}, "BAD_USER_INPUT", "input.points[0].values"),
        ({"points": [{"metric": "m", "values": ["x"]}]}, "BAD_USER_INPUT", "input.points[0].values"),
        ({"points": [{"metric": "a", "values": [1]}, {"metric": "b", "values": [1], "steps": [1, 2]}]}, "BAD_USER_INPUT", "input.points[1].steps"),
        ({"points": [{"metric": "m", "values": [1], "steps": ["NaN"]}]}, "BAD_USER_INPUT", "input.points[0].steps[0]"),
        ({"points": [{"metric": "m", "values": [1], "at": [1, 2]}]}, "BAD_USER_INPUT", "input.points[0].at"),
        ({"points": [{"metric": "m", "values": [1], "at": [1e20]}]}, "BAD_USER_INPUT", "input.points[0].at"),
        ({"rows": [{"metric": "t", "columns": []}]}, "BAD_USER_INPUT", "input.rows[0].columns"),
        ({"rows": [{"metric": "t", "columns": [{"name": "a", "values": [1]}, {"name": "a", "values": [1]}]}]}, "BAD_USER_INPUT", "input.rows[0].columns"),
        ({"rows": [{"metric": "t", "columns": [{"name": "a", "values": [1]}, {"name": "b", "values": [1, 2]}]}]}, "BAD_USER_INPUT", "input.rows[0].columns"),
        ({"points": [{"metric": "m", "values": [1]}], "logs": [{"path": "../x", "text": "x"}]}, "BAD_USER_INPUT", "input.logs[0].path"),
        ({"tags": [{"key": "", "value": "x"}]}, "BAD_USER_INPUT", "input.tags key"),
        ({"writer": "w", "points": [{"metric": "m", "values": [1]}]}, "BAD_USER_INPUT", "input.sequence"),
        ({"bogus": 1}, "BAD_USER_INPUT", "input"),
        ({"status": {"status": "DANCING"}}, "BAD_USER_INPUT", "input.status.status"),
        ({"status": {"status": "RUNNING", "at": "yesterday"}}, "BAD_USER_INPUT", "input.status.at"),
    ],
)  # fmt: skip
async def test_bad_batches_name_the_place_and_write_nothing(
    api: Api, said: Any, code: str, field: str
) -> None:
    id = await api.create("r1")
    error = await api.error(RECORD, input={"run": id, **said})
    assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, field), error
    assert "operations[" not in error["message"]
    found = await api.ask(
        "query ($id: ID!) { run(id: $id) { metrics { totalCount } logs { path } tags { key } } }", id=id
    )
    assert found["run"] == {"metrics": {"totalCount": 0}, "logs": [], "tags": []}


async def test_the_index_of_what_is_no_number_is_named(api: Api) -> None:
    error = await api.error(RECORD, input={"run": "r", "points": [{"metric": "m", "values": [1, 2, None]}]})
    assert "index 2" in error["message"]
    literal = (
        'mutation { record(input: {run: "r", points: [{metric: "m", values: [1, null]}]}) { repeated } }'
    )
    error = await api.error(literal)
    assert "index 1" in error["message"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert error["locations"]


async def test_values_may_stand_in_the_document(api: Api) -> None:
    await api.create("r1")
    await api.ask(
        'mutation { record(input: {run: "r1", points: [{metric: "loss", values: [1, 2.5, "NaN"], at: [1, 2, 3]}]}) { repeated } }'
    )
    assert await values(api, "r1") == [1.0, 2.5, "NaN"]
    query = 'mutation ($x: FloatColumn!) { record(input: {run: "r1", points: [{metric: "loss", values: $x}]}) { repeated } }'
    await api.ask(query, x=[7])
    assert await values(api, "r1") == [1.0, 2.5, "NaN", 7.0]


async def test_runs_that_are_not_there(api: Api) -> None:
    for query, fields in (
        (RECORD, {"points": [{"metric": "m", "values": [1]}]}),
        (UPDATE % "id", {"displayName": "x"}),
    ):
        error = await api.error(query, input={"run": "nope", **fields})
        assert error["extensions"] == {"code": "NOT_FOUND", "field": "input.run"}


async def test_an_ambiguous_run(api: Api) -> None:
    await api.create("r1")
    await api.create("r1", workspace="other")
    error = await api.error(RECORD, input={"run": "r1", "exitCode": 1})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.run"}


async def test_facts_are_updated(api: Api) -> None:
    id = await api.create("r1", tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    shown = """displayName description tags { key value } startedAt endedAt exitCode error { message code detail }
      warnings { message source } queueing { code message position } cluster { name } target primaryMetric primaryMetricGoal originUrl status"""
    given = {
        "run": id,
        "displayName": "Better",
        "description": "d",
        "tags": [{"key": "c", "value": "3"}],
        "removeTags": ["a"],
        "startedAt": "2020-01-01T00:00:00Z",
        "endedAt": "2020-01-01T00:00:09Z",
        "exitCode": 1,
        "error": {"message": "m", "code": "c", "detail": "d"},
        "warnings": [{"message": "w", "source": "s"}],
        "queueing": {"code": "q", "message": "m", "position": 2},
        "cluster": "gpu",
        "target": "t",
        "primaryMetric": "loss",
        "primaryMetricGoal": "MAXIMIZE",
        "portalUrl": "https://x.test",
        "status": {"status": "FAILED"},
    }
    assert (await api.ask(UPDATE % shown, input=given))["updateRun"]["run"] == {
        "displayName": "Better",
        "description": "d",
        "tags": [{"key": "b", "value": "2"}, {"key": "c", "value": "3"}],
        "startedAt": "2020-01-01T00:00:00.000000Z",
        "endedAt": "2020-01-01T00:00:09.000000Z",
        "exitCode": 1,
        "error": {"message": "m", "code": "c", "detail": "d"},
        "warnings": [{"message": "w", "source": "s"}],
        "queueing": {"code": "q", "message": "m", "position": 2},
        "cluster": {"name": "gpu"},
        "target": "t",
        "primaryMetric": "loss",
        "primaryMetricGoal": "MAXIMIZE",
        "originUrl": "https://x.test",
        "status": "FAILED",
    }
    error = await api.error(UPDATE % "id", input={"run": id})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "input"}


async def test_a_cluster_as_a_compute_page_shows_it(api: Api) -> None:
    run = await api.create("r1", cluster="gpu", status={"status": "QUEUED"})
    query = """mutation ($input: UpsertClusterInput!) { upsertCluster(input: $input) { cluster {
      name kind state vmSize vmPriority minNodes maxNodes currentNodes targetNodes nodeStates { idle running preparing unusable leaving preempted other }
      nodes { name state runId ip port run { id } } runs { nodes { id } } portalUrl originUrl liveCursor } } }"""
    given = {
        "name": "gpu", "kind": "AmlCompute", "state": "steady", "vmSize": "NC6", "vmPriority": "dedicated", "minNodes": 0, "maxNodes": 4,
        "currentNodes": 2, "targetNodes": 3, "nodeStates": [{"state": "idle", "count": 1}, {"state": "weird", "count": 1}],
        "nodes": [{"name": "n0", "state": "running", "runId": "r1", "ip": "10.0.0.1", "port": 22}, {"name": "n1", "state": "idle", "runId": "gone"}],
        "portalUrl": "https://x.test",
    }  # fmt: skip
    cluster = (await api.ask(query, input=given))["upsertCluster"]["cluster"]
    assert cluster.pop("liveCursor")
    id = ids.cluster_id(ids.workspace_id("default"), "gpu")
    assert cluster == {
        "name": "gpu", "kind": "AmlCompute", "state": "steady", "vmSize": "NC6", "vmPriority": "dedicated", "minNodes": 0, "maxNodes": 4,
        "currentNodes": 2, "targetNodes": 3,
        "nodeStates": {"idle": 1, "running": 0, "preparing": 0, "unusable": 0, "leaving": 0, "preempted": 0, "other": 1},
        "nodes": [
            {"name": "n0", "state": "running", "runId": "r1", "ip": "10.0.0.1", "port": 22, "run": {"id": run}},
            {"name": "n1", "state": "idle", "runId": "gone", "ip": None, "port": None, "run": None},
        ],
        "runs": {"nodes": [{"id": run}]}, "portalUrl": f"http://runs.test/clusters/{id}", "originUrl": "https://x.test",
    }  # fmt: skip
    again = (await api.ask(query, input={"name": "gpu", "state": "resizing"}))["upsertCluster"]["cluster"]
    assert (again["state"], again["vmSize"], len(again["nodes"])) == ("resizing", "NC6", 2)
    error = await api.error(query, input={"name": ""})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.name"}


async def test_cancelling_fails_run_by_run(api: Api) -> None:
    running = await api.create("a", status={"status": "RUNNING"})
    await api.create("b", status={"status": "COMPLETED"})
    query = """mutation ($runs: [ID!]!) { requestCancel(runs: $runs) {
      id run { id status statusClass cancelRequestedAt } error { code message } } }"""
    first, second, third = (await api.ask(query, runs=[running, "b", "nope"]))["requestCancel"]
    assert first["run"].pop("cancelRequestedAt")
    assert first == {
        "id": running,
        "run": {"id": running, "status": "CANCEL_REQUESTED", "statusClass": "POST_PROCESSING"},
        "error": None,
    }
    assert (second["id"], second["run"], second["error"]["code"]) == ("b", None, "BAD_USER_INPUT")
    assert (third["id"], third["run"], third["error"]["code"]) == ("nope", None, "NOT_FOUND")
    error = await api.error(query, runs=["x"] * 101)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "runs"}


async def test_later_mutations_of_an_operation_see_what_earlier_ones_wrote(api: Api) -> None:
    await api.create("r1")
    query = """mutation {
      a: record(input: {run: "r1", points: [{metric: "m", values: [1]}]}) { run { exitCode metric(name: "m") { summary { count } } } }
      b: record(input: {run: "r1", points: [{metric: "m", values: [1]}], exitCode: 2}) { run { exitCode metric(name: "m") { summary { count } } } }
    }"""
    found = await api.ask(query)
    assert found["a"]["run"] == {"exitCode": None, "metric": {"summary": {"count": 1.0}}}
    assert found["b"]["run"] == {"exitCode": 2, "metric": {"summary": {"count": 2.0}}}
