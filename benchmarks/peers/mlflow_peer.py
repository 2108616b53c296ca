"""MLflow, measured in an environment of its own: `python mlflow_peer.py FOLDER`.

Its tracking server with one worker on SQLite, and its own client. Prints one JSON object: for each figure, `workload what`, its
values.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STEPS, METRICS, BATCHES, BATCH = 200, 5, 5, 1000


class Tracking:
    """The tracking server as a process."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        begin = time.perf_counter()
        store = [
            "--backend-store-uri",
            f"sqlite:///{folder / 'mlflow.sqlite'}",
            "--artifacts-destination",
            str(folder),
        ]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
                *store,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        body = json.dumps({"max_results": 1}).encode()
        asking = urllib.request.Request(
            f"{self.address}/api/2.0/mlflow/experiments/search", body, {"content-type": "application/json"}
        )
        while True:
            try:
                with urllib.request.urlopen(asking, timeout=60) as answer:
                    answer.read()
                break
            except (OSError, urllib.error.URLError):
                if self._process.poll() is not None:
                    raise
                time.sleep(0.002)
        self.seconds = time.perf_counter() - begin

    def memory(self) -> float:
        """Resident memory of the server and its workers, MiB."""
        pages = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getsid(int(process.name)) == self._process.pid:
                    pages += int((process / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def end(self) -> None:
        """Stop the server with its workers."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def tracking(folder: Path) -> Iterator[Tracking]:
    """A server until the end of the block."""
    server = Tracking(folder)
    try:
        yield server
    finally:
        server.end()


def stream(client: Any, metric: Any, run: str) -> float:
    """Points a second from the first call until all are read through the API; one log_batch a step."""
    values = [[random.random() for _ in range(METRICS)] for _ in range(STEPS)]
    begin = time.perf_counter()
    for step, row in enumerate(values):
        client.log_batch(run, [metric(f"metric-{index}", value, 0, step) for index, value in enumerate(row)])
    found = [client.get_metric_history(run, f"metric-{index}") for index in range(METRICS)]
    seconds = time.perf_counter() - begin
    if [[point.value for point in points] for points in found] != [
        list(column) for column in zip(*values, strict=True)
    ]:
        raise RuntimeError("mlflow: the points read are not the points logged")
    return STEPS * METRICS / seconds


def bulk(client: Any, metric: Any, run: str) -> float:
    """Points a second in batches of 1000, its limit."""
    batches = [
        [
            metric(f"metric-{index % 10}", random.random(), 0, batch * 100 + index // 10)
            for index in range(BATCH)
        ]
        for batch in range(BATCHES)
    ]
    begin = time.perf_counter()
    for batch in batches:
        client.log_batch(run, batch)
    seconds = time.perf_counter() - begin
    if len(client.get_metric_history(run, "metric-0")) != BATCHES * BATCH // 10:
        raise RuntimeError("mlflow: points are missing")
    return BATCHES * BATCH / seconds


def measure(folder: Path) -> dict[str, list[float]]:
    """All figures."""
    found: dict[str, list[float]] = {"W6 start": [], "W6 memory": [], "W1 points": [], "W1b points": []}
    client_type: Any = importlib.import_module("mlflow").MlflowClient
    metric: Any = importlib.import_module("mlflow.entities").Metric
    # Once for its tables to be made, as any later start finds them.
    with tracking(folder):
        pass
    for index in range(3):
        with tracking(folder) as server:
            found["W6 start"].append(server.seconds)
            time.sleep(1)
            found["W6 memory"].append(server.memory())
            client = client_type(server.address)
            experiment = client.create_experiment(f"bench-{index}")
            found["W1 points"].append(stream(client, metric, client.create_run(experiment).info.run_id))
            found["W1b points"].append(bulk(client, metric, client.create_run(experiment).info.run_id))
    return found


def main() -> None:
    """Measure with what mlflow itself prints kept away from standard output."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with contextlib.redirect_stdout(io.StringIO()):
        found = measure(Path(sys.argv[1]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
