from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi


@pytest.mark.parametrize("query", ["{ runs {", "{ run(id: ) }", "?", "{ a @ }"])
async def test_documents_that_are_not_graphql(api: Api, query: str) -> None:
    for _ in range(2):
        error = await api.error(query)
        assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}
        assert error["locations"]


@pytest.mark.parametrize(
    "query", ["{ nope }", "{ runs }", '{ run { id } }', '{ runs(first: "x") { totalCount } }', "{ ...missing }", "query ($a: Nope) { server { version } }"]
)  # fmt: skip
async def test_documents_that_do_not_fit_the_schema(api: Api, query: str) -> None:
    for _ in range(2):
        answer = await api.answer(query)
        assert answer["data"] is None
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({}, "filter"),
        ({"filter": {"name": {"eq": 3}}}, "filter.name.eq"),
        ({"filter": {"and": [{"nope": 1}]}}, "filter.and[0]"),
    ],
)
async def test_variables_that_do_not_fit(api: Api, variables: Any, field: str) -> None:
    error = await api.error(
        "query ($filter: RunFilter!) { runs(filter: $filter) { totalCount } }", **variables
    )
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_what_nobody_foresaw_is_masked_and_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret path /x/y")

    monkeypatch.setattr(api.store, "find_runs", broken)
    answer = await api.answer("{ server { version } runs { totalCount } }")
    [error] = answer["errors"]
    id = error["extensions"]["id"]
    assert error["message"] == f"internal error {id}"
    assert error["extensions"] == {"code": "INTERNAL", "id": id}
    assert error["path"] == ["runs"]
    assert "secret" not in str(answer)
    [entry] = caplog.records
    assert entry.args == (id, "runs")
    assert entry.exc_info
    assert str(entry.exc_info[1]) == "secret path /x/y"


async def test_a_null_that_must_not_be_is_our_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await api.create("r1")

    async def nothing(_: object, ids: list[str]) -> list[None]:
        return [None] * len(ids)

    get = api.store.get
    monkeypatch.setattr(
        api.store,
        "get",
        lambda kind, ids: nothing(kind, ids) if kind.__name__ == "Experiment" else get(kind, ids),
    )
    error = await api.error('{ run(id: "r1") { experiment { name } } }')
    assert error["extensions"]["code"] == "INTERNAL"
    assert len(caplog.records) == 1


async def test_errors_for_the_caller_keep_their_code(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(api.store, "find_runs", away)
    error = await api.error("{ runs { totalCount } }")
    assert (error["message"], error["extensions"]) == ("the store is away", {"code": "STORE_UNAVAILABLE"})
    assert caplog.records == []


async def test_one_bad_field_leaves_the_others(api: Api) -> None:
    await api.create("r1")
    query = '{ run(id: "r1") { name metric(name: "m") { id } } missing: run(id: "nope") { name } node(id: "x") { id } }'
    assert await api.ask(query) == {"run": {"name": "r1", "metric": None}, "missing": None, "node": None}


def nested(levels: int) -> str:
    """A query so many levels deep."""
    return '{ run(id: "x") ' + "{ parent " * (levels - 2) + "{ id }" + " }" * (levels - 1)


async def test_depth_is_bounded(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(depth=5))
    assert await api.ask(nested(5)) == {"run": None}
    error = await api.error(nested(6))
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}
    assert "6 levels deep, the limit is 5" in error["message"]
    fragments = '{ run(id: "x") { ...a } } fragment a on Run { parent { ...b } } fragment b on Run { parent { parent { parent { id } } } }'
    assert "levels deep" in (await api.error(fragments))["message"]


async def test_introspection_is_not_too_deep(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(depth=5))
    query = "{ __schema { types { fields { args { type { ofType { ofType { ofType { name } } } } } } } } }"
    assert (await api.ask(query))["__schema"]["types"]


async def test_aliases_are_bounded(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(aliases=4))
    four = "{ a: server { version } b: server { x: version y: version } }"
    await api.ask(four)
    error = await api.error(
        "{ a: server { version } ...f ...f } fragment f on Query { b: server { x: version } }"
    )
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}
    assert "5 aliases" in error["message"]


async def test_fragments_within_themselves_are_refused(api: Api) -> None:
    answer = await api.answer(
        '{ run(id: "x") { ...a } } fragment a on Run { parent { ...b } } fragment b on Run { parent { ...a } }'
    )
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_fragments_that_multiply_are_counted_not_walked(api: Api) -> None:
    # Thirty fragments, each spreading the next one twice, stand for a billion fields.
    spread = " ".join(f"fragment f{n} on Server {{ ...f{n + 1} ...f{n + 1} }}" for n in range(30))
    answer = await api.answer("{ server { ...f0 } } " + spread + " fragment f30 on Server { v: version }")
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_tokens_are_bounded(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(tokens=50))
    error = await api.error("{ server { " + "version " * 60 + "} }")
    assert error["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"
    assert "50" in error["message"]


async def test_documents_nested_without_end_are_refused(api: Api) -> None:
    for query in ("{ runs " * 5000, "{ runs(filter: {not: " * 4000, "{ " + "[" * 9000):
        error = await api.error(query)
        assert error["extensions"]["code"] in {"LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED"}, error


COSTLY = "{ runs(first: 100) { nodes { children(first: 100) { nodes { metrics(first: 100) { nodes { name } } } } } } }"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (COSTLY, {}),
        (COSTLY.replace("children(first: 100)", "children(first: $n)").replace("{ runs", "query ($n: Int!) { runs", 1), {"n": 100}),
        (COSTLY.replace("children(first: 100)", "children(first: $n)").replace("{ runs", "query ($n: Int! = 100) { runs", 1), {}),
        ("{ runs(first: 100) { ...r } } fragment r on RunConnection { edges { node { metrics { nodes { series(points: 100000) { y } } } } } }", {}),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Run { metrics { nodes { logs: run { logs { lines(last: 1000) { nodes { text } } } } } } } } }", {"ids": ["x"] * 100}),
    ],
)  # fmt: skip
async def test_operations_that_could_return_too_much_are_refused(
    api: Api, query: str, variables: Any
) -> None:
    error = await api.error(query, **variables)
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert error["extensions"]["cost"] > api.limits.cost


@pytest.mark.parametrize(
    "query",
    [
        "{ runs(first: 100) { nodes { id name params { key value } metrics(first: 100) { nodes { name summary { last } } } } } }",
        '{ run(id: "x") { metric(name: "m") { series(points: 1000000) { x y } rows(first: 100000) { at } } } }',
        '{ run(id: "x") { logs { lines(last: 1000) { nodes { text } } } } }',
    ],
)
async def test_operations_of_a_usual_size_are_not(api: Api, query: str) -> None:
    await api.ask(query)


async def test_the_cost_is_of_the_operation_that_runs(api: Api) -> None:
    both = "query cheap { server { version } } query dear " + COSTLY
    assert (await api.answer(both, "cheap"))["data"] == {"server": {"version": "1.2.3"}}
    assert (await api.answer(both, "dear"))["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_a_document_is_parsed_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.ask("{ server { version } }")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("graphql_runs.schema.schema.parse", refuse)
    monkeypatch.setattr("graphql_runs.schema.schema.validate_document", refuse)
    await api.ask("{ server { version } }")


async def test_long_documents_are_not_remembered(api: Api) -> None:
    long = "{ server { version } } # " + "x" * 20_000
    await api.ask(long)
    before = api.schema.prepare(long, ())
    assert api.schema.prepare(long, ()) is not before
