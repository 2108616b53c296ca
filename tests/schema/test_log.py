from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

LINES = """
query ($id: ID!, $view: LogView! = RENDERED, $first: Int, $last: Int, $after: String, $before: String, $contains: String, $level: [LogLevel!]) {
  run(id: $id) { log(path: "out.log") {
    lines(view: $view, first: $first, last: $last, after: $after, before: $before, contains: $contains, level: $level) {
      nodes { text } edges { cursor node { number } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }
"""


@pytest.fixture
async def run(api: Api) -> str:
    id = await api.create("r1")
    text = (
        "2026-01-31 12:00:00 INFO start\n 10%\r 99%\r100%\n"
        + "".join(f"line {n}\n" for n in range(5))
        + "ERROR open"
    )
    await api.record(id, logs=[{"path": "out.log", "text": text, "stream": "STDOUT", "rank": 0}])
    return id


async def lines(api: Api, id: str, **options: Any) -> Any:
    return (await api.ask(LINES, id=id, **options))["run"]["log"]["lines"]


def texts(page: Any) -> list[str]:
    return [line["text"] for line in page["nodes"]]


async def test_a_log_file_and_its_lines(api: Api, run: str) -> None:
    query = """query ($id: ID!) { run(id: $id) { mainLog { path } logs {
      path stream rank size lineCount complete url run { name }
      lines(first: 2) { nodes { number offset at level text continues path runId rank } } } } }"""
    found = (await api.ask(query, id=run))["run"]
    [log] = found["logs"]
    assert found["mainLog"] == {"path": "out.log"}
    shown = log.pop("lines")["nodes"]
    assert log == {
        "path": "out.log", "stream": "STDOUT", "rank": 0, "size": 91.0, "lineCount": 8.0, "complete": False,
        "url": f"http://runs.test/logs/{run}/out.log", "run": {"name": "r1"},
    }  # fmt: skip
    line = {"continues": False, "path": "out.log", "runId": "r1", "rank": 0}
    assert shown == [
        {"number": 1.0, "offset": 0.0, "at": "2026-01-31T12:00:00.000000Z", "level": "INFO", "text": "2026-01-31 12:00:00 INFO start", **line},
        {"number": 2.0, "offset": 31.0, "at": None, "level": None, "text": "100%", **line},
    ]  # fmt: skip


async def test_pages_forwards_and_backwards(api: Api, run: str) -> None:
    for direction, edge, more in (
        ("first", "endCursor", "hasNextPage"),
        ("last", "startCursor", "hasPreviousPage"),
    ):
        found: list[str] = []
        cursor = None
        while True:
            page = await lines(
                api, run, **{direction: 3, "after" if direction == "first" else "before": cursor}
            )
            found = found + texts(page) if direction == "first" else texts(page) + found
            cursor = page["pageInfo"][edge]
            if not page["pageInfo"][more]:
                break
        assert [text[-6:] for text in found] == [
            " start",
            "100%",
            "line 0",
            "line 1",
            "line 2",
            "line 3",
            "line 4",
            "R open",
        ]


async def test_views_and_filters(api: Api, run: str) -> None:
    assert texts(await lines(api, run, view="RAW", first=2))[1] == " 10%\r 99%\r100%"
    assert texts(await lines(api, run, contains="LINE", last=1)) == ["line 4"]
    assert texts(await lines(api, run, level=["ERROR", "CRITICAL"])) == ["ERROR open"]
    assert len(texts(await lines(api, run))) == 8


async def test_an_early_end_is_a_cursor_too(api: Api, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs.read.lines.SCAN_BYTES", 1)
    monkeypatch.setattr("graphql_runs.read.lines.CHUNK", 32)
    for direction, edge, more, way in (
        ("first", "endCursor", "hasNextPage", "after"),
        ("last", "startCursor", "hasPreviousPage", "before"),
    ):
        found: list[str] = []
        cursor, pages = None, 0
        while True:
            page = await lines(api, run, contains="line 3", **{direction: 5, way: cursor})
            found += texts(page)
            pages += 1
            if not page["pageInfo"][more]:
                break
            cursor = page["pageInfo"][edge]
            assert cursor is not None
        assert found == ["line 3"]
        assert pages > 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"first": 1001}, "first"),
        ({"last": 1001}, "last"),
        ({"first": 1, "last": 1}, "last"),
        ({"first": 1, "after": "x"}, "after"),
        ({"last": 1, "before": "x"}, "before"),
    ],
)
async def test_bad_questions_name_the_argument(api: Api, run: str, options: Any, field: str) -> None:
    error = await api.error(LINES, id=run, **options)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_cursors_of_the_other_view_are_refused(api: Api, run: str) -> None:
    page = await lines(api, run, first=1)
    error = await api.error(LINES, id=run, view="RAW", first=1, after=page["pageInfo"]["endCursor"])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


async def test_the_size_of_a_page_is_a_setting(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(lines=2))
    id = await api.create("r1")
    await api.record(id, logs=[{"path": "out.log", "text": "x\n"}])
    assert "between 0 and 2" in (await api.error(LINES, id=id, first=3))["message"]
