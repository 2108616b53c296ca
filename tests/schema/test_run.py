from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.model import ids
from graphql_runs.model.cursor import TreeCursor
from graphql_runs.model.operation import AddArtifact, Annotate, DeclareRun
from graphql_runs.model.run import Queueing, RunFailure, RunWarning
from graphql_runs.model.source import PluginKind, PluginReport, SkippedInput, SourceReport, SourceState
from tests.schema.conftest import Api


async def test_everything_of_a_run(api: Api) -> None:
    id = await api.create(
        "r1",
        displayName="My run",
        description="About it",
        kind="job",
        cluster="gpu",
        target="gpu-small",
        submittedBy="someone",
        createdAt="2020-01-01T00:00:00Z",
        status={"status": "QUEUED", "at": "2020-01-01T00:00:00Z"},
        params=[{"key": "lr", "value": "0.1"}, {"key": "arch", "value": "cnn"}],
        properties=[{"key": "azureml.git.commit", "value": "abc"}],
        primaryMetric="loss",
        primaryMetricGoal="MINIMIZE",
        heartbeatSeconds=30,
        portalUrl="https://elsewhere.test/r1",
    )
    for status, at in (("RUNNING", "2020-01-01T00:01:00Z"), ("COMPLETED", "2020-01-01T00:03:00.5Z")):
        await api.record(id, status={"status": status, "at": at, "detail": "because"})
    await api.record(id, exitCode=0, tags=[{"key": "b", "value": "2"}, {"key": "a", "value": "x"}])
    query = """
    query ($id: ID!) { run(id: $id) {
      id runId number name displayName description kind source placeholder target submittedBy status statusClass statusAt
      originalStatus statusEvidence { status at reported source original detail } stale error { message }
      warnings { message } queueing { code } createdAt startedAt endedAt heartbeatSeconds cancelRequestedAt duration queueSeconds
      phases { status statusClass start end seconds } depth tags { key value number } params { key value number }
      git { commit branch repository dirty } primaryMetric primaryMetricGoal exitCode portalUrl originUrl
      uploadUrl(path: "out/model 1.pt") workspace { name } experiment { name portalUrl } cluster { name portalUrl } parent { id } root { id }
    } }
    """
    run = (await api.ask(query, id=id))["run"]
    assert run == {
        "id": id,
        "runId": "r1",
        "number": 1,
        "name": "r1",
        "displayName": "My run",
        "description": "About it",
        "kind": "job",
        "source": "api",
        "placeholder": False,
        "target": "gpu-small",
        "submittedBy": "someone",
        "status": "COMPLETED",
        "statusClass": "TERMINAL",
        "statusAt": "2020-01-01T00:03:00.500000Z",
        "originalStatus": None,
        "statusEvidence": [
            evidence("QUEUED", "2020-01-01T00:00:00.000000Z", None),
            evidence("RUNNING", "2020-01-01T00:01:00.000000Z", "because"),
            evidence("COMPLETED", "2020-01-01T00:03:00.500000Z", "because"),
        ],
        "stale": False,
        "error": None,
        "warnings": [],
        "queueing": None,
        "createdAt": "2020-01-01T00:00:00.000000Z",
        "startedAt": "2020-01-01T00:01:00.000000Z",
        "endedAt": "2020-01-01T00:03:00.500000Z",
        "heartbeatSeconds": 30.0,
        "cancelRequestedAt": None,
        "duration": 180.5,
        "queueSeconds": 60.0,
        "phases": [
            phase("QUEUED", "PENDING", "2020-01-01T00:00:00.000000Z", "2020-01-01T00:01:00.000000Z", 60.0),
            phase("RUNNING", "ACTIVE", "2020-01-01T00:01:00.000000Z", "2020-01-01T00:03:00.500000Z", 120.5),
        ],
        "depth": 0,
        "tags": [{"key": "a", "value": "x", "number": None}, {"key": "b", "value": "2", "number": 2.0}],
        "params": [
            {"key": "arch", "value": "cnn", "number": None},
            {"key": "lr", "value": "0.1", "number": 0.1},
        ],
        "git": {"commit": "abc", "branch": None, "repository": None, "dirty": None},
        "primaryMetric": "loss",
        "primaryMetricGoal": "MINIMIZE",
        "exitCode": 0,
        "portalUrl": f"http://runs.test/runs/{id}",
        "originUrl": "https://elsewhere.test/r1",
        "uploadUrl": f"http://runs.test/artifacts/{id}/out/model%201.pt",
        "workspace": {"name": "default"},
        "experiment": {
            "name": "digits",
            "portalUrl": f"http://runs.test/experiments/{ids.experiment_id(ids.workspace_id('default'), 'digits')}",
        },
        "cluster": {
            "name": "gpu",
            "portalUrl": f"http://runs.test/clusters/{ids.cluster_id(ids.workspace_id('default'), 'gpu')}",
        },
        "parent": None,
        "root": {"id": id},
    }


