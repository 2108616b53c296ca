from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

NAMES = """
query ($of: NameKind!, $filter: RunFilter, $contains: String, $first: Int! = 100, $after: String) {
  workspace(name: "default") {
    names(of: $of, filter: $filter, contains: $contains, first: $first, after: $after) {
      nodes { name kind runs } totalCount lookedAt complete pageInfo { hasNextPage hasPreviousPage endCursor }
    }
    experiment(name: "letters") { names(of: $of) { nodes { name } } }
  }
}
"""


@pytest.fixture
async def runs(api: Api) -> None:
    for number in range(3):
        id = await api.create(
            f"r{number}", params=[{"key": "lr", "value": "1"}, {"key": f"p{number}", "value": "1"}]
        )
        await api.record(id, points=[{"metric": "loss", "values": [1.0]}])
    await api.create("alien", experiment="letters", tags=[{"key": "team", "value": "x"}])


async def names(api: Api, of: str, **variables: Any) -> Any:
    return (await api.ask(NAMES, of=of, **variables))["workspace"]["names"]


async def test_names_of_each_kind(api: Api, runs: None) -> None:
    found = await names(api, "METRIC")
    assert found["nodes"] == [{"name": "loss", "kind": "SCALAR", "runs": 3}]
    assert (found["totalCount"], found["lookedAt"], found["complete"]) == (1, 4, True)
    assert (await names(api, "PARAM"))["nodes"][0] == {"name": "lr", "kind": None, "runs": 3}
    assert (await names(api, "TAG"))["nodes"] == [{"name": "team", "kind": None, "runs": 1}]
    assert (await names(api, "PROPERTY"))["nodes"] == []


async def test_names_of_an_experiment_and_of_a_filter(api: Api, runs: None) -> None:
    answer = (await api.ask(NAMES, of="TAG", filter={"name": {"eq": "r1"}}))["workspace"]
    assert answer["names"]["nodes"] == []
    assert answer["experiment"]["names"]["nodes"] == [{"name": "team"}]


async def test_pages_of_names(api: Api, runs: None) -> None:
    page = await names(api, "PARAM", first=3)
    rest = await names(api, "PARAM", first=3, after=page["pageInfo"]["endCursor"])
    assert [one["name"] for one in (*page["nodes"], *rest["nodes"])] == ["lr", "p0", "p1", "p2"]
    assert (page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert (page["pageInfo"]["hasPreviousPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert [one["name"] for one in (await names(api, "PARAM", contains="P"))["nodes"]] == ["p0", "p1", "p2"]


async def test_a_list_that_is_not_complete_says_so(make_api: MakeApi, runs: None) -> None:
    found = await names(make_api(SchemaLimits(name_records=2)), "PARAM")
    assert (found["lookedAt"], found["complete"]) == (2, False)
