"""Filters of lists of runs, as an input and as a text."""

from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.model import time
from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

PAGE = """
query ($filter: RunFilter, $where: String) {
  runs(filter: $filter, where: $where, orderBy: [{by: {field: NAME}}]) { totalCount nodes { name } }
}
"""


async def found(api: Api, **given: Any) -> list[str]:
    page = (await api.ask(PAGE, **given))["runs"]
    names = [run["name"] for run in page["nodes"]]
    assert page["totalCount"] == len(names)
    return names


@pytest.fixture
async def runs(api: Api) -> dict[str, str]:
    """A sweep of two trials, of which the first has a step; `quiet` gave no sign of life for long. Server ids by name."""
    sweep = await api.create("sweep", kind="sweep", tags=[{"key": "team", "value": "Vision"}])
    ids = {"sweep": sweep}
    for name, rate, loss in (("trial-1", "0.1", [1.0, 0.5]), ("trial-2", "1e-2", [2.0, "NaN"])):
        ids[name] = await api.create(
            name, parent=sweep, status={"status": "COMPLETED"}, params=[{"key": "lr", "value": rate}]
        )
        await api.record(ids[name], points=[{"metric": "val/loss", "values": loss}])
    ids["step"] = await api.create("step", parent=ids["trial-1"], status={"status": "FAILED"})
    ids["quiet"] = await api.create(
        "quiet", createdAt=time.to_text(1_700_000_000_000_000), heartbeatSeconds=60, status={"status": "RUNNING", "at": time.to_text(1_700_000_000_000_000)},
    )  # fmt: skip
    ids["beating"] = await api.create("beating", heartbeatSeconds=60, status={"status": "RUNNING"})
    return ids


ALL = ["beating", "quiet", "step", "sweep", "trial-1", "trial-2"]


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        ({"name": {"regex": "^trial-[12]$"}}, ["trial-1", "trial-2"]),
        ({"name": {"regex": "IA"}}, []),
        ({"name": {"regex": "(?i)IA"}}, ["trial-1", "trial-2"]),
        ({"param": {"key": "lr", "regex": r"^0\.\d$"}}, ["trial-1"]),
        ({"experiment": {"regex": "^dig"}}, ALL),
        ({"experiment": {"regex": "^gid"}}, []),
        ({"stale": True}, ["quiet"]),
        ({"stale": False}, ["beating", "step", "sweep", "trial-1", "trial-2"]),
        ({"child": {}}, ["sweep", "trial-1"]),
        ({"child": {"status": {"eq": "FAILED"}}}, ["trial-1"]),
        ({"child": {"metric": {"name": "val/loss", "nonFinite": True}}}, ["sweep"]),
        ({"child": {"child": {"name": {"eq": "step"}}}}, ["sweep"]),
        ({"not": {"child": {}}}, ["beating", "quiet", "step", "trial-2"]),
        ({"ancestor": {"name": {"eq": "sweep"}}}, ["step", "trial-1", "trial-2"]),
        ({"ancestor": {"param": {"key": "lr", "gt": 0.05}}}, ["step"]),
        ({"ancestor": {"parent": {"eq": "sweep"}}, "name": {"contains": "st"}}, ["step"]),
        ({"child": {"experiment": {"in": ["digits"]}}}, ["sweep", "trial-1"]),
        ({"metric": {"name": "val/loss", "stat": "FIRST_NON_FINITE_STEP", "exists": True}}, ["trial-2"]),
        ({"metric": {"name": "val/loss", "stat": "MEAN", "in": [0.75]}}, ["trial-1"]),
        ({"metric": {"name": "val/loss", "stat": "COUNT", "notIn": [1.0]}}, ["trial-1", "trial-2"]),
        ({"status": {"notIn": ["RUNNING", "COMPLETED"]}, "kind": {"exists": False}}, ["step"]),
    ],
)
async def test_what_matches(api: Api, runs: dict[str, str], filter: Any, wanted: list[str]) -> None:
    assert await found(api, filter=filter) == wanted


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("", ALL),
        ("params.lr = 0.01 OR tags.team = 'Vision'", ["sweep", "trial-2"]),
        ("params.lr >= 0.01 AND NOT (min(metrics.val/loss) > 1)", ["trial-1"]),
        ("attributes.status = 'FINISHED' and metrics.`val/loss` < 1", ["trial-1"]),
        ("experiment = 'digits' AND parent = 'sweep'", ["trial-1", "trial-2"]),
        ("experiment ~ '^dig' AND ancestor(name LIKE 'trial%')", ["step"]),
        ("child(status = 'FAILED')", ["trial-1"]),
        ("stale = true", ["quiet"]),
        ("first_non_finite_step(metrics.val/loss) IS NOT NULL", ["trial-2"]),
        ("created_at < '2024-01-01'", ["quiet"]),
        ("created_at < 1700000000001", ["quiet"]),
        ("trashed = true", []),
    ],
)
async def test_a_filter_may_be_a_text(api: Api, runs: dict[str, str], where: str, wanted: list[str]) -> None:
    assert await found(api, where=where) == wanted


