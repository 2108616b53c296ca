"""MLflow's own library at work, in an environment of its own, once each time it is called; prints a JSON object of figures.

mlflow_jobs.py write FOLDER RUNS METRICS STEPS   a database `mlflow.db`, by its own store
mlflow_jobs.py read FOLDER POINTS                all of it, by its own client: points a second
mlflow_jobs.py log ADDRESS CALLS BATCHES         its client against a server: calls and points a second
mlflow_jobs.py serve FOLDER PORT                 its server, until it is killed
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BATCH = 1000
"""MLflow's limit."""


def write(folder: Path, runs: int, metrics: int, steps: int) -> dict[str, float]:
    """A database of finished runs with params and tags."""
    client, metric = _client(f"sqlite:///{folder / 'mlflow.db'}")
    param: Any = importlib.import_module("mlflow.entities").Param
    experiment = client.create_experiment("bench", str(folder / "artifacts"))
    for number in range(runs):
        run = client.create_run(experiment, number, {"team": "a"}, f"run-{number}").info.run_id
        client.log_batch(run, params=[param(f"p{place}", str(place)) for place in range(10)])
        points = [
            metric(f"metric-{name}", number + step / 7, 1_700_000_000_000 + step, step)
            for step in range(steps)
            for name in range(metrics)
        ]
        for first in range(0, len(points), BATCH):
            client.log_batch(run, points[first : first + BATCH])
        client.set_terminated(run, "FINISHED")
    return {}


def read(folder: Path, points: int) -> dict[str, float]:
    """Everything of it, kept nowhere."""
    client, _ = _client(f"sqlite:///{folder / 'mlflow.db'}")
    begin = time.perf_counter()
    found = 0
    token = None
    while True:
        page = client.search_runs([client.get_experiment_by_name("bench").experiment_id], page_token=token)
        for run in page:
            found += sum(len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics)
        token = page.token
        if not token:
            break
    seconds = time.perf_counter() - begin
    if found != points:
        raise RuntimeError(f"mlflow: {found} points of {points}")
    return {"points": points / seconds}


def log(address: str, calls: int, batches: int) -> dict[str, float]:
    """One point a call, and a thousand; all are there then."""
    client, metric = _client(address)
    run = client.create_run(client.create_experiment(f"bench-{time.time_ns()}")).info.run_id
    begin = time.perf_counter()
    for step in range(calls):
        client.log_metric(run, "loss", step / 7, 1_700_000_000_000 + step, step)
    single = time.perf_counter() - begin
    rows = [
        [
            metric(
                f"metric-{place % 10}",
                place / 7,
                1_700_000_000_000 + place,
                batch * BATCH // 10 + place // 10,
            )
            for place in range(BATCH)
        ]
        for batch in range(batches)
    ]
    begin = time.perf_counter()
    for row in rows:
        client.log_batch(run, row)
    together = time.perf_counter() - begin
    found = client.get_metric_history(run, "loss")
    if [point.value for point in found] != [step / 7 for step in range(calls)]:
        raise RuntimeError("the points read are not the points logged")
    if len(client.get_metric_history(run, "metric-0")) != batches * BATCH // 10:
        raise RuntimeError("points are missing")
    return {"calls": calls / single, "points": batches * BATCH / together}


def serve(folder: Path, port: str) -> None:
    """Become the server: one worker on SQLite, as MLflow's own default has it."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--workers",
        "1",
    ]
    store = [
        "--backend-store-uri",
        f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        str(folder),
    ]
    os.execv(sys.executable, [*command, *store])


def _client(address: str) -> tuple[Any, Any]:
    client: Any = importlib.import_module("mlflow").MlflowClient
    metric: Any = importlib.import_module("mlflow.entities").Metric
    return client(address), metric


def main() -> None:
    """Do one thing, with what mlflow itself prints kept away from standard output."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    what, place, *numbers = sys.argv[1:]
    if what == "serve":
        serve(Path(place), numbers[0])
    with contextlib.redirect_stdout(io.StringIO()):
        match what:
            case "log":
                found = log(place, *map(int, numbers))
            case "read":
                found = read(Path(place), *map(int, numbers))
            case _:
                found = write(Path(place), *map(int, numbers))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
