from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest

from graphql_runs.model import ids
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.scalars import decode_json, encode_json
from tests.schema.conftest import Api, MakeApi

PAGE = """
query ($filter: RunFilter, $orderBy: [RunOrder!], $first: Int! = 50, $after: String) {
  runs(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    edges { cursor node { name } }
    nodes { name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
BY_NAME = [{"by": {"field": "NAME"}}]


def names(answer: Any) -> list[str]:
    return [run["name"] for run in answer["runs"]["nodes"]]


@pytest.fixture
async def runs(api: Api) -> dict[str, str]:
    """A sweep with three children in workspace `default`, and one run elsewhere; server ids by name."""
    sweep = await api.create("sweep", kind="sweep", status={"status": "RUNNING"})
    found = {"sweep": sweep}
    for number, status in enumerate(("COMPLETED", "FAILED", "QUEUED")):
        found[f"child{number}"] = await api.create(
            f"child{number}",
            parent=sweep,
            cluster="gpu",
            status={"status": status},
            params=[{"key": "lr", "value": str(0.1 * (number + 1))}, {"key": "opt", "value": "sgd"}],
            tags=[{"key": "team", "value": "Vision"}],
        )
        await api.record(
            found[f"child{number}"], points=[{"metric": "loss", "values": [3.0, [1.0, "NaN", 2.0][number]]}]
        )
    found["alien"] = await api.create("alien", workspace="elsewhere", experiment="letters")
    return found


async def test_pages_join_to_the_list(api: Api, runs: dict[str, str]) -> None:
    found: list[str] = []
    after = None
    while True:
        page = (await api.ask(PAGE, orderBy=BY_NAME, first=2, after=after))["runs"]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        found += [run["name"] for run in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == ["alien", "child0", "child1", "child2", "sweep"]


async def test_the_newest_come_first(api: Api, runs: dict[str, str]) -> None:
    assert names(await api.ask(PAGE))[0] == "alien"


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        ({}, ["alien", "child0", "child1", "child2", "sweep"]),
        ({"parent": {"exists": False}}, ["alien", "sweep"]),
        ({"parent": {"eq": "sweep"}}, ["child0", "child1", "child2"]),
        ({"root": {"eq": "sweep"}, "depth": {"gt": 0}}, ["child0", "child1", "child2"]),
        ({"workspace": {"eq": "elsewhere"}}, ["alien"]),
        ({"experiment": {"in": ["letters", "nothing"]}}, ["alien"]),
        ({"experiment": {"ne": "letters"}}, ["child0", "child1", "child2", "sweep"]),
        ({"experiment": {"like": "lett%"}}, ["alien"]),
        ({"cluster": {"contains": "GP"}}, ["child0", "child1", "child2"]),
        ({"status": {"class": ["TERMINAL"]}}, ["child0", "child1"]),
        ({"status": {"class": "ACTIVE"}}, ["sweep"]),
        ({"status": {"in": ["FAILED", "QUEUED"]}}, ["child1", "child2"]),
        ({"status": {"ne": "RUNNING"}, "kind": {"exists": True}}, []),
        ({"name": {"like": "child_"}, "not": {"name": {"eq": "child1"}}}, ["child0", "child2"]),
        ({"or": [{"name": {"eq": "alien"}}, {"runId": {"eq": "child0"}}]}, ["alien", "child0"]),
        ({"and": [{"name": {"contains": "CHILD"}}, {"param": {"key": "lr", "gte": 0.2}}]}, ["child1", "child2"]),
        ({"param": {"key": "opt", "eq": "sgd"}, "tag": {"key": "team", "ilike": "vis%"}}, ["child0", "child1", "child2"]),
        ({"param": {"key": "opt", "lt": 3}}, []),
        ({"property": {"key": "x", "exists": False}, "tag": {"key": "team", "exists": True}}, ["child0", "child1", "child2"]),
        ({"metric": {"name": "loss", "lt": 1.5}}, ["child0"]),
        ({"metric": {"name": "loss", "stat": "MIN", "gte": 2}}, ["child1", "child2"]),
        ({"metric": {"name": "loss", "nonFinite": True}}, ["child1"]),
        ({"metric": {"name": "loss", "nonFinite": False}, "depth": {"eq": 1}}, ["child0", "child2"]),
        ({"metric": {"name": "loss", "exists": False}}, ["alien", "child1", "sweep"]),
        ({"createdAt": {"gt": "2020-01-01T00:00:00Z", "lt": "2020-01-02T00:00:00Z"}}, []),
        ({"duration": {"exists": True}}, ["child0", "child1"]),
        ({"number": {"in": [1]}}, ["alien", "sweep"]),
        ({"or": []}, []),
        ({"and": []}, ["alien", "child0", "child1", "child2", "sweep"]),
    ],
)  # fmt: skip
async def test_filters(api: Api, runs: dict[str, str], filter: Any, wanted: list[str]) -> None:
    assert names(await api.ask(PAGE, filter=filter, orderBy=BY_NAME)) == wanted


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ([{"by": {"metric": {"name": "loss", "stat": "MIN"}}}], ["child0", "child2", "child1"]),
        (
            [{"by": {"metric": {"name": "loss", "stat": "MIN"}}, "direction": "DESC"}],
            ["child1", "child2", "child0"],
        ),
        ([{"by": {"param": "lr"}, "direction": "DESC"}], ["child2", "child1", "child0"]),
        (
            [{"by": {"tag": "team"}}, {"by": {"field": "NAME"}, "direction": "DESC"}],
            ["child2", "child1", "child0"],
        ),
        ([{"by": {"field": "ENDED_AT"}, "nulls": "FIRST"}], ["child2", "child0", "child1"]),
    ],
)
async def test_orders(api: Api, runs: dict[str, str], order: Any, wanted: list[str]) -> None:
    assert names(await api.ask(PAGE, filter={"depth": {"eq": 1}}, orderBy=order)) == wanted


async def test_a_filter_takes_the_ids_of_the_server_too(api: Api, runs: dict[str, str]) -> None:
    filter = {"parent": {"in": [runs["sweep"]]}, "workspace": {"eq": ids.workspace_id("default")}}
    assert names(await api.ask(PAGE, filter=filter, orderBy=BY_NAME)) == ["child0", "child1", "child2"]


async def test_counts_are_of_the_whole_list(api: Api, runs: dict[str, str]) -> None:
    query = "{ runs(first: 1, filter: {depth: {eq: 1}}) { totalCount statusCounts { status count } nodes { id } } }"
    found = (await api.ask(query))["runs"]
    assert found["totalCount"] == 3
    assert found["statusCounts"] == [
        {"status": "QUEUED", "count": 1},
        {"status": "COMPLETED", "count": 1},
        {"status": "FAILED", "count": 1},
    ]
    assert len(found["nodes"]) == 1


async def test_counts_are_not_made_unless_asked_for(
    api: Api, runs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(api.store, "count_runs", refuse)
    monkeypatch.setattr(api.store, "count_statuses", refuse)
    monkeypatch.setattr(api.store, "hint_end", refuse)
    assert len(names(await api.ask(PAGE))) == 5


async def test_lists_of_one_owner(api: Api, runs: dict[str, str]) -> None:
    query = """
    query ($id: ID!) {
      workspace(name: "default") { runs(first: 9) { totalCount } }
      experiment: workspace(name: "elsewhere") { experiment(name: "letters") { runs { nodes { name } } } }
      run(id: $id) {
        children(orderBy: [{by: {field: NAME}}], filter: {status: {class: TERMINAL}}) { nodes { name } }
        descendants { totalCount }
      }
      compute: workspace(name: "default") {
        cluster(name: "gpu") { unfinished: runs { nodes { name } } all: runs(classes: []) { totalCount } ended: runs(classes: [TERMINAL]) { totalCount } }
      }
    }
    """
    found = await api.ask(query, id=runs["sweep"])
    assert found["workspace"]["runs"]["totalCount"] == 4
    assert found["experiment"]["experiment"]["runs"]["nodes"] == [{"name": "alien"}]
    assert [run["name"] for run in found["run"]["children"]["nodes"]] == ["child0", "child1"]
    assert found["run"]["descendants"]["totalCount"] == 3
    cluster = found["compute"]["cluster"]
    assert cluster["unfinished"]["nodes"] == [{"name": "child2"}]
    assert (cluster["all"]["totalCount"], cluster["ended"]["totalCount"]) == (3, 2)


async def test_descendants_are_at_any_depth(api: Api, runs: dict[str, str]) -> None:
    await api.create("grandchild", parent=runs["child0"])
    query = """query ($id: ID!) { run(id: $id) {
      descendants(orderBy: [{by: {field: NAME}}]) { nodes { name depth parent { name } root { name } } } } }"""
    found = (await api.ask(query, id=runs["sweep"]))["run"]["descendants"]["nodes"]
    assert [run["name"] for run in found] == ["child0", "child1", "child2", "grandchild"]
    assert found[3] == {
        "name": "grandchild",
        "depth": 2,
        "parent": {"name": "child0"},
        "root": {"name": "sweep"},
    }
    below = (await api.ask(query, id=runs["child0"]))["run"]["descendants"]["nodes"]
    assert [run["name"] for run in below] == ["grandchild"]


async def test_metrics_by_name_are_read_once_for_a_page(
    api: Api, runs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    get = api.store.get

    async def counted(kind: Any, ids: Any) -> Any:
        reads.append((kind.__name__, len(ids)))
        return await get(kind, ids)

    monkeypatch.setattr(api.store, "get", counted)
    query = """query ($name: String!) { runs(filter: {depth: {eq: 1}}) { nodes {
      a: metric(name: $name) { summary { last } } b: metric(name: "none") { id } experiment { name workspace { name } } } } }"""
    found = (await api.ask(query, name="loss"))["runs"]["nodes"]
    assert sorted(str(run["a"]["summary"]["last"]) for run in found) == ["1.0", "2.0", "NaN"]
    assert [run["b"] for run in found] == [None] * 3
    assert sorted(reads) == [("Experiment", 1), ("Metric", 6), ("Workspace", 1)]


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"first": 101}, "first"),
        ({"first": -1}, "first"),
        ({"after": "nonsense"}, "after"),
        ({"orderBy": [{"by": {"field": "NAME"}}] * 9}, "orderBy"),
        ({"orderBy": [{"by": {"param": ""}}]}, "orderBy"),
        ({"filter": {"parent": {"like": "x%"}}}, "parent"),
        ({"filter": {"name": {"in": ["x"] * 1001}}}, "filter.name.in"),
        ({"filter": {"and": [{"not": {"name": {"notIn": ["x"] * 1001}}}]}}, "filter.and[0].not.name.notIn"),
        ({"filter": {"or": [{"name": {"eq": "x"}}] * 501}}, "filter"),
    ],
)
async def test_bad_questions_name_the_argument(api: Api, variables: Any, field: str) -> None:
    error = await api.error(PAGE, **variables)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    assert error["path"] == ["runs"]


async def test_a_filter_may_not_be_nested_without_end(api: Api) -> None:
    deep: dict[str, Any] = {"name": {"eq": "x"}}
    for _ in range(16):
        deep = {"not": deep}
    error = await api.error(PAGE, filter=deep)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "16 levels" in error["message"]


async def test_cursors_of_other_lists_are_refused(api: Api, runs: dict[str, str]) -> None:
    page = (await api.ask(PAGE, first=1))["runs"]["pageInfo"]
    error = await api.error(PAGE, first=1, after=page["endCursor"], orderBy=BY_NAME)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}
    live = (await api.ask('{ workspace(name: "default") { runs { liveCursor } } }'))["workspace"]["runs"][
        "liveCursor"
    ]
    error = await api.error(PAGE, after=live)
    assert "liveCursor" in error["message"]


async def test_the_live_cursor_of_a_list_needs_one_workspace(api: Api, runs: dict[str, str]) -> None:
    error = await api.error("{ runs { liveCursor } }")
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "liveCursor"}
    one = await api.ask(
        '{ runs(filter: {workspace: {eq: "default"}}) { liveCursor } workspace(name: "default") { runs { liveCursor } } }'
    )
    assert one["runs"]["liveCursor"] == one["workspace"]["runs"]["liveCursor"]


async def test_an_empty_list(api: Api) -> None:
    found = (await api.ask(PAGE))["runs"]
    assert found["nodes"] == []
    assert found["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_the_size_of_a_page_is_a_setting(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(page=2))
    error = await api.error("{ runs(first: 3) { nodes { id } } }")
    assert "between 0 and 2" in error["message"]


async def test_pages_go_on_after_an_infinite_value(api: Api) -> None:
    for name, value in (("a", "Infinity"), ("b", 1.0), ("c", "-Infinity"), ("d", "NaN"), ("e", 2.0)):
        await api.record(await api.create(name), points=[{"metric": "loss", "values": [value]}])
    order = [{"by": {"metric": {"name": "loss"}}}]
    found: list[str] = []
    info = {"endCursor": None, "hasNextPage": True}
    while info["hasNextPage"]:
        page = (await api.ask(PAGE, orderBy=order, first=1, after=info["endCursor"]))["runs"]
        found += [run["name"] for run in page["nodes"]]
        info = page["pageInfo"]
    assert found == ["c", "b", "e", "a", "d"]


@pytest.mark.parametrize("values", [[{}], [[1]], [["x"]], [], ["a", "b"]])
async def test_cursors_that_somebody_made_up_are_refused(api: Api, values: Any) -> None:
    await api.create("a")
    real = (await api.ask(PAGE, orderBy=BY_NAME))["runs"]["pageInfo"]["endCursor"]
    parts = decode_json(urlsafe_b64decode(real + "=="))
    forged = urlsafe_b64encode(encode_json([*parts[:3], values, parts[4]])).decode()
    error = await api.error(PAGE, orderBy=BY_NAME, after=forged)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}
