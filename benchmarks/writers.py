"""W1c: three server processes on one store, each with a job that writes through it, at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import Bench, quantile
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.server import Server
from benchmarks.stream import METRICS, calls_of, check_points, create_run

WRITERS = 3
COUNTS = """
query ($run: ID!) { run(id: $run) { metrics(first: 100) { nodes { name summary { count } } } } }
"""


def writers(bench: Bench) -> list[Figure]:
    """W1c."""
    figures = _on(bench, bench.store(), "SQLite", bench.size(600, 60))
    with bench.mongodb() as address:
        if address is not None:
            figures += _on(bench, address, "MongoDB stand-in (mongo-java-server, H2)", bench.size(150, 30))
    return figures


def _on(bench: Bench, store: Path | str, name: str, steps: int) -> list[Figure]:
    values = np.random.default_rng(7).random((len(METRICS), steps))
    apart: list[float] = []
    slowest: list[float] = []
    fairness: list[float] = []
    one_run: list[float] = []
    alone: list[float] = []
    folder = bench.store().parent
    with ExitStack() as stack:
        servers = [
            stack.enter_context(Server(store, bench.environment, folder=folder)) for _ in range(WRITERS)
        ]
        ports = [server.port for server in servers]
        for index in bench.rounds(f"W1c: {WRITERS} servers on one {name} store"):
            run = create_run(servers[0], f"alone-{index}")
            alone.append(steps / bench.load.replay(ports[0], calls_of(run, values)).seconds)
            runs = [create_run(server, f"run-{index}-{place}") for place, server in enumerate(servers)]
            done = bench.load.replay_each(ports, [calls_of(run, values) for run in runs])
            apart.append(WRITERS * steps / done.seconds)
            slowest.append(1000 * quantile(done.latencies, 0.99))
            fairness.append(max(done.each) / min(done.each))
            for place, run in enumerate(runs):
                # Through another server than it was written.
                check_points(servers[place - 1], run, values)
            one_run.append(WRITERS * steps / _together(bench, servers, f"one-{index}", values))
    checked = "all points of all runs, read through another server than the one they were written through"
    counted = "every metric has the points of all three writers"
    return [
        Figure(
            "W1c",
            f"{name}: {WRITERS} servers, a run each, 5 points a call, all calls",
            "calls/s",
            tuple(apart),
            True,
            checked,
            beside=(Beside("one of the servers alone", tuple(alone)),),
        ),
        Figure("W1c", f"{name}: slowest of 100 such calls (p99)", "ms", tuple(slowest), False, checked),
        Figure(
            "W1c",
            f"{name}: time of the slowest writer over that of the fastest",
            "×",
            tuple(fairness),
            False,
            checked,
        ),
        Figure(
            "W1c", f"{name}: {WRITERS} servers, all into one run", "calls/s", tuple(one_run), True, counted
        ),
    ]


def _together(bench: Bench, servers: Sequence[Server], name: str, values: NDArray[np.float64]) -> float:
    """Seconds in which all writers write to one run."""
    run = create_run(servers[0], name)
    scripts = [calls_of(run, values, f"job-{place}") for place in range(len(servers))]
    done = bench.load.replay_each([server.port for server in servers], scripts)
    found = servers[1].ask(COUNTS, run=run)["run"]["metrics"]["nodes"]
    counts = {metric["name"]: metric["summary"]["count"] for metric in found}
    if counts != dict.fromkeys(METRICS, len(servers) * values.shape[1]):
        raise Wrong(f"W1c: the run has {counts}")
    return done.seconds
