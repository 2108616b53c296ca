from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

SERIES = """
query ($id: ID!, $x: Axis, $y: String, $points: Int! = 1000, $from: Float, $to: Float, $name: String! = "loss") {
  run(id: $id) { metric(name: $name) { series(x: $x, y: $y, points: $points, from: $from, to: $to) {
    x y at exact total restartAt } } }
}
"""


@pytest.fixture
async def run(api: Api) -> str:
    id = await api.create("r1", createdAt="1970-01-01T00:00:05Z")
    loss = {
        "metric": "loss",
        "values": [3, "NaN", 1, 2],
        "steps": [0, 10, 20, 10],
        "at": [10, 11.000001, 12, 13],
    }
    pr = {
        "metric": "pr",
        "columns": [
            {"name": "precision", "values": [0.5, 0.9]},
            {"name": "recall", "values": [0.8, None]},
            {"name": "note", "values": ["a", None]},
        ],
        "at": [10, 11],
    }
    await api.record(id, points=[loss], rows=[pr])
    return id


async def curve(api: Api, id: str, **options: Any) -> Any:
    return (await api.ask(SERIES, id=id, **options))["run"]["metric"]["series"]


async def test_a_curve(api: Api, run: str) -> None:
    assert await curve(api, run, x={"by": "STEP"}) == {
        "x": [0, 10, 10, 20],
        "y": [3.0, "NaN", 2.0, 1.0],
        "at": [10.0, 11.000001, 13.0, 12.0],
        "exact": True,
        "total": 4.0,
        "restartAt": [3],
    }


@pytest.mark.parametrize(
    ("options", "x"),
    [
        ({"x": {"by": "INDEX"}}, [0, 1, 2, 3]),
        ({"x": {"by": "INDEX"}, "from": 1, "to": 2}, [1, 2]),
        ({"x": {"by": "TIME"}, "from": 11.5}, [12.0, 13.0]),
        ({"x": {"by": "RELATIVE_TIME"}}, [5.0, 6.000001, 7.0, 8.0]),
        ({"x": {"by": "STEP"}, "from": 5, "to": 15}, [10, 10]),
        ({"name": "pr", "x": {"column": "recall"}, "y": "precision"}, [0.8, "NaN"]),
    ],
)
async def test_axes_and_ranges(api: Api, run: str, options: Any, x: Any) -> None:
    assert (await curve(api, run, **options))["x"] == x


async def test_steps_are_the_axis_unless_another_is_given(api: Api, run: str) -> None:
    query = 'query ($id: ID!) { run(id: $id) { metric(name: "loss") { series { x } } } }'
    assert (await api.ask(query, id=run))["run"]["metric"]["series"]["x"] == [0, 10, 10, 20]


async def test_the_summary_and_the_chart(api: Api, run: str) -> None:
    query = """query ($id: ID!) { run(id: $id) { loss: metric(name: "loss") { ...all } pr: metric(name: "pr") { ...all } none: metric(name: "x") { id } } }
    fragment all on Metric { name kind chart chartColumns columns { name type } run { name } summary {
      count last min max mean minStep maxStep firstStep lastStep lastAt nonFinite firstNonFiniteStep } }"""
    found = (await api.ask(query, id=run))["run"]
    assert found["loss"] == {
        "name": "loss", "kind": "SCALAR", "chart": "SINGLE_LINE", "chartColumns": ["value"],
        "columns": [{"name": "value", "type": "FLOAT"}], "run": {"name": "r1"},
        "summary": {
            "count": 4.0, "last": 2.0, "min": 1.0, "max": 3.0, "mean": 2.0, "minStep": 20.0, "maxStep": 0.0, "firstStep": 0.0,
            "lastStep": 10.0, "lastAt": "1970-01-01T00:00:13.000000Z", "nonFinite": 1, "firstNonFiniteStep": 10.0,
        },
    }  # fmt: skip
    assert (found["pr"]["kind"], found["pr"]["chart"], found["none"]) == ("ROW", "TABLE", None)
    assert found["pr"]["chartColumns"] == ["precision", "recall", "note"]


