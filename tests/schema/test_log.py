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
    monkeypatch.setattr("graphql_runs.read.budget.SCAN_BYTES", 1)
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


async def test_lines_by_a_pattern(api: Api, run: str) -> None:
    query = """query ($id: ID!, $regex: String!) { run(id: $id) { log(path: "out.log") { lines(regex: $regex) { nodes { text match } } } } }"""

    async def found(regex: str) -> list[str]:
        nodes = (await api.ask(query, id=run, regex=regex))["run"]["log"]["lines"]["nodes"]
        assert all(line["match"] for line in nodes)
        return [line["text"] for line in nodes]

    assert await found("^line [12]$") == ["line 1", "line 2"]
    assert await found("(?i)error") == ["ERROR open"]
    error = await api.error(query, id=run, regex="(?=x)")
    assert error["extensions"]["field"] == "regex"


async def test_colours_are_spans_in_utf_16(api: Api) -> None:
    id = await api.create("r1")
    await api.record(id, logs=[{"path": "out.log", "text": "😀 \x1b[1;31mred😀\x1b[0m 漢\nplain\n"}])
    query = """query ($id: ID!) { run(id: $id) { mainLog {
      lines { nodes { text spans { start end foreground background bold dim italic underline inverse strike } } }
      again: lines { edges { node { spans { start } } } }
      raw: lines(view: RAW, first: 1) { nodes { text spans { start } } } } } }"""
    found = (await api.ask(query, id=id))["run"]["mainLog"]
    first, second = found["lines"]["nodes"]
    assert first["text"] == "😀 red😀 漢"
    assert first["spans"] == [
        {"start": 3, "end": 8, "foreground": "red", "background": None, "bold": True, "dim": False, "italic": False,
         "underline": False, "inverse": False, "strike": False}
    ]  # fmt: skip
    assert second["spans"] == []
    assert found["again"]["edges"][0]["node"]["spans"] == [{"start": 3}]
    assert found["raw"]["nodes"][0]["spans"] == []


async def test_ranks_and_streams_from_paths(api: Api) -> None:
    id = await api.create("r1")
    paths = ["user_logs/std_log_process_1.txt", "user_logs/std_log_process_0.txt", "rank_3/stderr.txt"]
    await api.record(id, logs=[{"path": path, "text": "x\n"} for path in paths])
    query = (
        "query ($id: ID!) { run(id: $id) { mainLog { path } logs { rank stream lines { nodes { rank } } } } }"
    )
    found = (await api.ask(query, id=id))["run"]
    assert found["mainLog"]["path"] == "user_logs/std_log_process_0.txt"
    assert [(log["rank"], log["stream"], log["lines"]["nodes"][0]["rank"]) for log in found["logs"]] == [(3, "STDERR", 3), (0, "STDOUT", 0), (1, "STDOUT", 1)]  # fmt: skip


async def test_the_year_of_a_line_is_that_of_its_run(api: Api) -> None:
    id = await api.create("r1", createdAt="2019-12-31T00:00:00Z")
    await api.record(id, logs=[{"path": "out.log", "text": "I0101 00:00:01.5 7 a.cc:1] x\n"}])
    query = "query ($id: ID!) { run(id: $id) { mainLog { lines { nodes { at level } } } } }"
    [line] = (await api.ask(query, id=id))["run"]["mainLog"]["lines"]["nodes"]
    assert line == {"at": "2020-01-01T00:00:01.500000Z", "level": "INFO"}


async def test_progress(api: Api) -> None:
    id = await api.create("r1")
    query = """query ($id: ID!) { run(id: $id) { progress { label fraction done total unit rate elapsed eta text }
      logs { path progress { fraction } } } }"""
    assert (await api.ask(query, id=id))["run"] == {"progress": None, "logs": []}
    bar = "train:  25%|##5       | 25/100 [00:05<00:15,  5.00it/s]"
    await api.record(id, logs=[{"path": "out.log", "text": f"train:   0%|\r{bar}", "stream": "STDOUT"}])
    await api.record(id, logs=[{"path": "err.log", "text": "Epoch 3/4\n", "stream": "STDERR"}])
    assert (await api.ask(query, id=id))["run"] == {
        "progress": {"label": "train", "fraction": 0.25, "done": 25.0, "total": 100.0, "unit": "it", "rate": 5.0, "elapsed": 5.0, "eta": 15.0, "text": bar},
        "logs": [{"path": "err.log", "progress": {"fraction": 0.75}}, {"path": "out.log", "progress": {"fraction": 0.25}}],
    }  # fmt: skip


AROUND = """query ($id: ID!, $at: DateTime, $metric: String, $step: Float) { run(id: $id) { mainLog {
  linesAround(at: $at, metric: $metric, step: $step, above: 1, below: 2) {
    nodes { number match } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } }
  lines(first: 1) { pageInfo { endCursor } } } } }"""


async def test_lines_around_a_step(api: Api) -> None:
    id = await api.create("r1")
    text = "".join(f"2026-01-31 12:00:{second:02} step {second}\n" for second in range(30))
    points = {"metric": "loss", "values": [1, 2, 3], "steps": [0, 100, 200]}
    at = [1769860800, 1769860810, 1769860820]
    await api.record(id, logs=[{"path": "out.log", "text": text}], points=[points | {"at": at}])
    for moment in ({"metric": "loss", "step": 100}, {"at": "2026-01-31T12:00:10Z"}):
        found = (await api.ask(AROUND, id=id, **moment))["run"]["mainLog"]["linesAround"]
        assert [(line["number"], line["match"]) for line in found["nodes"]] == [(10, False), (11, True), (12, False)]  # fmt: skip
        assert found["pageInfo"]["hasNextPage"]
        query = """query ($id: ID!, $after: String) { run(id: $id) { mainLog { lines(first: 1, after: $after) { nodes { number } } } } }"""
        more = await api.ask(query, id=id, after=found["pageInfo"]["endCursor"])
        assert more["run"]["mainLog"]["lines"]["nodes"] == [{"number": 13}]


@pytest.mark.parametrize(
    ("moment", "field"),
    [
        ({}, "step"),
        ({"metric": "loss"}, "step"),
        ({"at": "2026-01-31T12:00:10Z", "metric": "loss", "step": 1}, "at"),
        ({"metric": "nothing", "step": 1}, "metric"),
    ],
)
async def test_a_moment_has_to_be_named(api: Api, run: str, moment: Any, field: str) -> None:
    error = await api.error(AROUND, id=run, **moment)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