def evidence(status: str, at: str, detail: str | None) -> dict[str, Any]:
    return {"status": status, "at": at, "reported": True, "source": "api", "original": None, "detail": detail}


def phase(status: str, kind: str, start: str, end: str, seconds: float) -> dict[str, Any]:
    return {"status": status, "statusClass": kind, "start": start, "end": end, "seconds": seconds}


async def test_what_its_system_says(api: Api) -> None:
    id = await api.create("r1")
    facts = Annotate(
        "r1",
        error=RunFailure("it broke", "E1", "traceback"),
        warnings=(RunWarning("slow", "disk"),),
        queueing=Queueing("Q", "no nodes", 1_000_000, 3),
    )
    await api.recorder.record("default", [facts])
    query = """query ($id: ID!) { run(id: $id) {
      error { message code detail } warnings { message source } queueing { code message refreshedAt position } } }"""
    assert (await api.ask(query, id=id))["run"] == {
        "error": {"message": "it broke", "code": "E1", "detail": "traceback"},
        "warnings": [{"message": "slow", "source": "disk"}],
        "queueing": {
            "code": "Q",
            "message": "no nodes",
            "refreshedAt": "1970-01-01T00:00:01.000000Z",
            "position": 3,
        },
    }


async def test_runs_by_either_id(api: Api) -> None:
    await api.create("same")
    await api.create("same", workspace="other")
    query = (
        "query ($id: ID!, $workspace: String) { run(id: $id, workspace: $workspace) { workspace { name } } }"
    )
    error = await api.error(query, id="same")
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}
    assert "'default' and 'other'" in error["message"]
    assert (await api.ask(query, id="same", workspace="other"))["run"] == {"workspace": {"name": "other"}}
    assert (await api.ask(query, id="nope"))["run"] is None
    assert (await api.ask('{ workspace(name: "other") { run(runId: "same") { name } } }'))["workspace"][
        "run"
    ] == {"name": "same"}


async def test_nodes_of_every_type(api: Api) -> None:
    run = await api.create("r1", cluster="gpu")
    await api.record(run, points=[{"metric": "loss", "values": [1]}], logs=[{"path": "a.log", "text": "x"}])
    await api.recorder.record("default", [AddArtifact("r1", "m.pt", 3, location="unused")])
    api.sources.append(SourceReport("file:///runs", "runs", "default", "text", SourceState.FOLLOWING))
    home = ids.workspace_id("default")
    wanted = {
        home: "Workspace",
        ids.cluster_id(home, "gpu"): "Cluster",
        ids.experiment_id(home, "digits"): "Experiment",
        run: "Run",
        ids.metric_id(run, "loss"): "Metric",
        ids.log_id(run, "a.log"): "LogFile",
        ids.artifact_id(run, "m.pt"): "Artifact",
        api.sources[0].id: "Source",
    }
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    found = (await api.ask(query, ids=[*wanted, "nonsense", ids.run_id(home, "nope")]))["nodes"]
    assert found == [*({"__typename": name, "id": id} for id, name in wanted.items()), None, None]
    one = "query ($id: ID!) { node(id: $id) { id ... on Run { name } } }"
    assert (await api.ask(one, id=run))["node"] == {"id": run, "name": "r1"}
    assert (await api.ask(one, id="r1"))["node"] is None
    error = await api.error(query, ids=["x"] * 101)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "ids"}


