"""W1: a job logs five metrics a step, each step one synchronous, durable `record` call over HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import floor
from benchmarks.bench import Bench, quantile
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.server import Server

METRICS = ("loss", "accuracy", "learning_rate", "grad_norm", "throughput")
CREATE = """
mutation ($run: String!) {
  createRun(input: {workspace: "bench", experiment: "bench", name: $run, runId: $run}) { run { id } }
}
"""
RECORD = "mutation ($input: RecordInput!) { record(input: $input) { repeated } }"
READ = """
query ($run: ID!, $points: Int!) {
  run(id: $run) { metrics(first: 100) { nodes { name summary { count } series(points: $points) { x y exact } } } }
}
"""


def create_run(server: Server, name: str) -> str:
    """The server's id of a new run."""
    id: str = server.ask(CREATE, run=name)["createRun"]["run"]["id"]
    return id


def stream(bench: Bench) -> list[Figure]:
    """W1."""
    steps = bench.size(2000, 300)
    values = np.random.default_rng(5).random((len(METRICS), steps))
    calls, points, slowest, disk, plain = [], [], [], [], []
    store = bench.store()
    with Server(store, bench.environment) as server:
        for index in bench.rounds(f"W1: {steps} record calls of {len(METRICS)} points"):
            run = create_run(server, f"run-{index}")
            done = bench.load.replay(server.port, calls_of(run, values))
            reading = bench.load.replay(server.port, [request(READ, run=run, points=max(steps, 4))])
            check_points(server, run, values)
            calls.append(steps / done.seconds)
            points.append(values.size / (done.seconds + reading.seconds))
            slowest.append(1000 * quantile(done.latencies, 0.99))
            disk.append(floor.syncs(store.parent, steps))
            plain.append(floor.inserted(store.parent, steps, len(METRICS), 1))
    read = f"each of the {values.size} points read back through the API, unchanged and in order"
    return [
        Figure(
            workload="W1",
            what="synchronous `record` calls, 5 points each, one connection",
            unit="calls/s",
            values=tuple(calls),
            more=True,
            goal=1500,
            checked=read,
            beside=(
                Beside("fdatasync of 8 KiB appends", tuple(disk)),
                Beside("plain SQLite commits of 5 rows", tuple(plain)),
            ),
        ),
        Figure(
            workload="W1",
            what="the same until all points are read through the API",
            unit="pts/s",
            values=tuple(points),
            more=True,
            checked=read,
            beside=bench.beside("W1", "points"),
        ),
        Figure("W1", "slowest of 100 such calls (p99)", "ms", tuple(slowest), more=False, checked=read),
    ]


def calls_of(run: str, values: NDArray[np.float64], writer: str = "job") -> list[bytes]:
    """One `record` request a step; values: shape (metrics, steps)."""
    bodies = []
    for step, column in enumerate(values.T.tolist()):
        points = [
            {"metric": metric, "values": [value], "steps": [step]}
            for metric, value in zip(METRICS, column, strict=True)
        ]
        bodies.append(
            request(RECORD, input={"run": run, "writer": writer, "sequence": step, "points": points})
        )
    return bodies


def check_points(server: Server, run: str, values: NDArray[np.float64]) -> None:
    """Raises Wrong unless the run's metrics are these values."""
    steps = values.shape[1]
    found: list[dict[str, Any]] = server.ask(READ, run=run, points=max(steps, 4))["run"]["metrics"]["nodes"]
    expected = {
        metric: {
            "name": metric,
            "summary": {"count": steps},
            "series": {"x": list(range(steps)), "y": column.tolist(), "exact": True},
        }
        for metric, column in zip(METRICS, values, strict=True)
    }
    if {metric["name"]: metric for metric in found} != expected:
        raise Wrong("W1: the points read are not the points recorded")
