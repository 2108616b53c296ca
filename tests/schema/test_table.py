from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

TABLE = """
query ($columns: [RunColumn!]!, $groupBy: GroupBy, $filter: RunFilter, $where: String, $orderBy: [RunOrder!],
       $first: Int! = 100, $after: String, $offset: Int! = 0) {
  runTable(columns: $columns, groupBy: $groupBy, filter: $filter, where: $where, orderBy: $orderBy, first: $first,
           after: $after, offset: $offset) {
    ids groups totalCount
    columns { key label type values spread }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
LOSSES: list[list[Any]] = [[3, 1], [2, "NaN"], ["Infinity"], [4], []]
RATES = ["0.1", "1e-1", "0.5", "0.5", None]
BY_NAME = [{"by": {"field": "NAME"}}]
NAME: list[dict[str, Any]] = [{"field": "NAME"}]


@pytest.fixture
async def runs(api: Api) -> list[str]:
    """Five runs of a sweep with rates, seeds and losses; server ids."""
    found = []
    for number, (rate, loss) in enumerate(zip(RATES, LOSSES, strict=True)):
        params = [{"key": "seed", "value": str(number)}]
        params += [{"key": "lr", "value": rate}] if rate is not None else []
        id = await api.create(
            f"r{number}",
            createdAt=f"2026-01-0{number + 1}T00:00:00Z",
            cluster="gpu" if number % 2 else None,
            params=params,
            tags=[{"key": "team", "value": "a" if number < 3 else "b"}],
            status={"status": "RUNNING"},
        )
        if loss:
            await api.record(id, points=[{"metric": "loss", "values": loss}])
        found.append(id)
    return found


async def table(api: Api, columns: Any, **variables: Any) -> Any:
    return (await api.ask(TABLE, columns=columns, **variables))["runTable"]


def values(found: Any) -> dict[str, Any]:
    return {column["key"]: column["values"] for column in found["columns"]}


async def test_columns_of_every_kind(api: Api, runs: list[str]) -> None:
    columns = [
        {"field": "NAME"},
        {"field": "STATUS"},
        {"field": "CREATED_AT"},
        {"field": "STALE"},
        {"field": "EXPERIMENT"},
        {"field": "CLUSTER"},
        {"field": "PARENT"},
        {"param": "lr"},
        {"tag": "team"},
        {"property": "nothing"},
        {"metric": {"name": "loss"}},
        {"metric": {"name": "loss", "stat": "MIN"}},
    ]
    found = await table(api, columns, orderBy=BY_NAME)
    assert found["ids"] == runs
    assert (found["groups"], found["totalCount"]) == (None, 5)
    assert [(one["key"], one["label"], one["type"], one["values"]) for one in found["columns"]] == [
        ("name", "name", "TEXT", ["r0", "r1", "r2", "r3", "r4"]),
        ("status", "status", "STATUS", ["RUNNING"] * 5),
        ("created_at", "created at", "TIME", [1767225600.0 + 86400 * day for day in range(5)]),
        ("stale_at", "stale", "BOOLEAN", [False] * 5),
        ("experiment", "experiment", "TEXT", ["digits"] * 5),
        ("cluster", "cluster", "TEXT", [None, "gpu", None, "gpu", None]),
        ("parent", "parent", "TEXT", [None] * 5),
        ("params.lr", "lr", "NUMBER", [0.1, 0.1, 0.5, 0.5, None]),
        ("tags.team", "team", "TEXT", ["a", "a", "a", "b", "b"]),
        ("properties.nothing", "nothing", "TEXT", [None] * 5),
        ("metrics.loss", "loss", "NUMBER", [1, "NaN", "Infinity", 4, None]),
        ("min(metrics.loss)", "loss (min)", "NUMBER", [1, 2, None, 4, None]),
    ]
    assert all(column["spread"] is None for column in found["columns"])


async def test_a_table_says_what_runs_say_one_by_one(api: Api, runs: list[str]) -> None:
    columns = [{"field": "DURATION"}, {"field": "NUMBER"}, {"metric": {"name": "loss", "stat": "MEAN"}}]
    found = values(await table(api, columns, orderBy=BY_NAME))
    query = '{ run(id: $id) { duration number metric(name: "loss") { summary { mean } } } }'
    for place, id in enumerate(runs):
        run = (await api.ask(f"query ($id: ID!) {query}", id=id))["run"]
        mean = None if run["metric"] is None else run["metric"]["summary"]["mean"]
        assert [column[place] for column in found.values()] == [run["duration"], run["number"], mean]


async def test_pages_join_to_the_table(api: Api, runs: list[str]) -> None:
    shown: list[str] = []
    after = None
    while True:
        page = await table(api, NAME, orderBy=BY_NAME, first=2, after=after)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        shown += page["ids"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert shown == runs


@pytest.mark.parametrize("offset", range(7))
async def test_a_jump_into_the_middle(api: Api, runs: list[str], offset: int) -> None:
    page = await table(api, NAME, orderBy=BY_NAME, first=2, offset=offset)
    assert page["ids"] == runs[offset : offset + 2]
    assert page["pageInfo"]["hasPreviousPage"] is (offset > 0)
    assert page["pageInfo"]["hasNextPage"] is (offset + 2 < 5)


async def test_a_cursor_of_a_table_is_one_of_the_list(api: Api, runs: list[str]) -> None:
    end = (await table(api, NAME, orderBy=BY_NAME, first=2))["pageInfo"]["endCursor"]
    query = "query ($after: String) { runs(orderBy: [{by: {field: NAME}}], after: $after) { nodes { id } } }"
    assert [run["id"] for run in (await api.ask(query, after=end))["runs"]["nodes"]] == runs[2:]


async def test_filters_as_in_lists(api: Api, runs: list[str]) -> None:
    assert (await table(api, NAME, filter={"param": {"key": "lr", "gte": 0.5}}, orderBy=BY_NAME))[
        "ids"
    ] == runs[2:4]
    assert (await table(api, NAME, where="params.lr < 0.5", orderBy=BY_NAME))["ids"] == runs[:2]


async def test_tables_of_a_workspace_and_an_experiment(api: Api, runs: list[str]) -> None:
    await api.create("alien", experiment="letters")
    query = """{ workspace(name: "default") {
      runTable(columns: [{field: NAME}], orderBy: [{by: {field: NAME}}]) { columns { values } liveCursor }
      experiment(name: "letters") { runTable(columns: [{field: NAME}]) { columns { values } liveCursor } } } }"""
    found = (await api.ask(query))["workspace"]
    assert found["runTable"]["columns"] == [{"values": ["alien", "r0", "r1", "r2", "r3", "r4"]}]
    assert found["experiment"]["runTable"]["columns"] == [{"values": ["alien"]}]
    follow = 'subscription ($after: String) { runs(workspace: "default", after: $after) { reset changed { name } } }'
    stream = api.follow(follow, after=found["runTable"]["liveCursor"])
    await api.create("newcomer")
    update = (await anext(stream))["data"]["runs"]
    assert (update["reset"], update["changed"]) == (False, [{"name": "newcomer"}])
    await stream.aclose()


async def test_groups(api: Api, runs: list[str]) -> None:
    columns = [{"metric": {"name": "loss"}}, {"param": "seed"}, {"tag": "team"}, {"param": "lr"}]
    found = await table(
        api, columns, groupBy={"columns": [{"param": "lr"}]}, orderBy=[{"by": {"param": "lr"}}]
    )
    assert found["groups"] == [[runs[1], runs[0]], [runs[3], runs[2]], [runs[4]]]
    assert found["ids"] == [runs[1], runs[3], runs[4]]
    assert found["totalCount"] == 3
    assert [(one["key"], one["values"], one["spread"]) for one in found["columns"]] == [
        ("params.lr", [0.1, 0.5, None], None),
        ("metrics.loss", [1.0, 4.0, None], [None, None, None]),
        ("params.seed", [0.5, 2.5, 4.0], [pytest.approx(0.5**0.5), pytest.approx(0.5**0.5), None]),
        ("tags.team", ["a", None, "b"], None),
    ]


async def test_groups_by_all_params_but_some(api: Api, runs: list[str]) -> None:
    found = await table(api, NAME, groupBy={"allParamsExcept": ["seed"]})
    assert found["groups"] == [[runs[4]], [runs[3], runs[2]], [runs[1], runs[0]]]
    assert values(found) == {"params.lr": [None, 0.5, 0.1], "name": ["r4", None, None]}
    alone = await table(api, NAME, groupBy={"allParamsExcept": []})
    assert len(alone["groups"]) == 5


async def test_groups_are_sorted_by_what_they_come_to(api: Api, runs: list[str]) -> None:
    order = [{"by": {"metric": {"name": "loss", "stat": "MAX"}}, "direction": "DESC", "nulls": "FIRST"}]
    found = await table(api, [], groupBy={"columns": [{"param": "lr"}]}, orderBy=order)
    # Of the largest losses 3 and 2 the mean is 2.5; the infinite one has no largest.
    assert [len(group) for group in found["groups"]] == [1, 2, 2]
    assert found["ids"] == [runs[4], runs[3], runs[1]]


async def test_pages_of_groups(api: Api, runs: list[str]) -> None:
    options: dict[str, Any] = {"groupBy": {"columns": [{"param": "lr"}]}, "first": 2}
    page = await table(api, NAME, **options)
    rest = await table(api, NAME, after=page["pageInfo"]["endCursor"], **options)
    assert [*page["ids"], *rest["ids"]] == [runs[4], runs[3], runs[1]]
    assert (page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert (await table(api, NAME, offset=2, **options))["ids"] == [runs[1]]


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"first": 0}, "first"),
        ({"first": 1001}, "first"),
        ({"offset": -1}, "offset"),
        ({"offset": 1, "after": "x"}, "offset"),
        ({"after": "x"}, "after"),
        ({"groupBy": {"columns": []}}, "groupBy.columns"),
        ({"orderBy": [{"by": {"field": "CLUSTER"}}]}, "orderBy"),
        ({"columns": [{"param": ""}]}, "columns"),
        ({"columns": [{"param": str(number)} for number in range(101)]}, "columns"),
    ],
)
async def test_what_is_wrong_is_named(
    api: Api, runs: list[str], variables: dict[str, Any], field: str
) -> None:
    error = await api.error(TABLE, **{"columns": NAME, **variables})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_groups_of_too_many_runs_or_params_fail(make_api: MakeApi, runs: list[str]) -> None:
    few = make_api(SchemaLimits(group_runs=4))
    error = await few.error(TABLE, columns=NAME, groupBy={"columns": [{"param": "lr"}]})
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "groupBy"}
    narrow = make_api(SchemaLimits(table_columns=1))
    error = await narrow.error(TABLE, columns=[], groupBy={"allParamsExcept": []})
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "groupBy"}


async def test_a_table_costs_by_its_cells(make_api: MakeApi, runs: list[str]) -> None:
    small = make_api(SchemaLimits(cost=120))
    assert (await small.ask(TABLE, columns=NAME * 1, first=100))["runTable"]["ids"]
    for variables in (
        {"columns": NAME * 50, "first": 100},
        {"columns": NAME, "groupBy": {"allParamsExcept": []}},
    ):
        error = await small.error(TABLE, **variables)
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["cost"] > 120