async def test_a_parent_that_nobody_declared_yet(api: Api) -> None:
    id = await api.create("child", parent="sweep")
    query = "query ($id: ID!) { run(id: $id) { parent { runId placeholder status } } }"
    assert (await api.ask(query, id=id))["run"]["parent"] == {
        "runId": "sweep",
        "placeholder": True,
        "status": "UNKNOWN",
    }


async def test_artifacts(api: Api) -> None:
    id = await api.create("r1")
    said = [
        AddArtifact("r1", path, 3, "text/plain", "ab" * 32, location="unused")
        for path in ("out/a.txt", "out/b.txt", "c")
    ]
    await api.recorder.record("default", said)
    query = """query ($id: ID!, $prefix: String) { run(id: $id) { artifacts(prefix: $prefix, first: 2) {
      totalCount pageInfo { hasNextPage } nodes { path size contentType sha256 url run { name } } } } }"""
    found = (await api.ask(query, id=id))["run"]["artifacts"]
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (3, True)
    found = (await api.ask(query, id=id, prefix="out/"))["run"]["artifacts"]
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (2, False)
    assert found["nodes"][0] == {
        "path": "out/a.txt",
        "size": 3.0,
        "contentType": "text/plain",
        "sha256": "ab" * 32,
        "url": f"http://runs.test/artifacts/{id}/out/a.txt",
        "run": {"name": "r1"},
    }


async def test_workspaces_and_what_is_in_them(api: Api) -> None:
    for name in ("b", "a", "c"):
        await api.create("r", workspace=name, experiment="Digits", cluster="gpu")
    page = "query ($after: String) { workspaces(first: 2, after: $after) { totalCount nodes { name } pageInfo { endCursor hasNextPage } } }"
    found = (await api.ask(page))["workspaces"]
    assert [node["name"] for node in found["nodes"]] == ["a", "b"]
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (3, True)
    rest = (await api.ask(page, after=found["pageInfo"]["endCursor"]))["workspaces"]
    assert [node["name"] for node in rest["nodes"]] == ["c"]
    query = """query ($contains: String) { workspace(name: "a") { experiments(contains: $contains) { nodes { name } totalCount }
      clusters { edges { node { name } } } experiment(name: "Digits") { name } missing: experiment(name: "x") { name } } }"""
    home = (await api.ask(query, contains="DIG"))["workspace"]
    assert home == {
        "experiments": {"nodes": [{"name": "Digits"}], "totalCount": 1},
        "clusters": {"edges": [{"node": {"name": "gpu"}}]},
        "experiment": {"name": "Digits"},
        "missing": None,
    }
    assert (await api.ask(query, contains="x"))["workspace"]["experiments"]["totalCount"] == 0
    assert (await api.ask('{ workspace(name: "nope") { name } }'))["workspace"] is None


