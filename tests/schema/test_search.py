from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

SEARCH = """
query ($id: ID!, $text: String, $matchCase: Boolean! = false, $regex: String, $level: [LogLevel!], $paths: [String!], $ranks: [Int!], $below: Boolean! = true,
       $since: DateTime, $until: DateTime, $context: Int! = 0, $orderBy: LogOrder! = TIME, $first: Int, $after: String, $last: Int, $before: String) {
  run(id: $id) {
    searchLogs(text: $text, matchCase: $matchCase, regex: $regex, level: $level, paths: $paths, ranks: $ranks, below: $below, since: $since, until: $until,
               context: $context, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
      nodes { text match path runId rank number at }
      edges { cursor }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""


def text(rank: int) -> str:
    lines = [
        f"2026-01-31 12:00:{10 * n + rank:02} {'ERROR lost' if n == 2 - rank else 'INFO step'} {n}"
        for n in range(3)
    ]
    return "\n".join([*lines, "  the end", ""])


@pytest.fixture
async def run(api: Api) -> str:
    root = await api.create("root")
    child = await api.create("child", parent=root)
    await api.record(root, logs=[{"path": f"rank_{rank}.log", "text": text(rank)} for rank in range(2)])
    await api.record(child, logs=[{"path": "rank_2.log", "text": text(2)}])
    return root


async def search(api: Api, id: str, **options: Any) -> Any:
    return (await api.ask(SEARCH, id=id, **options))["run"]["searchLogs"]


def texts(page: Any) -> list[str]:
    return [line["text"][20:] if line["at"] else line["text"] for line in page["nodes"]]


async def test_ranks_are_merged_by_time(api: Api, run: str) -> None:
    page = await search(api, run, ranks=[0, 1])
    assert [(line["rank"], line["number"]) for line in page["nodes"]] == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (0, 4), (1, 3), (1, 4)]  # fmt: skip
    assert page["pageInfo"] | {"startCursor": None, "endCursor": None} == {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}  # fmt: skip


async def test_what_is_found(api: Api, run: str) -> None:
    page = await search(api, run, level=["ERROR"])
    assert [(line["runId"], line["path"]) for line in page["nodes"]] == [
        ("child", "rank_2.log"),
        ("root", "rank_1.log"),
        ("root", "rank_0.log"),
    ]
    assert all(line["match"] for line in page["nodes"])
    assert len(texts(await search(api, run, text="LOST"))) == 3
    assert texts(await search(api, run, text="LOST", matchCase=True)) == []
    assert texts(await search(api, run, regex="step [01]$", below=False, orderBy="FILE")) == [
        "INFO step 0",
        "INFO step 1",
        "INFO step 0",
    ]
    assert texts(await search(api, run, text="step", paths=["rank_?.log"], ranks=[2])) == [
        "INFO step 1",
        "INFO step 2",
    ]
    page = await search(api, run, since="2026-01-31T12:00:11Z", until="2026-01-31T12:00:13Z")
    assert texts(page) == ["ERROR lost 1", "INFO step 1"]


async def test_lines_around_what_is_found(api: Api, run: str) -> None:
    page = await search(api, run, text="lost 1", context=1)
    assert [(line["number"], line["match"]) for line in page["nodes"]] == [(1, False), (2, True), (3, False)]
    assert {line["path"] for line in page["nodes"]} == {"rank_1.log"}
    assert len({edge["cursor"] for edge in page["edges"]}) == 1


@pytest.mark.parametrize("order", ["TIME", "FILE"])
async def test_pages_both_ways(api: Api, run: str, order: str) -> None:
    whole = [(line["path"], line["number"]) for line in (await search(api, run, orderBy=order))["nodes"]]
    assert len(whole) == 12
    for count, place, edge, more in (
        ("first", "after", "endCursor", "hasNextPage"),
        ("last", "before", "startCursor", "hasPreviousPage"),
    ):
        found: list[tuple[str, float]] = []
        cursor = None
        while True:
            page = await search(api, run, orderBy=order, **{count: 5, place: cursor})
            lines = [(line["path"], line["number"]) for line in page["nodes"]]
            found = found + lines if count == "first" else lines + found
            cursor = page["pageInfo"][edge]
            if not page["pageInfo"][more]:
                break
        assert found == whole


async def test_a_line_cursor_goes_both_ways(api: Api, run: str) -> None:
    page = await search(api, run)
    cursor = page["edges"][4]["cursor"]
    after, before = await search(api, run, after=cursor), await search(api, run, before=cursor)
    assert [*before["nodes"], page["nodes"][4], *after["nodes"]] == page["nodes"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"first": 1001}, "first"),
        ({"last": 1001}, "last"),
        ({"first": 1, "last": 1}, "last"),
        ({"first": 400, "context": 1}, "first"),
        ({"context": -1}, "context"),
        ({"context": 1000}, "context"),
        ({"after": "x"}, "after"),
        ({"before": "x"}, "before"),
        ({"regex": "("}, "regex"),
    ],
)
async def test_bad_questions_name_the_argument(api: Api, run: str, options: Any, field: str) -> None:
    error = await api.error(SEARCH, id=run, **options)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"] == field


async def test_cursors_of_the_other_order_are_refused(api: Api, run: str) -> None:
    page = await search(api, run, first=1)
    error = await api.error(SEARCH, id=run, orderBy="FILE", after=page["pageInfo"]["endCursor"])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


async def test_long_patterns_and_texts_are_refused(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(filter_regex=3, filter_text=4))
    id = await api.create("r1")
    for name, value in (("regex", "abcd"), ("text", "abcde")):
        error = await api.error(SEARCH, id=id, **{name: value})
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": name}


async def test_lines_around_count_for_the_cost(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(cost=300))
    id = await api.create("r1")
    await search(api, id, first=10)
    error = await api.error(SEARCH, id=id, first=10, context=20)
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    query = 'query ($id: ID!) { run(id: $id) { mainLog { linesAround(at: "2026-01-31T12:00:00Z", above: 200, below: 200) { nodes { text } } } } }'
    assert (await api.error(query, id=id))["extensions"]["code"] == "LIMIT_EXCEEDED"
