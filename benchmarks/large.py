"""W9: a store with 20 GB of history: start, memory and first answers are those of an empty one."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson

from benchmarks.bench import Bench, milliseconds
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.seed import EXPERIMENT, WORKSPACE
from benchmarks.server import Server, address_of
from graphql_runs.model.operation import DeclareRun, LogPoints, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.opening import open_store

GIGABYTE = 10**9
METRICS = 20
POINTS = 8192
BATCHES = 10
"""A run has so many batches of METRICS × POINTS points: about 40 MB."""
PAGE = "{ runs(first: 50) { totalCount nodes { runId status metrics(first: 3) { nodes { name summary { last } } } } } }"
CHART = """
query ($workspace: String!, $run: String!) {
  workspace(name: $workspace) { run(runId: $run) { metric(name: "metric-7") { series(points: 1000) { x total } } } }
}
"""


def large(bench: Bench) -> list[Figure]:
    """W9."""
    store = bench.store()
    free = shutil.disk_usage(store.parent).free
    wanted = min(bench.size(20 * GIGABYTE, GIGABYTE // 5), free // 2)
    with bench.bar(f"W9: writing {wanted / GIGABYTE:.1f} GB", wanted) as advance:
        runs = asyncio.run(_fill(store, wanted, advance))
    size = sum(path.stat().st_size for path in store.parent.iterdir())
    empty = bench.store()
    with Server(empty, bench.environment):
        pass
    taken: dict[str, list[float]] = {}
    for _ in bench.rounds(f"W9: {size / GIGABYTE:.1f} GB, {runs:,} runs"):
        for key, value in (*_start(bench, store, runs, "full"), *_start(bench, empty, 0, "empty")):
            taken.setdefault(key, []).append(value)
    words = f"with {size / GIGABYTE:.1f} GB of history"
    return [
        Figure(
            "W9",
            f"{what} {words}",
            unit,
            tuple(taken[f"{key} full"]),
            False,
            "the page counts all runs, the chart is of all points",
            goal,
            (Beside("an empty store", tuple(taken[f"{key} empty"])),) if f"{key} empty" in taken else (),
        )
        for what, key, unit, goal in (
            ("start to the first answer", "start", "s", 0.45),
            ("resident memory, a second after the start", "memory", "MiB", 70),
            ("first page of 50 runs after the start, their count among it", "page", "ms", None),
            (
                f"chart of 1,000 of {BATCHES * POINTS:,} points, not read since the start",
                "chart",
                "ms",
                None,
            ),
        )
    ]


async def _fill(path: Path, wanted: int, advance: Callable[[int], None]) -> int:
    """Write runs until the file has `wanted` bytes; gives how many."""
    store = await open_store(address_of(path))
    recorder = Recorder(store)
    random = np.random.default_rng(9)
    size = index = 0
    try:
        while size < wanted:
            run = f"run-{index}"
            await recorder.record(WORKSPACE, [DeclareRun(run, EXPERIMENT, run, "benchmark")])
            for batch in range(BATCHES):
                steps = np.arange(batch * POINTS, (batch + 1) * POINTS, dtype=np.int64)
                at = 1_700_000_000_000_000 + steps * 1000
                values = random.random((METRICS, POINTS))
                await recorder.record(
                    WORKSPACE,
                    [
                        LogPoints(run, f"metric-{metric}", values[metric], steps, at)
                        for metric in range(METRICS)
                    ],
                )
            await recorder.record(WORKSPACE, [SetStatus(run, RunStatus.COMPLETED, "benchmark")])
            index += 1
            advance(-size + (size := _size(path)))
    finally:
        await recorder.close()
        await store.close()
    return index


def _size(path: Path) -> int:
    return path.stat().st_size


def _start(bench: Bench, store: Path, runs: int, name: str) -> list[tuple[str, float]]:
    """Start a server and ask it for the first time."""
    with Server(store, bench.environment, compact_seconds=0) as server:
        time.sleep(1)
        found = [(f"start {name}", server.seconds), (f"memory {name}", server.memory())]
        done = bench.load.replay(server.port, [request(PAGE)])
        if (count := orjson.loads(done.answers[0])["data"]["runs"]["totalCount"]) != runs:
            raise Wrong(f"W9: {count} runs are counted, not {runs}")
        found.append((f"page {name}", milliseconds(done.latencies)))
        if not runs:
            return found
        bodies = [
            request(CHART, workspace=WORKSPACE, run=f"run-{index}")
            for index in range(0, runs, max(1, runs // 5))
        ]
        done = bench.load.replay(server.port, bodies)
        series = orjson.loads(done.answers[0])["data"]["workspace"]["run"]["metric"]["series"]
        if series["total"] != BATCHES * POINTS:
            raise Wrong(f"W9: the chart is of {series['total']} points")
        return [*found, (f"chart {name}", milliseconds(done.latencies))]
