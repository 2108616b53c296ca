"""Trackio, measured in an environment of its own: `python trackio_peer.py FOLDER RUNS`.

It logs to its embedded SQLite files (commits are not synced to the disk, its default) and answers over its own HTTP API. Prints one
JSON object: for each figure, `workload what`, its values.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import io
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SERVE = "import sys, trackio; trackio.show(open_browser=False, block_thread=True, server_port=int(sys.argv[1]), share=False)"
PAGE = """
SELECT metrics.run_name AS run, json_extract(CAST(metrics AS TEXT), '$.loss') AS loss FROM metrics JOIN configs USING (run_id)
WHERE json_extract(CAST(metrics AS TEXT), '$.loss') < 0.9 AND json_extract(CAST(config AS TEXT), '$.optimizer') = 'adam'
ORDER BY loss LIMIT 50
"""
STEPS, METRICS, HISTORY = 2000, 5, 100_000


class Api:
    """Trackio's server as a process, and one connection to it."""

    def __init__(self) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.port)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while True:
            try:
                self.call("get_all_projects")
                break
            except OSError:
                if self._process.poll() is not None:
                    raise
                self._connection.close()
                time.sleep(0.001)
        self.seconds = time.perf_counter() - begin

    def call(self, name: str, **arguments: Any) -> bytes:
        """The body of an answer."""
        self._connection.request(
            "POST", f"/api/{name}", json.dumps(arguments), {"content-type": "application/json"}
        )
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{name}: {answer.status} {body[:500]!r}")
        return body

    def memory(self) -> float:
        """Resident memory, MiB."""
        with Path(f"/proc/{self._process.pid}/statm").open() as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def end(self) -> None:
        """Stop the server."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def serving() -> Iterator[Api]:
    """A server until the end of the block."""
    api = Api()
    try:
        yield api
    finally:
        api.end()


def stream(trackio: Any, api: Api, name: str) -> float:
    """Points a second from the first log call until all are read through the API."""
    rows = [{f"metric-{metric}": random.random() for metric in range(METRICS)} for _ in range(STEPS)]
    trackio.init(project="stream", name=name, auto_log_gpu=False, auto_log_cpu=False)
    begin = time.perf_counter()
    for step, row in enumerate(rows):
        trackio.log(row, step=step)
    trackio.finish()
    body = api.call("get_logs_batch", project="stream", runs=[{"run": name}], max_points=STEPS)
    seconds = time.perf_counter() - begin
    logs = json.loads(body)["data"][0]["logs"]
    if [{key: log[key] for key in rows[0]} for log in logs] != rows:
        raise RuntimeError("trackio: the points read are not the points logged")
    return STEPS * METRICS / seconds


def median_milliseconds(api: Api, calls: int, name: str, **arguments: Any) -> tuple[float, bytes]:
    """Of some calls, and the last answer."""
    taken = []
    body = b""
    for _ in range(calls):
        begin = time.perf_counter()
        body = api.call(name, **arguments)
        taken.append(1000 * (time.perf_counter() - begin))
    return sorted(taken)[len(taken) // 2], body


def seed_runs(storage: Any, runs: int) -> None:
    """Runs of one point and a config each; the first by trackio, the others into the tables that it made."""
    traits = [(random.random(), random.choice(["adam", "adam", "adam", "sgd", "lion"])) for _ in range(runs)]
    loss, optimizer = traits[0]
    storage.bulk_log(
        "page", "run-0", [{"loss": loss}], steps=[0], config={"optimizer": optimizer}, run_id="run-0"
    )
    db = sqlite3.connect(storage.get_project_db_path("page"))
    for run, (loss, optimizer) in enumerate(traits[1:], 1):
        for table, text in (
            ("metrics", json.dumps({"loss": loss})),
            ("configs", json.dumps({"optimizer": optimizer})),
        ):
            columns = {"metrics": "timestamp, metrics, step", "configs": "created_at, config"}[table]
            values = ["2026-01-01T00:00:00+00:00", text.encode(), 0][: 3 if table == "metrics" else 2]
            marks = ", ".join("?" * (2 + len(values)))
            db.execute(
                f"INSERT INTO {table}(run_id, run_name, {columns}) VALUES ({marks})",
                (f"run-{run}", f"run-{run}", *values),
            )
    db.commit()
    db.close()


def measure(runs: int) -> dict[str, list[float]]:
    """All figures."""
    trackio: Any = importlib.import_module("trackio")
    storage: Any = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    storage.bulk_log(
        "history",
        "run",
        [{"loss": random.random()} for _ in range(HISTORY)],
        steps=list(range(HISTORY)),
        run_id="run",
    )
    seed_runs(storage, runs)
    for index in range(3):
        with serving() as api:
            time.sleep(1)
            add("W6 start", api.seconds)
            add("W6 memory", api.memory())
            add("W1 points", stream(trackio, api, f"run-{index}"))
            asked = {"project": "history", "runs": [{"run": "run"}]}
            taken, body = median_milliseconds(
                api, 2, "get_metric_values", project="history", run="run", metric_name="loss"
            )
            if len(json.loads(body)["data"]) != HISTORY:
                raise RuntimeError("trackio: the history is not whole")
            add("W2 history", taken)
            add("W2b chart", median_milliseconds(api, 2, "get_logs_batch", **asked, max_points=1000)[0])
            taken, body = median_milliseconds(api, 5, "query_project", project="page", query=PAGE)
            if len(json.loads(body)["data"]["rows"]) != 50:
                raise RuntimeError("trackio: not a full page")
            add("W3 page", taken)
    return found


def main() -> None:
    """Measure with what trackio itself prints kept away from standard output."""
    os.environ["TRACKIO_DIR"] = sys.argv[1]
    os.environ["HF_HUB_OFFLINE"] = "1"
    with contextlib.redirect_stdout(io.StringIO()):
        found = measure(int(sys.argv[2]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
