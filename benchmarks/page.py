"""W3: a page of runs by a condition on a metric and one on a param, sorted by the metric."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import orjson

from benchmarks.bench import Bench, milliseconds, timed
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import Connection, request
from benchmarks.seed import METRIC, WORKSPACE, RunTraits, fill_runs
from benchmarks.server import Server

PAGE = 50
BELOW = 0.9
OPTIMIZER = "adam"
READ = """
query ($workspace: String!, $below: Float!, $optimizer: String!, $first: Int!, $after: String) {
  workspace(name: $workspace) {
    runs(
      filter: {and: [{metric: {name: "loss", lt: $below}}, {param: {key: "optimizer", eq: $optimizer}}]}
      orderBy: [{by: {metric: {name: "loss"}}}]
      first: $first
      after: $after
    ) {
      nodes { runId name status createdAt params { key value } metric(name: "loss") { summary { last } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
_PLAIN = """
CREATE TABLE run(id INTEGER PRIMARY KEY, run_id TEXT, name TEXT, status TEXT, created_at INTEGER, params BLOB);
CREATE TABLE metric(run INTEGER, name TEXT, last REAL, PRIMARY KEY(run, name)) WITHOUT ROWID;
CREATE TABLE param(run INTEGER, key TEXT, value TEXT, PRIMARY KEY(run, key)) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX metric_by_last ON metric(name, last, run);
CREATE INDEX param_by_value ON param(key, value, run);
ANALYZE;
"""
_PLAIN_PAGE = """
SELECT run.*, metric.last FROM metric CROSS JOIN param ON param.run = metric.run AND param.key = 'optimizer' AND param.value = ?
  JOIN run ON run.id = metric.run
  WHERE metric.name = 'loss' AND metric.last < ? AND (metric.last, metric.run) > (?, ?)
  ORDER BY metric.last, metric.run LIMIT ?
"""


def page(bench: Bench) -> list[Figure]:
    """W3."""
    many = bench.size(100_000, 2_000)
    return [
        *_pages(bench, bench.size(5_000, 500), goal=5, peers=True),
        *_pages(bench, many, goal=10, deep=bench.size(1000, 20)),
    ]


def _pages(
    bench: Bench, count: int, goal: float, *, deep: int | None = None, peers: bool = False
) -> list[Figure]:
    traits = RunTraits(count)
    expected = traits.matching(BELOW, OPTIMIZER)
    store = bench.store()
    with bench.bar(f"W3: recording {count:,} runs", count) as advance:
        asyncio.run(fill_runs(store, traits, advance))
    plain = _plain(store.with_name("plain.sqlite"), traits)
    places = [1] if deep is None else [1, deep]
    taken: dict[int, list[float]] = {place: [] for place in places}
    bare: dict[int, list[float]] = {place: [] for place in places}
    with Server(store, bench.environment) as server:
        with Connection(server.port) as connection:
            cursors = {place: _cursor(connection, place, traits, expected) for place in places}
        for _ in bench.rounds(f"W3: pages of {count:,} runs"):
            for place in places:
                body = page_body(PAGE, cursors[place])
                bench.load.replay(server.port, [body] * 3)
                done = bench.load.replay(server.port, [body] * 40)
                check_page(done.answers[0], traits, expected[(place - 1) * PAGE :])
                taken[place].append(milliseconds(done.latencies))
                bare[place].append(_plain_page(plain, traits, expected, place))
    plain.close()
    return [
        Figure(
            workload="W3",
            what=f"page {place:,} of {count:,} runs, {PAGE} a page: metric < {BELOW}, param = {OPTIMIZER}, by metric",
            unit="ms",
            values=tuple(taken[place]),
            more=False,
            goal=goal,
            checked="the runs, their order and their metric are what the seeding says",
            beside=(
                Beside("raw SQL on bare indexed tables", tuple(bare[place])),
                *(bench.beside("W3", "page") if peers else ()),
            ),
        )
        for place in places
    ]


def page_body(first: int = PAGE, after: str | None = None, below: float = BELOW) -> bytes:
    """The request of a page."""
    return request(READ, workspace=WORKSPACE, below=below, optimizer=OPTIMIZER, first=first, after=after)


def _cursor(connection: Connection, place: int, traits: RunTraits, expected: list[int]) -> str | None:
    """The cursor before a page, by turning all pages before it (of 100 runs where that fits)."""
    cursor, left = None, (place - 1) * PAGE
    seen = 0
    while left:
        first = min(100, left)
        answer = connection.post(page_body(first, cursor))
        check_page(answer, traits, expected[seen:], first)
        cursor = orjson.loads(answer)["data"]["workspace"]["runs"]["pageInfo"]["endCursor"]
        seen += first
        left -= first
    return cursor


def check_page(answer: bytes, traits: RunTraits, expected: list[int], first: int = PAGE) -> None:
    """Raises Wrong unless these runs are on the page."""
    found: dict[str, Any] = orjson.loads(answer)["data"]["workspace"]["runs"]
    shown = [(run["runId"], run["metric"]["summary"]["last"]) for run in found["nodes"]]
    if shown != [(f"run-{index}", traits.loss[index]) for index in expected[:first]]:
        raise Wrong("W3: not the runs that match, or not in order")
    if found["pageInfo"]["hasNextPage"] != (len(expected) > first):
        raise Wrong("W3: hasNextPage is wrong")
    if any({"key": "optimizer", "value": OPTIMIZER} not in run["params"] for run in found["nodes"]):
        raise Wrong("W3: a run is shown without its params")


def _plain(path: Path, traits: RunTraits) -> apsw.Connection:
    """The same facts in bare tables."""
    db = apsw.Connection(str(path))
    db.execute(_PLAIN)
    with db:
        for index, optimizer in enumerate(traits.optimizer.tolist()):
            params = orjson.dumps({"optimizer": optimizer, "seed": str(index)})
            db.execute(
                "INSERT INTO run VALUES (?, ?, ?, 'COMPLETED', ?, ?)",
                (index, f"run-{index}", f"training {index}", index, params),
            )
            db.execute("INSERT INTO param VALUES (?, 'optimizer', ?)", (index, optimizer))
            db.execute("INSERT INTO metric VALUES (?, ?, ?)", (index, METRIC, float(traits.loss[index])))
    db.execute(_INDEXES)
    return db


def _plain_page(db: apsw.Connection, traits: RunTraits, expected: list[int], place: int) -> float:
    """Milliseconds of the page by plain SQL, the median of many."""
    start = (place - 1) * PAGE
    last = (float(traits.loss[expected[start - 1]]), expected[start - 1]) if start else (-1.0, -1)
    arguments = (OPTIMIZER, BELOW, *last, PAGE)
    rows = db.execute(_PLAIN_PAGE, arguments).fetchall()
    if [row[0] for row in rows] != expected[start : start + PAGE]:
        raise Wrong("W3: the plain tables give another page")
    return milliseconds(timed(lambda: db.execute(_PLAIN_PAGE, arguments).fetchall()) for _ in range(40))