async def test_rows_a_page_at_a_time(api: Api, run: str) -> None:
    query = """query ($id: ID!, $name: String!, $first: Int!, $after: String) { run(id: $id) { metric(name: $name) {
      rows(first: $first, after: $after) { start steps at totalCount columns { name type values }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }"""
    rows = (await api.ask(query, id=run, name="pr", first=10))["run"]["metric"]["rows"]
    assert rows["columns"] == [
        {"name": "precision", "type": "FLOAT", "values": [0.5, 0.9]},
        {"name": "recall", "type": "FLOAT", "values": [0.8, "NaN"]},
        {"name": "note", "type": "TEXT", "values": ["a", None]},
    ]
    assert (rows["steps"], rows["at"], rows["totalCount"]) == (None, [10.0, 11.0], 2.0)
    first = (await api.ask(query, id=run, name="loss", first=3))["run"]["metric"]["rows"]
    assert (first["start"], first["steps"], first["pageInfo"]["hasNextPage"]) == (0.0, [0, 10, 20], True)
    rest = await api.ask(query, id=run, name="loss", first=3, after=first["pageInfo"]["endCursor"])
    rows = rest["run"]["metric"]["rows"]
    assert (rows["start"], rows["steps"], rows["columns"][0]["values"]) == (3.0, [10], [2.0])
    assert (rows["pageInfo"]["hasNextPage"], rows["pageInfo"]["hasPreviousPage"]) == (False, True)
    error = await api.error(query, id=run, name="pr", first=3, after=first["pageInfo"]["endCursor"])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


async def test_rows_that_have_a_step_and_rows_that_have_none(api: Api, run: str) -> None:
    await api.record(run, points=[{"metric": "m", "values": [1], "steps": [7]}])
    await api.record(run, points=[{"metric": "m", "values": [2]}])
    query = 'query ($id: ID!) { run(id: $id) { metric(name: "m") { rows { steps } series { x } } } }'
    found = (await api.ask(query, id=run))["run"]["metric"]
    # A row without a step has its row number on the axis.
    assert found["rows"]["steps"] in ([7, None], [7.0, None])
    assert found["series"]["x"] in ([1, 7], [1.0, 7.0])


async def test_metrics_of_a_run(api: Api, run: str) -> None:
    query = """query ($id: ID!, $names: [String!], $contains: String, $nonFinite: Boolean, $orderBy: MetricOrder! = NAME, $after: String) {
      run(id: $id) { metrics(names: $names, contains: $contains, nonFinite: $nonFinite, orderBy: $orderBy, first: 1, after: $after) {
        nodes { name } totalCount pageInfo { hasNextPage endCursor } } } }"""

    async def names(**options: Any) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            page = (await api.ask(query, id=run, after=after, **options))["run"]["metrics"]
            found += [metric["name"] for metric in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                assert page["totalCount"] == len(found)
                return found

    await api.record(run, points=[{"metric": "acc", "values": [1], "at": [99]}])
    assert await names() == ["acc", "loss", "pr"]
    assert await names(orderBy="LAST_AT") == ["acc", "loss", "pr"]
    assert await names(orderBy="FIRST_NON_FINITE_STEP") == ["loss", "acc", "pr"]
    assert await names(names=["pr", "acc"]) == ["acc", "pr"]
    assert await names(contains="O") == ["loss"]
    assert await names(nonFinite=False) == ["acc", "pr"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"points": 3}, "points"),
        ({"points": 1_000_001}, "points"),
        ({"from": 2, "to": 1}, "from"),
        ({"y": "nope"}, "y"),
        ({"name": "pr", "y": "note"}, "y"),
        ({"name": "pr", "x": {"column": "note"}}, "x"),
    ],
)
async def test_bad_questions_name_the_argument(api: Api, run: str, options: Any, field: str) -> None:
    error = await api.error(SERIES, id=run, **options)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    assert error["path"][-1] == "series"


async def test_an_axis_is_one_thing(api: Api, run: str) -> None:
    error = await api.error(SERIES, id=run, x={"by": "STEP", "column": "value"})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "'Axis'" in error["message"]


async def test_a_thinned_curve_says_so(api: Api, run: str) -> None:
    await api.record(run, points=[{"metric": "big", "values": [float(n % 97) for n in range(5000)]}])
    found = await curve(api, run, name="big", points=100)
    assert (found["exact"], found["total"]) == (False, 5000.0)
    assert len(found["x"]) == len(found["y"]) == len(found["at"]) <= 100
    assert (max(found["y"]), min(found["y"])) == (96.0, 0.0)


async def test_limits_are_settings(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(points=10, rows=5))
    id = await api.create("r1")
    await api.record(id, points=[{"metric": "loss", "values": [1]}])
    error = await api.error(SERIES, id=id, points=11)
    assert "between 4 and 10" in error["message"]
    error = await api.error(
        'query ($id: ID!) { run(id: $id) { metric(name: "loss") { rows(first: 6) { start } } } }', id=id
    )
    assert error["extensions"]["field"] == "first"
