"""W1b: the same path in batches of 1000 points and more, over GraphQL and in process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import floor
from benchmarks.bench import Bench
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.seed import EXPERIMENT, WORKSPACE
from benchmarks.server import Server
from benchmarks.stream import READ, RECORD, create_run
from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints
from graphql_runs.model.records import Metric
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class Shape:
    """Batches of `metrics` × `points`."""

    batches: int
    metrics: int
    points: int

    @property
    def batch(self) -> int:
        return self.metrics * self.points

    @property
    def total(self) -> int:
        return self.batches * self.batch

    @property
    def words(self) -> str:
        return f"{self.batch:,} points a call ({self.metrics} metrics × {self.points:,})"


CHECKED = "the count of every metric, and every point of the first one, read back"


def bulk(bench: Bench) -> list[Figure]:
    """W1b."""
    small, large = Shape(bench.size(300, 50), 10, 100), Shape(bench.size(60, 10), 10, 1000)
    return [
        *_over_graphql(bench, small, goal=1e6),
        *_over_graphql(bench, large, goal=2e6),
        _in_process(bench, large, goal=2e6),
    ]


def _over_graphql(bench: Bench, shape: Shape, goal: float) -> list[Figure]:
    values = np.random.default_rng(shape.points).random(shape.batches * shape.points)
    alone: list[float] = []
    together: list[float] = []
    plain: list[float] = []
    parsing: list[float] = []
    store = bench.store()
    with Server(store, bench.environment) as server:
        for index in bench.rounds(f"W1b: {shape.words} over GraphQL"):
            runs = [create_run(server, f"run-{index}-{writer}") for writer in range(5)]
            scripts = [_bodies(run, shape, values) for run in runs]
            done = bench.load.replay(server.port, scripts[0])
            alone.append(shape.total / done.seconds)
            done = bench.load.replay(server.port, *scripts[1:])
            together.append(4 * shape.total / done.seconds)
            parsing.append(shape.total / floor.parsed(scripts[0]))
            plain.append(
                shape.batch
                * floor.inserted(store.parent, max(5, shape.batches // 5), shape.metrics, shape.points)
            )
            for run in runs:
                _check(server, run, shape, values)
    limits = (
        Beside("plain SQLite, a row per point", tuple(plain)),
        Beside("orjson reading the requests", tuple(parsing)),
    )
    peers = bench.beside("W1b", "points") if shape.batch == 1000 else ()
    words = shape.words
    return [
        Figure(
            "W1b", f"{words}, one connection", "pts/s", tuple(alone), True, CHECKED, goal, (*limits, *peers)
        ),
        Figure("W1b", f"{words}, four connections", "pts/s", tuple(together), True, CHECKED, goal),
    ]


def _bodies(run: str, shape: Shape, values: NDArray[np.float64]) -> list[bytes]:
    bodies = []
    for batch in range(shape.batches):
        part = slice(batch * shape.points, (batch + 1) * shape.points)
        steps = np.arange(part.start, part.stop)
        points = [
            {"metric": f"metric-{metric}", "values": values[part], "steps": steps}
            for metric in range(shape.metrics)
        ]
        bodies.append(
            request(RECORD, input={"run": run, "writer": "job", "sequence": batch, "points": points})
        )
    return bodies


def _check(server: Server, run: str, shape: Shape, values: NDArray[np.float64]) -> None:
    found = server.ask(READ, run=run, points=len(values))["run"]["metrics"]["nodes"]
    counts = {metric["name"]: metric["summary"]["count"] for metric in found}
    if counts != {f"metric-{metric}": len(values) for metric in range(shape.metrics)}:
        raise Wrong(f"W1b: {counts} points were read of {len(values)} each")
    first = next(metric["series"] for metric in found if metric["name"] == "metric-0")
    if first != {"x": list(range(len(values))), "y": values.tolist(), "exact": True}:
        raise Wrong("W1b: the points read are not the points recorded")


def _in_process(bench: Bench, shape: Shape, goal: float) -> Figure:
    values = np.random.default_rng(shape.points).random(shape.batches * shape.points)
    rates = [
        shape.total / asyncio.run(_record(bench.store(), shape, values))
        for _ in bench.rounds(f"W1b: {shape.words}, Recorder in process")
    ]
    words = f"{shape.words}, Recorder in process"
    return Figure("W1b", words, "pts/s", tuple(rates), True, "the count of every metric", goal)


async def _record(path: Path, shape: Shape, values: NDArray[np.float64]) -> float:
    """Seconds that all batches take, each awaited before the next."""
    store = await SqliteStore.open(path)
    recorder = Recorder(store)
    steps = np.arange(len(values))
    batches: list[Sequence[LogPoints]] = [
        [
            LogPoints(
                "run",
                f"metric-{metric}",
                values[first : first + shape.points],
                steps[first : first + shape.points],
            )
            for metric in range(shape.metrics)
        ]
        for first in range(0, len(values), shape.points)
    ]
    try:
        await recorder.record(WORKSPACE, [DeclareRun("run", EXPERIMENT, "run", "benchmark")])
        begin = time.perf_counter()
        for index, batch in enumerate(batches):
            await recorder.record(WORKSPACE, batch, writer="job", sequence=index)
        seconds = time.perf_counter() - begin
        run = ids.run_id(ids.workspace_id(WORKSPACE), "run")
        found = await store.list_named(Metric, run, first=1000)
        if [metric.count for metric in found] != [len(values)] * shape.metrics:
            raise Wrong("W1b: the store does not hold the points recorded")
        return seconds
    finally:
        await recorder.close()
        await store.close()