async def test_with_both_both_have_to_hold(api: Api, runs: dict[str, str]) -> None:
    assert await found(api, filter={"name": {"like": "trial%"}}, where="params.lr = 0.1") == ["trial-1"]


async def test_every_list_of_runs_takes_a_text(api: Api, runs: dict[str, str]) -> None:
    query = """query ($sweep: ID!) {
      workspace(name: "default") {
        runs(where: "name = 'step'") { totalCount }
        experiment(name: "digits") { runs(where: "name LIKE 'trial%'") { totalCount } }
      }
      run(id: $sweep) {
        children(where: "params.lr = 0.1") { totalCount }
        descendants(where: "name != 'step'") { totalCount }
      }
    }"""
    answer = await api.ask(query, sweep=runs["sweep"])
    assert answer["workspace"]["runs"]["totalCount"] == 1
    assert answer["workspace"]["experiment"]["runs"]["totalCount"] == 2
    assert answer["run"] == {"children": {"totalCount": 1}, "descendants": {"totalCount": 2}}


async def test_a_text_names_the_one_workspace_of_a_live_cursor(api: Api, runs: dict[str, str]) -> None:
    await api.create("alien", workspace="elsewhere")
    query = "query ($where: String) { runs(where: $where) { liveCursor } }"
    assert (await api.ask(query, where="workspace = 'default'"))["runs"]["liveCursor"]
    assert (await api.error(query, where="name = 'default'"))["extensions"]["field"] == "liveCursor"


async def test_errors_of_a_text_say_where(api: Api) -> None:
    error = await api.error(PAGE, where="metrics.loss < 1\nAND params.lr = high")
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "where", "line": 2, "column": 17}
    assert error["message"] == (
        "where, line 2, column 17: expected a 'text' in quotes or a number; found 'high'"
    )


async def test_errors_of_a_regular_expression_say_where(api: Api) -> None:
    error = await api.error(PAGE, filter={"or": [{"child": {"tag": {"key": "team", "regex": "a(?!b)"}}}]})
    assert error["extensions"] == {
        "code": "BAD_USER_INPUT", "field": "filter.or[0].child.tag.regex", "line": 1, "column": 2,
    }  # fmt: skip
    assert "look-around is not available" in error["message"]


@pytest.mark.parametrize(
    ("limits", "given", "field"),
    [
        (SchemaLimits(filter_text=5), {"where": "name = 'x'"}, "where"),
        (SchemaLimits(filter_depth=2), {"where": "NOT NOT NOT name = 'x'"}, "where"),
        (SchemaLimits(filter_depth=2), {"filter": {"child": {"ancestor": {}}}}, "filter.child.ancestor"),
        (SchemaLimits(filter_conditions=2), {"where": "name = 'x' AND name = 'y'"}, "where"),
        (SchemaLimits(filter_conditions=1), {"filter": {"name": {"eq": "x", "ne": "y"}}}, "filter"),
        (SchemaLimits(filter_list=1), {"filter": {"name": {"in": ["x", "y"]}}}, "filter.name.in"),
        (SchemaLimits(filter_list=1), {"where": "name IN ('x', 'y')"}, "where"),
        (SchemaLimits(filter_regex=2), {"filter": {"name": {"regex": "abc"}}}, "filter.name.regex"),
        (SchemaLimits(filter_regex=2), {"where": "name ~ 'abc'"}, "where"),
    ],
)
async def test_the_limits_are_settings(
    make_api: MakeApi, limits: SchemaLimits, given: Any, field: str
) -> None:
    error = await make_api(limits).error(PAGE, **given)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"] == field
    assert "limit" in error["message"] or "deeper" in error["message"] or "more than" in error["message"]


async def test_a_run_is_fresh_again_after_a_sign_of_life(api: Api, runs: dict[str, str]) -> None:
    await api.record(runs["quiet"], points=[{"metric": "loss", "values": [1.0]}])
    assert await found(api, filter={"stale": True}) == []


async def test_how_a_list_is_found(api: Api, runs: dict[str, str]) -> None:
    query = """query ($filter: RunFilter, $where: String) {
      explainRuns(filter: $filter, where: $where, orderBy: [{by: {field: NAME}}], first: 10) { filter steps seconds matching }
    }"""
    given = {"filter": {"param": {"key": "lr", "gt": 0.05}}, "where": "name ~ '^trial'"}
    plan = (await api.ask(query, **given))["explainRuns"]
    assert (
        plan["filter"] == "(params.lr > 0.05 AND name ~ '^trial') AND trashed_at IS NULL AND alias_of IS NULL"
    )
    assert any("bag_by_sort" in step for step in plan["steps"])
    assert plan["matching"] == 1
    assert 0 <= plan["seconds"] < 60
    # What was understood finds the same.
    assert await found(api, where=plan["filter"]) == ["trial-1"]
    assert (await api.error(query, where="name"))["extensions"]["field"] == "where"
