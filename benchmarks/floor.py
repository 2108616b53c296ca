"""What the machine can do without us: the disk, SQLite as it is, numpy and orjson on bare arrays, imports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import apsw
import numpy as np
import orjson
import psutil
from numpy.typing import NDArray

from benchmarks.bench import timed

_RECORD = b"\0" * 8192
_IMPORTS = "import strawberry, uvicorn, numpy; print(flush=True); input()"


def syncs(folder: Path, count: int) -> float:
    """Appends of 8 KiB with an fdatasync each, a second."""
    path = folder / "syncs"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        begin = time.perf_counter()
        for _ in range(count):
            os.write(handle, _RECORD)
            os.fdatasync(handle)
        return count / (time.perf_counter() - begin)
    finally:
        os.close(handle)
        path.unlink()


def inserted(folder: Path, batches: int, metrics: int, points: int) -> float:
    """Commits a second of a plain SQLite table with one row per point: WAL, synchronous=FULL, `metrics` × `points` rows
    a commit."""
    path = folder / "plain.sqlite"
    db = apsw.Connection(str(path))
    try:
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "FULL")
        db.execute(
            "CREATE TABLE point(metric INTEGER, row INTEGER, step INTEGER, value REAL, at INTEGER, PRIMARY KEY(metric, row))"
            " WITHOUT ROWID"
        )
        values = np.random.default_rng(1).random(points).tolist()
        begin = time.perf_counter()
        for batch in range(batches):
            first = batch * points
            with db:
                db.executemany(
                    "INSERT INTO point VALUES (?, ?, ?, ?, ?)",
                    (
                        (metric, first + row, first + row, value, 1_700_000_000_000_000 + first + row)
                        for metric in range(metrics)
                        for row, value in enumerate(values)
                    ),
                )
        return batches / (time.perf_counter() - begin)
    finally:
        db.close()
        for part in folder.glob("plain.sqlite*"):
            part.unlink()


def parsed(bodies: Sequence[bytes]) -> float:
    """Seconds to read these JSON texts with orjson."""
    return timed(lambda: [orjson.loads(body) for body in bodies])


def dumped(x: NDArray[np.int64], y: NDArray[np.float64], at: NDArray[np.float64]) -> float:
    """Seconds to write three columns as JSON with orjson."""
    return timed(lambda: orjson.dumps({"x": x, "y": y, "at": at}, option=orjson.OPT_SERIALIZE_NUMPY))


def reduced(y: NDArray[np.float64], buckets: int) -> float:
    """Seconds to find the least and greatest value of every bucket with numpy."""
    whole = y[: len(y) // buckets * buckets].reshape(buckets, -1)

    def both() -> None:
        whole.argmin(axis=1)
        whole.argmax(axis=1)

    return timed(both)


def imported(environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds until a Python has imported what our server is made from, and its resident memory then, MiB."""
    begin = time.perf_counter()
    command = [sys.executable, "-c", _IMPORTS]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - begin
        resident = psutil.Process(process.pid).memory_info().rss / (1 << 20)
        process.communicate(b"\n")
    return seconds, resident


def best(action: Callable[[], float], times: int) -> float:
    """The least of several short measurements: what the machine can do, not what disturbed it."""
    return min(action() for _ in range(times))
