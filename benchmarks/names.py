"""W8: one run with ten thousand metrics: logging them, listing them, charting one, and the page of runs beside it."""

from __future__ import annotations

from typing import Any

import orjson

from benchmarks.bench import Bench, milliseconds
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.server import Server
from benchmarks.stream import RECORD, create_run

AT_ONCE = 1000
STEPS = 3
OTHERS = 60
LIST = """
query ($run: ID!, $after: String, $contains: String) {
  run(id: $run) {
    metrics(first: 100, after: $after, contains: $contains) {
      totalCount pageInfo { hasNextPage endCursor } nodes { name summary { count last } }
    }
  }
}
"""
CHART = "query ($run: ID!, $metric: String!) { run(id: $run) { metric(name: $metric) { series(points: 1000) { x y } } } }"
RUNS = "{ runs(first: 50) { nodes { runId name status metrics(first: 3) { nodes { name summary { last } } } } } }"


def names(bench: Bench) -> list[Figure]:
    """W8."""
    many = bench.size(10_000, 500)
    logging, listing, charting, page, page_before = [], [], [], [], []
    for _ in bench.rounds(f"W8: a run with {many:,} metrics"):
        with Server(bench.store(), bench.environment) as server:
            for place in range(OTHERS):
                create_run(server, f"other-{place}")
            page_before.append(_page(bench, server))
            run = create_run(server, "wide")
            bodies = _bodies(run, many)
            logging.append(many * STEPS / bench.load.replay(server.port, bodies).seconds)
            listing.append(_list(bench, server, run, many))
            charting.append(_chart(bench, server, run, f"layer-{many // 2:05}/norm"))
            page.append(_page(bench, server))
    words = f"{many:,} metrics"
    return [
        Figure(
            "W8",
            f"logging a run with {words}, {AT_ONCE:,} a call",
            "pts/s",
            tuple(logging),
            True,
            "all are listed",
        ),
        Figure(
            "W8",
            f"a page of 100 of {words}, with their summaries and the count",
            "ms",
            tuple(listing),
            False,
            "the right names in order, with the right values",
        ),
        Figure(
            "W8",
            f"a chart of one of {words}",
            "ms",
            tuple(charting),
            False,
            "its points are those that were logged",
        ),
        Figure(
            "W8",
            "a page of 50 runs, the wide one among them",
            "ms",
            tuple(page),
            False,
            "the wide run is on the page",
            beside=(Beside("the same without the wide run", tuple(page_before)),),
        ),
    ]


def _bodies(run: str, many: int) -> list[bytes]:
    bodies: list[bytes] = []
    for step in range(STEPS):
        for first in range(0, many, AT_ONCE):
            points: list[dict[str, Any]] = [
                {"metric": f"layer-{index:05}/norm", "values": [index + step / 10], "steps": [step]}
                for index in range(first, min(first + AT_ONCE, many))
            ]
            record = {"run": run, "writer": "job", "sequence": len(bodies), "points": points}
            bodies.append(request(RECORD, input=record))
    return bodies


def _list(bench: Bench, server: Server, run: str, many: int) -> float:
    """Milliseconds of a page in the middle; all pages are turned and checked before."""
    cursor, seen = None, 0
    middle = request(LIST, run=run)
    while True:
        found = server.ask(LIST, run=run, after=cursor)["run"]["metrics"]
        for index, metric in enumerate(found["nodes"], seen):
            wanted = {"count": STEPS, "last": index + (STEPS - 1) / 10}
            if metric != {"name": f"layer-{index:05}/norm", "summary": wanted}:
                raise Wrong(f"W8: metric {index} is {metric}")
        seen += len(found["nodes"])
        if not found["pageInfo"]["hasNextPage"]:
            break
        cursor = found["pageInfo"]["endCursor"]
        if seen == many // 2:
            middle = request(LIST, run=run, after=cursor)
    if seen != many or found["totalCount"] != many:
        raise Wrong(f"W8: {seen} metrics are listed, {found['totalCount']} counted, {many} logged")
    return milliseconds(bench.load.replay(server.port, [middle] * 20).latencies)


def _chart(bench: Bench, server: Server, run: str, metric: str) -> float:
    done = bench.load.replay(server.port, [request(CHART, run=run, metric=metric)] * 20)
    found = orjson.loads(done.answers[0])["data"]["run"]["metric"]["series"]
    index = int(metric.split("-")[1].split("/")[0])
    if found != {"x": list(range(STEPS)), "y": [index + step / 10 for step in range(STEPS)]}:
        raise Wrong(f"W8: the chart of {metric} shows {found}")
    return milliseconds(done.latencies)


def _page(bench: Bench, server: Server) -> float:
    done = bench.load.replay(server.port, [request(RUNS)] * 20)
    found = orjson.loads(done.answers[0])["data"]["runs"]["nodes"]
    if len(found) != 50:
        raise Wrong(f"W8: {len(found)} runs on the page")
    return milliseconds(done.latencies)
