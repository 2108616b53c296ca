"""W2 and W2b: one metric's history, whole, and reduced to what a chart shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks import floor
from benchmarks.bench import Bench, milliseconds
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.seed import METRIC, RUN, WORKSPACE, curve, fill_curve
from benchmarks.server import Server

READ = """
query ($workspace: String!, $run: String!, $metric: String!, $points: Int!) {
  workspace(name: $workspace) { run(runId: $run) { metric(name: $metric) { series(points: $points) { x y at exact total } } } }
}
"""
CHART = 1000
ROWS = 50_000
PAGES = """
query ($workspace: String!, $run: String!, $metric: String!, $first: Int!, $after: String) {
  workspace(name: $workspace) { run(runId: $run) { metric(name: $metric) {
    rows(first: $first, after: $after) { steps columns { name values } at pageInfo { endCursor } }
  } } }
}
"""


@dataclass(frozen=True, slots=True)
class _Asked:
    milliseconds: float
    found: dict[str, Any]


def _asked(bench: Bench, workload: str, points: int, wanted: int) -> Iterator[_Asked]:
    """Ask for `wanted` of `points` points of a curve that was logged in batches of 1000; once for each repetition, the
    median of many calls."""
    store = bench.store()
    with bench.bar(f"{workload}: logging {points:,} points", points) as advance:
        asyncio.run(fill_curve(store, points, advance))
    body = request(READ, workspace=WORKSPACE, run=RUN, metric=METRIC, points=wanted)
    # Background merging would make the pieces fewer in the middle of a measurement.
    with Server(store, bench.environment, compact_seconds=0) as server:
        bench.load.replay(server.port, [body] * 3)
        for _ in bench.rounds(f"{workload}: {wanted:,} of {points:,} points"):
            done = bench.load.replay(server.port, [body] * 20)
            found = orjson.loads(done.answers[0])["data"]["workspace"]["run"]["metric"]["series"]
            yield _Asked(milliseconds(done.latencies), found)


def history(bench: Bench) -> list[Figure]:
    """W2."""
    points = bench.size(100_000, 20_000)
    steps, values, at = curve(points)
    seconds = at / 1e6

    def check(found: dict[str, Any]) -> None:
        if not found["exact"] or found["total"] != points:
            raise Wrong("W2: the history is not whole")
        for name, column in (("x", steps), ("y", values), ("at", seconds)):
            if found[name] != column.tolist():
                raise Wrong(f"W2: column {name} is not what was logged")

    taken, bare = [], []
    for answers in _asked(bench, "W2", points, points):
        check(answers.found)
        taken.append(answers.milliseconds)
        bare.append(1000 * floor.best(lambda: floor.dumped(steps, values, seconds), 5))
    return [
        Figure(
            workload="W2",
            what=f"whole history of {points:,} points (step, value, time)",
            unit="ms",
            values=tuple(taken),
            more=False,
            goal=30,
            checked="all steps, values and times equal what was logged, bit for bit",
            beside=(Beside("orjson writing these arrays", tuple(bare)), *bench.beside("W2", "history")),
        )
    ]


def chart(bench: Bench) -> list[Figure]:
    """W2b."""
    return [
        _chart(bench, bench.size(100_000, 20_000), goal=5, peers=True),
        _chart(bench, bench.size(1_000_000, 100_000), goal=30, peers=False),
    ]


def memory(bench: Bench) -> list[Figure]:
    """W2c."""
    points = bench.size(1_000_000, 100_000)
    store = bench.store()
    with bench.bar(f"W2c: logging {points:,} points", points) as advance:
        asyncio.run(fill_curve(store, points, advance))
    drawn = request(READ, workspace=WORKSPACE, run=RUN, metric=METRIC, points=CHART)
    rises: dict[str, list[float]] = {"chart": [], "rows": []}
    for _ in bench.rounds(f"W2c: memory while {points:,} points are read"):
        with Server(store, bench.environment, compact_seconds=0) as server:
            rises["chart"].append(server.peak_memory(partial(bench.load.replay, server.port, [drawn] * 3)))
            rises["rows"].append(server.peak_memory(partial(_all_rows, server, points)))
    return [
        Figure(
            "W2c",
            f"rise of resident memory by {what}",
            "MiB",
            tuple(rises[name]),
            False,
            "all rows in order" if name == "rows" else "the answers have no errors",
            100,
        )
        for name, what in (
            ("chart", f"three charts of {CHART:,} of {points:,} points"),
            ("rows", f"reading all {points:,} points in pages of {ROWS:,} rows"),
        )
    ]


def _all_rows(server: Server, points: int) -> None:
    after, seen = None, 0
    while seen < points:
        found = server.ask(PAGES, workspace=WORKSPACE, run=RUN, metric=METRIC, first=ROWS, after=after)
        rows = found["workspace"]["run"]["metric"]["rows"]
        if rows["steps"] != list(range(seen, seen + len(rows["steps"]))):
            raise Wrong(f"W2c: the rows from {seen} on are not those that were logged")
        seen += len(rows["steps"])
        after = rows["pageInfo"]["endCursor"]


def _chart(bench: Bench, points: int, goal: float, *, peers: bool) -> Figure:
    steps, values, _ = curve(points)

    def check(found: dict[str, Any]) -> None:
        x, y = np.array(found["x"]), np.array(found["y"])
        if found["exact"] or found["total"] != points or not CHART / 2 < len(x) <= CHART:
            raise Wrong(f"W2b: {len(x)} points, exact {found['exact']}, total {found['total']}")
        if not (np.diff(x) > 0).all() or not (values[x] == y).all():
            raise Wrong("W2b: points that were never logged, or out of order")
        if not {0, int(values.argmin()), int(values.argmax()), points - 1} <= set(x.tolist()):
            raise Wrong("W2b: an extremum or an end of the curve is lost")
        _check_buckets(steps, values, y)

    taken, bare = [], []
    for answers in _asked(bench, "W2b", points, CHART):
        check(answers.found)
        taken.append(answers.milliseconds)
        bare.append(1000 * floor.best(lambda: floor.reduced(values, CHART // 4), 5))
    return Figure(
        workload="W2b",
        what=f"chart of {CHART:,} of {points:,} points",
        unit="ms",
        values=tuple(taken),
        more=False,
        goal=goal,
        checked="no extremum of any bucket lost, every point one that was logged",
        beside=(
            Beside("numpy argmin and argmax of the array", tuple(bare)),
            *(bench.beside("W2b", "chart") if peers else ()),
        ),
    )


def _check_buckets(steps: NDArray[np.int64], values: NDArray[np.float64], kept: NDArray[np.float64]) -> None:
    """Every bucket of the reduction shows its extremes (`series`: buckets of consecutive points, points / 4 of them)."""
    size = -(-len(values) // (CHART // 4))
    shown = set(kept.tolist())
    for first in range(0, len(values), size):
        bucket = values[first : first + size]
        if not {float(bucket.min()), float(bucket.max())} <= shown:
            raise Wrong(f"W2b: an extremum between steps {steps[first]} and {steps[first] + size} is lost")
