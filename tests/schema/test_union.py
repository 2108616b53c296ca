"""Runs that several sources show, through the API."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from graphql_runs.model import ids
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    LogPoints,
    LogText,
    RunOperation,
    SetStatus,
    TrashRun,
)
from graphql_runs.model.status import RunStatus
from tests.schema.conftest import Api

JOB = "slurm:alpha/4242"
PARAMS = {"SLURM_JOB_ID": "4242", "SLURM_CLUSTER_NAME": "alpha", "lr": "0.10", "seed": "1"}
NAMES = "query ($filter: RunFilter, $where: String) { runs(filter: $filter, where: $where) { nodes { name } totalCount } }"


async def write(api: Api, *operations: RunOperation) -> None:
    await api.recorder.record("default", operations)


def id_of(run_id: str) -> str:
    return ids.run_id(ids.workspace_id("default"), run_id)


@pytest.fixture
async def job(api: Api) -> None:
    """A training that MLflow shows and that ran as a job of SLURM, which killed it, and one that only MLflow shows."""
    await write(
        api,
        DeclareRun("m", "digits", "bold-cat", "mlflow", params=PARAMS, submitted_by="ada"),
        SetStatus("m", RunStatus.RUNNING, "meta.yaml", at=1_000_000),
        LogPoints("m", "loss", [1.0, 0.5]),
        LogPoints("m", "acc", [0.1]),
        LogText("m", "train.log", b"epoch 1\n"),
        AddArtifact("m", "model.pt", 3, location="/outputs/model.pt"),
    )
    await write(
        api,
        DeclareRun(
            "j",
            "jobs",
            "train.sh",
            "slurm",
            cluster="alpha",
            submitted_by="bea",
            params={"lr": "0.1", "seed": "2"},
            identities=(JOB, "slurm:4242"),
        ),
        SetStatus("j", RunStatus.RUNNING, "sacct", at=30_000_000),
        LogPoints("j", "loss", [9.0]),
        LogPoints("j", "MaxRSS", [4e9]),
        LogText("j", "slurm-4242.out", b"loading\nKilled\n"),
        AddArtifact("j", "core", 5, location="/cores/1"),
        SetStatus("j", RunStatus.FAILED, "sacct", at=400_000_000, original="OUT_OF_MEMORY"),
        Annotate("j", exit_code=137, ended_at=400_000_000),
    )
    await write(api, DeclareRun("other", "digits", "calm-dog", "mlflow"))


@pytest.mark.usefixtures("job")
async def test_lists_show_one_run_with_all_that_is_known(api: Api) -> None:
    query = """{ runs(filter: {status: {eq: FAILED}}) { nodes { runId originalStatus exitCode submittedBy cluster { name } endedAt
      identities statusEvidence { source run { runId } } } } }"""
    [run] = (await api.ask(query))["runs"]["nodes"]
    assert run == {
        "runId": "m",
        "originalStatus": "OUT_OF_MEMORY",
        "exitCode": 137,
        "submittedBy": "ada",
        "cluster": {"name": "alpha"},
        "endedAt": "1970-01-01T00:06:40.000000Z",
        "identities": [JOB],
        "statusEvidence": [
            {"source": "meta.yaml", "run": None},
            {"source": "slurm j: sacct", "run": {"runId": "j"}},
            {"source": "slurm j: sacct", "run": {"runId": "j"}},
        ],
    }


@pytest.mark.usefixtures("job")
async def test_lists_leave_out_aliases_unless_they_are_asked_for(api: Api) -> None:
    async def names(where: str | None = None, /, **filter: Any) -> list[str]:
        found = (await api.ask(NAMES, filter=filter or None, where=where))["runs"]
        assert found["totalCount"] == len(found["nodes"])
        return sorted(run["name"] for run in found["nodes"])

    assert await names() == await names(alias=False) == ["bold-cat", "calm-dog"]
    assert await names(alias=True) == await names("alias = true") == ["train.sh"]
    assert await names(**{"or": [{"alias": True}, {"alias": False}]}) == ["bold-cat", "calm-dog", "train.sh"]
    assert await names("alias != true AND name LIKE 'bold%'") == ["bold-cat"]
    assert await names("alias_of = 'm'") == ["train.sh"]
    assert await names(identity=JOB) == await names(f"identities.`{JOB}` IS NOT NULL") == ["bold-cat"]
    assert await names(identity=JOB, alias=True) == ["train.sh"]
    assert await names(identity="slurm:nobody/1") == []
    # One of another run's children, or of its experiment, is left out there too.
    found = await api.ask(
        '{ workspace(name: "default") { experiments { nodes { name runs { totalCount } } } } }'
    )
    counts = {one["name"]: one["runs"]["totalCount"] for one in found["workspace"]["experiments"]["nodes"]}
    assert counts == {"digits": 2, "jobs": 0}


@pytest.mark.usefixtures("job")
async def test_an_alias_is_found_by_its_id(api: Api) -> None:
    query = """query ($id: ID!) { run(id: $id) { runId status aliasOf { runId aliases { runId aliasOf { runId } } } aliases { runId }
      conflicts { field } metrics { nodes { name run { runId } } } } node(id: $id) { ... on Run { runId } } }"""
    found = await api.ask(query, id=id_of("j"))
    assert found["node"] == {"runId": "j"}
    assert found["run"] == {
        "runId": "j",
        "status": "FAILED",
        "aliasOf": {"runId": "m", "aliases": [{"runId": "j", "aliasOf": {"runId": "m"}}]},
        "aliases": [],
        "conflicts": [],
        "metrics": {
            "nodes": [{"name": "MaxRSS", "run": {"runId": "j"}}, {"name": "loss", "run": {"runId": "j"}}]
        },
    }


@pytest.mark.usefixtures("job")
async def test_what_belongs_to_aliases_is_seen_through_the_principal(api: Api) -> None:
    query = """query ($id: ID!) { run(id: $id) {
      metrics { totalCount nodes { name run { runId } } }
      own: metric(name: "loss") { run { runId } series { y } }
      theirs: metric(name: "MaxRSS") { run { runId } series { y } }
      none: metric(name: "x") { name }
      logs { path run { runId } }
      log(path: "slurm-4242.out") { run { runId } lineCount }
      missing: log(path: "x") { path }
      mainLog { path }
      searchLogs(text: "killed") { nodes { text path runId } }
      artifacts { totalCount nodes { path run { runId } } }
      cores: artifacts(prefix: "co") { totalCount nodes { path } } } }"""
    m, j = {"runId": "m"}, {"runId": "j"}
    assert (await api.ask(query, id=id_of("m")))["run"] == {
        "metrics": {
            "totalCount": 4,
            "nodes": [
                {"name": "acc", "run": m},
                {"name": "loss", "run": m},
                {"name": "MaxRSS", "run": j},
                {"name": "loss", "run": j},
            ],
        },
        "own": {"run": m, "series": {"y": [1.0, 0.5]}},
        "theirs": {"run": j, "series": {"y": [4e9]}},
        "none": None,
        "logs": [{"path": "train.log", "run": m}, {"path": "slurm-4242.out", "run": j}],
        "log": {"run": j, "lineCount": 2.0},
        "missing": None,
        "mainLog": {"path": "train.log"},
        "searchLogs": {"nodes": [{"text": "Killed", "path": "slurm-4242.out", "runId": "j"}]},
        "artifacts": {
            "totalCount": 2,
            "nodes": [{"path": "model.pt", "run": m}, {"path": "core", "run": j}],
        },
        "cores": {"totalCount": 1, "nodes": [{"path": "core"}]},
    }


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("order", ["NAME", "LAST_AT"])
@pytest.mark.parametrize("first", [1, 2, 3, 9])
async def test_pages_go_on_from_one_run_to_the_next(api: Api, first: int, order: str) -> None:
    query = """query ($id: ID!, $first: Int!, $after: String, $order: MetricOrder!) { run(id: $id) {
      metrics(first: $first, after: $after, orderBy: $order) { nodes { id } pageInfo { hasNextPage endCursor } } } }"""
    seen: list[str] = []
    after = None
    for _ in range(9):
        page = (await api.ask(query, id=id_of("m"), first=first, after=after, order=order))["run"]["metrics"]
        seen += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [ids.run_of(id) for id in seen] == [id_of("m")] * 2 + [id_of("j")] * 2
    assert len(set(seen)) == 4
    outputs = "query ($id: ID!, $after: String) { run(id: $id) { artifacts(first: 1, after: $after) { nodes { path } pageInfo { endCursor } } } }"
    one = (await api.ask(outputs, id=id_of("m")))["run"]["artifacts"]
    two = (await api.ask(outputs, id=id_of("m"), after=one["pageInfo"]["endCursor"]))["run"]["artifacts"]
    assert [page["nodes"][0]["path"] for page in (one, two)] == ["model.pt", "core"]
    error = await api.error(outputs, id=id_of("other"), after=one["pageInfo"]["endCursor"])
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.usefixtures("job")
async def test_an_alias_in_the_trash_is_not_shown_through_its_principal(api: Api) -> None:
    await write(api, TrashRun("j"))
    query = "query ($id: ID!) { run(id: $id) { aliases { runId } logs { path } conflicts { field } } }"
    run = (await api.ask(query, id=id_of("m")))["run"]
    assert (run["aliases"], run["logs"]) == ([{"runId": "j"}], [{"path": "train.log"}])
    await write(api, TrashRun("m"))
    assert len((await api.ask(query, id=id_of("m")))["run"]["logs"]) == 2


@pytest.mark.usefixtures("job")
async def test_conflicts_say_who_says_what(api: Api) -> None:
    query = "query ($id: ID!) { run(id: $id) { conflicts { field values { value source run { runId } } } } }"
    found = (await api.ask(query, id=id_of("m")))["run"]["conflicts"]
    stated = {
        one["field"]: [(each["value"], each["source"], each["run"]["runId"]) for each in one["values"]]
        for one in found
    }
    # 0.10 and 0.1 are one number, half a minute between two beginnings is nothing, and nobody else gave an exit code.
    assert stated == {
        "status": [("RUNNING", "meta.yaml", "m"), ("FAILED", "sacct", "j")],
        "name": [("bold-cat", "mlflow", "m"), ("train.sh", "slurm", "j")],
        "submittedBy": [("ada", "mlflow", "m"), ("bea", "slurm", "j")],
        "params.seed": [("1", "mlflow", "m"), ("2", "slurm", "j")],
    }
    await write(api, Annotate("m", exit_code=1, ended_at=100_000_000, started_at=200_000_000, target="a"))
    await write(api, Annotate("j", display_name="Job", target="b"))
    fields = {one["field"] for one in (await api.ask(query, id=id_of("m")))["run"]["conflicts"]}
    assert fields - stated.keys() == {"exitCode", "endedAt", "startedAt", "target"}


async def test_identities_through_the_api(api: Api) -> None:
    await write(api, DeclareRun("j", "jobs", "train.sh", "slurm", identities=(JOB,)))
    run = await api.create("r", identities=[JOB])
    query = "query ($id: ID!) { run(id: $id) { identities aliasOf { runId } } }"
    assert (await api.ask(query, id=id_of("j")))["run"]["identities"] == [JOB]
    both = [(await api.ask(query, id=id))["run"]["aliasOf"] for id in (run, id_of("j"))]
    assert both == [None, {"runId": "r"}]
    update = "mutation ($input: UpdateRunInput!) { updateRun(input: $input) { run { identities } } }"
    found = await api.ask(update, input={"run": run, "identities": ["wandb:x"]})
    assert found["updateRun"]["run"]["identities"] == [JOB, "wandb:x"]
    error = await api.error(update, input={"run": run, "identities": ["nothing"]})
    assert error["extensions"]["field"] == "input.identities"
    # Creating it once more gives the run that is there.
    assert await api.create("r", identities=[JOB]) == run


async def test_a_list_that_is_followed_loses_what_becomes_an_alias(api: Api) -> None:
    await write(api, DeclareRun("m", "e", "m", "mlflow", identities=(JOB,)))
    await write(api, DeclareRun("j", "e", "j", "slurm"), SetStatus("j", RunStatus.FAILED, "sacct", at=5))
    query = 'subscription { runs(workspace: "default") { caughtUp changed { runId status } left } }'
    async with aclosing(api.follow(query)) as updates, asyncio.timeout(20):
        first = (await anext(updates))["data"]["runs"]
        assert {run["runId"] for run in first["changed"]} == {"m", "j"}
        await write(api, Annotate("j", identities=(JOB,)))
        left: set[str] = set()
        statuses: dict[str, str] = {}
        while id_of("j") not in left or statuses.get("m") != "FAILED":
            update = (await anext(updates))["data"]["runs"]
            left |= set(update["left"])
            statuses |= {run["runId"]: run["status"] for run in update["changed"]}
