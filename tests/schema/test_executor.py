from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLEnumType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graphql_runs.model.records import MetricKind
from tests.schema.conftest import Api, shown

QUERIES = [
    "{ runs { __typename nodes { __typename id a: name b: name status tags { key value n: number __typename } git { commit } } } }",
    """query { runs(orderBy: [{by: {field: NAME}}]) { nodes { name params { value key } ...f error { message } queueing { code } stale warnings { message } } } }
    fragment f on Run { phases { status } statusEvidence { status reported } tags @skip(if: true) { key } kind @include(if: true) }""",
    """{ run(id: "r1") { metric(name: "loss") { kind summary { last min lastAt firstStep } columns { name type } chart chartColumns series { x y at } }
      logs { size stream rank lines { nodes { level text } pageInfo { hasNextPage endCursor } } } workspace { name } parent { id } } }""",
    "{ server { version limits plugins { name } capabilities } }",
    '{ node(id: "nope") { id } nodes(ids: []) { id } }',
]


@pytest.fixture(autouse=True)
async def runs(api: Api) -> None:
    await api.create(
        "r1",
        tags=[{"key": "b", "value": "x"}, {"key": "a", "value": "1"}],
        status={"status": "RUNNING", "at": "2020-01-01T00:00:00Z"},
    )
    await api.create("r2", properties=[{"key": "azureml.git.commit", "value": "c"}])
    await api.record(
        "r1",
        points=[{"metric": "loss", "values": [1, "NaN"], "at": [1, 2]}],
        logs=[{"path": "a.log", "text": "INFO x\n"}],
    )


async def usual(api: Api, query: str) -> dict[str, Any]:
    """The answer of Strawberry's own executor."""
    api.schema.execution_context_class = StrawberryGraphQLCoreExecutionContext
    return shown(await api.schema.execute(query, None, api.context()))


@pytest.mark.parametrize("query", QUERIES)
async def test_the_short_way_gives_the_same_answer(api: Api, query: str) -> None:
    found = await api.answer(query)
    wanted = await usual(api, query)
    assert "errors" not in wanted
    assert found == wanted
    # The order of the fields is that of the selection.
    assert str(found) == str(wanted)


async def test_nulls_that_must_not_be_are_reported_the_usual_way(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = api.store.get

    async def damaged(kind: Any, ids: Any) -> Any:
        found = await get(kind, ids)
        for record in found:
            if kind.__name__ == "Metric" and record is not None:
                object.__setattr__(record, "name", None)
                object.__setattr__(record, "kind", "no kind at all")
        return found

    monkeypatch.setattr(api.store, "get", damaged)
    for field in ("name", "kind"):
        query = f'{{ run(id: "r1") {{ metric(name: "loss") {{ {field} }} }} }}'
        found = await api.error(query)
        assert found["path"] == ["run", "metric", field]
        assert found["extensions"]["code"] == "INTERNAL"


def test_every_enum_of_the_domain_is_known_whole(api: Api) -> None:
    kinds = api.schema._schema.type_map["MetricKind"]
    assert isinstance(kinds, GraphQLEnumType)
    assert set(kinds.values) == {kind.value for kind in MetricKind}