async def test_the_server(api: Api) -> None:
    api.plugins.append(
        PluginReport("text", PluginKind.INGESTER, "graphql-runs-text", "0.1", "Reads logs.", "BETA")
    )
    skipped = (SkippedInput("a.jsonl", "not JSON", 3, 1_000_000),)
    api.sources.append(
        SourceReport(
            "file:///runs", "runs", "default", "tabular", SourceState.FAILED, "a.jsonl:3: not JSON", 2_000_000, 1, 2, 3, 4, skipped, 9
        )
    )  # fmt: skip
    query = """{ server { version store capabilities limits plugins { name kind package version description stability error }
      sources { id uri name workspace plugin state lastError lastReadAt runs files points lines skippedCount
      skipped { path line reason at } } } }"""
    server = (await api.ask(query))["server"]
    assert (server["version"], server["store"]) == ("1.2.3", "sqlite")
    assert "change_notification" in server["capabilities"]
    assert server["limits"]["page"] == 100
    assert server["plugins"] == [
        {"name": "text", "kind": "INGESTER", "package": "graphql-runs-text", "version": "0.1", "description": "Reads logs.", "stability": "BETA", "error": None}
    ]  # fmt: skip
    [source] = server["sources"]
    assert source == {
        "id": api.sources[0].id, "uri": "file:///runs", "name": "runs", "workspace": "default", "plugin": "tabular", "state": "FAILED",
        "lastError": "a.jsonl:3: not JSON", "lastReadAt": "1970-01-01T00:00:02.000000Z", "runs": 1.0, "files": 2.0, "points": 3.0,
        "lines": 4.0, "skippedCount": 9.0,
        "skipped": [{"path": "a.jsonl", "line": 3, "reason": "not JSON", "at": "1970-01-01T00:00:01.000000Z"}],
    }  # fmt: skip


WAYS = {
    "run": "query ($id: ID!) { run(id: $id) { %s } }",
    "node": "query ($id: ID!) { node(id: $id) { ... on Run { %s } } }",
    "nodes": "query ($id: ID!) { nodes(ids: [$id]) { ...run } } fragment run on Run { %s }",
    "workspace": 'query ($id: String!) { workspace(name: "default") { run(runId: $id) { %s } } }',
    "runs": "query ($id: String) { runs(filter: {id: {eq: $id}}) { nodes { %s } } }",
    "edges": "query ($id: String) { runs(filter: {id: {eq: $id}}) { edges { node { %s } } } }",
    "root": "query ($id: ID!) { run(id: $id) { root { %s } } }",
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_live_cursor_is_older_than_what_is_read_with_it(
    api: Api, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await api.create("r1")
    ends = api.store.ends

    async def busy(streams: Any) -> Any:
        """Just after the cursor was taken, somebody writes."""
        found = await ends(streams)
        monkeypatch.setattr(api.store, "ends", ends)
        await api.recorder.record(
            "default", [DeclareRun("r1", "digits", "r1", "test", description="written meanwhile")]
        )
        return found

    [before] = await ends([f"journal_{id.removeprefix('run_')}"])
    monkeypatch.setattr(api.store, "ends", busy)
    if way == "workspace":
        id = "r1"
    data = await api.ask(WAYS[way] % "liveCursor description", id=id)
    while not isinstance(data, dict) or "liveCursor" not in data:
        data = data[0] if isinstance(data, list) else next(iter(data.values()))
    assert TreeCursor.decode(data["liveCursor"]).n == before
    assert data["description"] == "written meanwhile"


@pytest.mark.parametrize(
    "field",
    [
        "workspaces(after: $after) { nodes { name } }",
        'run(id: "r1") { artifacts(after: $after) { nodes { path } } }',
        'run(id: "r1") { metrics(after: $after) { nodes { name } } }',
        'run(id: "r1") { metrics(after: $after, orderBy: LAST_AT) { nodes { name } } }',
        'run(id: "r1") { metric(name: "loss") { rows(after: $after) { start } } }',
        'run(id: "r1") { log(path: "a.log") { lines(after: $after) { nodes { text } } } }',
        'run(id: "r1") { log(path: "a.log") { lines(last: 1, before: $after) { nodes { text } } } }',
    ],
)
async def test_made_up_cursors_are_refused(api: Api, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await api.create("r1")
    await api.record(id, points=[{"metric": "loss", "values": [1]}], logs=[{"path": "a.log", "text": "x"}])
    # A cursor of the right list that holds anything at all.
    monkeypatch.setattr(
        "graphql_runs.model.cursor._unpack", lambda *_: ["p", 1, Anything(), [{"a": 1}, None], "id"]
    )
    error = await api.error(f"query ($after: String!) {{ {field} }}", after="x")
    assert error["extensions"] == {
        "code": "BAD_USER_INPUT",
        "field": "before" if "before" in field else "after",
    }


class Anything(str):
    """The name of every list."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__
