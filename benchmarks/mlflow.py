"""W12: taking in a database of MLflow's, beside MLflow's own client on the same file. W13: that client against our server and its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench, timed
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.server import Server, free_port
from graphql_runs.ingest.api import Limits
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.plugins import load_plugins
from graphql_runs.model.records import Metric
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.opening import open_store

VERSION = "3.17.2"
_NEEDS = ("sqlalchemy<2.1", "alembic", "flask", "flask-cors", "fastapi", "uvicorn", "aiohttp", "pandas")
"""What mlflow-skinny needs besides to keep runs in a database and to serve them: it is MLflow without the rest."""
_SCRIPT = Path(__file__).parent / "peers" / "mlflow_jobs.py"
_PATIENCE = 300.0
METRICS = 10


def database(bench: Bench) -> list[Figure]:
    """W12."""
    runs, steps = bench.size(100, 5), bench.size(200, 20)
    points = runs * METRICS * steps
    folder = bench.store().parent / "store"
    folder.mkdir()
    _mlflow(bench, "write", folder, runs, METRICS, steps)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in bench.rounds(f"W12: {points:,} points of a database of MLflow's"):
        store = bench.store()
        ours.append(points / timed(lambda store=store: asyncio.run(_take_in(store, folder, runs, points))))  # type: ignore[misc] # a lambda's default has no type
        theirs.append(_mlflow(bench, "read", folder, points)["points"])
    return [
        Figure(
            "W12",
            f"{points:,} points of {runs:,} runs in MLflow's SQLite database, until they are durable in the store",
            "pts/s",
            tuple(ours),
            True,
            "the count of every metric of every run",
            beside=(Beside(f"mlflow {VERSION}'s client, search_runs and get_metric_history", tuple(theirs)),),
        )
    ]


async def _take_in(path: Path, folder: Path, runs: int, points: int) -> None:
    store = await open_store(f"sqlite:///{path}")
    recorder = Recorder(store)
    host = Host(recorder, load_plugins(None), [SourceConfig(folder, "store")], Limits(), poll_seconds=0.2)
    try:
        await host.start()
        while True:
            if sum(report.points for report in host.reports()) == points:
                break
            await asyncio.sleep(0.005)
        for one in await store.find_runs(None, (), first=runs + 1):
            found = await store.list_named(Metric, one.run.id, first=METRICS + 1)
            if [metric.count for metric in found] != [points // runs // METRICS] * METRICS:
                raise Wrong(f"W12: the store does not hold the points of run {one.run.run_id!r}")
        if await store.count_runs(None) != runs:
            raise Wrong("W12: the store does not hold the runs of the database")
    finally:
        await host.close()
        await recorder.close()
        await store.close()


def clients(bench: Bench) -> list[Figure]:
    """W13."""
    calls, batches = bench.size(300, 20), bench.size(20, 2)
    ours: list[Mapping[str, float]] = []
    theirs: list[Mapping[str, float]] = []
    with Server(bench.store(), bench.environment) as server, _their_server(bench) as address:
        for _ in bench.rounds(f"W13: {calls} calls and {batches} batches of MLflow's client"):
            ours.append(_mlflow(bench, "log", f"http://127.0.0.1:{server.port}", calls, batches))
            if address is not None:
                theirs.append(_mlflow(bench, "log", address, calls, batches))
    return [
        Figure(
            "W13",
            what,
            unit,
            tuple(one[name] for one in ours),
            True,
            "every value of `loss`, and the count of another metric, read back by the client",
            beside=(
                Beside(
                    f"mlflow {VERSION}'s server",
                    tuple(one[name] for one in theirs),
                    "" if theirs else "not measured",
                ),
            ),
        )
        for what, unit, name in (
            (f"MLflow's client against our server, {calls} × log_metric", "calls/s", "calls"),
            (f"the same, {batches} × log_batch of 1,000 points", "pts/s", "points"),
        )
    ]


@contextmanager
def _their_server(bench: Bench) -> Iterator[str | None]:
    """MLflow's server with one worker on SQLite; None without peers."""
    if not bench.peers.wanted:
        yield None
        return
    port, folder = free_port(), bench.store().parent
    with (folder / "mlflow.log").open("wb") as out:
        process = subprocess.Popen(
            [*_isolated(), "serve", str(folder), str(port)],
            cwd=folder, env=bench.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, port, folder / "mlflow.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.perf_counter() + _PATIENCE
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise Wrong(f"W13: MLflow's server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _mlflow(bench: Bench, what: str, *arguments: object) -> Mapping[str, float]:
    """Have MLflow's library do something, and what it measured. Raises Wrong."""
    done = subprocess.run(
        [*_isolated(), what, *map(str, arguments)],
        cwd=bench.folder, env=bench.environment, capture_output=True, text=True, timeout=_PATIENCE, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Wrong(f"mlflow {VERSION} could not {what}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _isolated() -> list[str]:
    uv = shutil.which("uv")
    if uv is None:
        raise Wrong(
            "W12 and W13 need MLflow's client, which uv makes an environment for; uv is not on the path"
        )
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    for requirement in (f"mlflow-skinny=={VERSION}", *_NEEDS):
        command += ["--with", requirement]
    return [*command, "python", str(_SCRIPT)]
