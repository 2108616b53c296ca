from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

COMPARE = """
query ($runs: [ID!], $filter: RunFilter, $where: String, $metrics: [String!]! = ["loss"], $x: Axis = {by: STEP},
       $points: Int! = 100, $from: Float, $to: Float, $groupBy: GroupBy, $aggregate: [Aggregate!]! = [MEAN]) {
  compare(runs: $runs, filter: $filter, where: $where, metrics: $metrics, x: $x, points: $points, from: $from, to: $to,
          groupBy: $groupBy, aggregate: $aggregate) {
    metric ids group { key value number } x curves { of y } exact total
  }
}
"""


@pytest.fixture
async def runs(api: Api) -> list[str]:
    """Two repetitions of one experiment, and another; server ids."""
    found = []
    for name, lr, values in (("a", "0.1", [1, "NaN", 3]), ("b", "0.1", [3, 5]), ("c", "0.2", [7])):
        params = [{"key": "lr", "value": lr}, {"key": "seed", "value": name}]
        id = await api.create(name, params=params)
        points = {"metric": "loss", "values": values, "steps": [10 * place for place in range(len(values))]}
        seen = {
            "metric": "seen",
            "values": [1 + place for place in range(len(values))],
            "steps": points["steps"],
        }
        await api.record(id, points=[points, seen])
        found.append(id)
    return found


async def compared(api: Api, **variables: Any) -> Any:
    return (await api.ask(COMPARE, **variables))["compare"]


async def test_curves_of_runs(api: Api, runs: list[str]) -> None:
    found = await compared(api, runs=["b", runs[0]])
    assert [one["ids"] for one in found] == [[runs[1]], [runs[0]]]
    assert found[1] == {
        "metric": "loss",
        "ids": [runs[0]],
        "group": [],
        "x": [0, 10, 20],
        "curves": [{"of": None, "y": [1.0, "NaN", 3.0]}],
        "exact": True,
        "total": 3.0,
    }


async def test_curves_of_groups(api: Api, runs: list[str]) -> None:
    found = await compared(
        api, filter={}, groupBy={"allParamsExcept": ["seed"]}, aggregate=["MEAN", "STD", "COUNT"]
    )
    assert [sorted(one["ids"]) for one in found] == [[runs[2]], sorted(runs[:2])]
    assert found[1] == {
        "metric": "loss",
        "ids": [runs[1], runs[0]],
        "group": [{"key": "lr", "value": "0.1", "number": 0.1}],
        "x": [0, 10, 20],
        "curves": [
            {"of": "MEAN", "y": [2.0, 5.0, 3.0]},
            {"of": "STD", "y": [pytest.approx(2**0.5), None, None]},
            {"of": "COUNT", "y": [2.0, 1.0, 1.0]},
        ],
        "exact": True,
        "total": 3.0,
    }


async def test_a_filter_as_text_and_a_range(api: Api, runs: list[str]) -> None:
    [found] = await compared(api, where="params.seed = 'b'", **{"from": 5})
    assert (found["ids"], found["x"]) == ([runs[1]], [10])


async def test_over_another_metric(api: Api, runs: list[str]) -> None:
    [found] = await compared(api, runs=[runs[1]], x={"metric": "seen"})
    assert (found["x"], found["curves"][0]["y"]) == ([1, 2], [3.0, 5.0])
    query = (
        """query ($id: ID!, $x: Axis) { run(id: $id) { metric(name: "loss") { series(x: $x) { x y } } } }"""
    )
    answer = await api.ask(query, id=runs[1], x={"metric": "seen"})
    assert answer["run"]["metric"]["series"] == {"x": [1, 2], "y": [3.0, 5.0]}
    error = await api.error(query, id=runs[1], x={"metric": "nothing"})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "x.metric"}


@pytest.mark.parametrize(
    ("variables", "code", "field"),
    [
        ({}, "BAD_USER_INPUT", "runs"),
        ({"runs": ["a"], "filter": {}}, "BAD_USER_INPUT", "runs"),
        ({"runs": ["nobody"]}, "NOT_FOUND", "runs"),
        ({"filter": {}, "points": 3}, "BAD_USER_INPUT", "points"),
        ({"filter": {}, "metrics": [str(number) for number in range(21)]}, "BAD_USER_INPUT", "metrics"),
        ({"filter": {}, "x": {"column": "depth"}}, "BAD_USER_INPUT", "x"),
        ({"filter": {}, "aggregate": [], "groupBy": {"allParamsExcept": []}}, "BAD_USER_INPUT", "aggregate"),
        ({"filter": {}, "from": 3, "to": 2}, "BAD_USER_INPUT", "from"),
    ],
)
async def test_what_is_wrong_is_named(
    api: Api, runs: list[str], variables: dict[str, Any], code: str, field: str
) -> None:
    error = await api.error(COMPARE, **variables)
    assert error["extensions"] == {"code": code, "field": field}


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (SchemaLimits(compare_runs=2), "filter"),
        (SchemaLimits(compare_rows=5), "metrics"),
        (SchemaLimits(compare_points=5), "points"),
    ],
)
async def test_too_much_to_compare_fails(
    make_api: MakeApi, runs: list[str], limits: SchemaLimits, field: str
) -> None:
    error = await make_api(limits).error(COMPARE, filter={})
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": field}


async def test_a_comparison_costs_by_its_curves(make_api: MakeApi, runs: list[str]) -> None:
    small = make_api(SchemaLimits(cost=100))
    assert await compared(small, runs=runs)
    dear: list[dict[str, Any]] = [{"filter": {}}, {"runs": runs, "points": 100_000}]
    for variables in dear:
        error = await small.error(COMPARE, **variables)
        assert error["extensions"]["cost"] > 100
