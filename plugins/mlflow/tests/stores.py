"""Scripts that use MLflow, in an environment of its own, and the stores that they write."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

from tests import isolated

VERSIONS: dict[str, tuple[str, ...]] = {
    "3.17.2": (),
    "2.22.0": ("setuptools<80",),
    "1.30.1": ("setuptools<80",),
}
"""Versions of mlflow-skinny with what they need besides: today's, and the last ones of the two major versions before."""
DATABASE = ("sqlalchemy<2.1", "alembic")
"""What mlflow-skinny needs besides to track in a database."""
_JOB = Path(__file__).with_name("job.py")
TRACKED = Path(__file__).with_name("tracked.py")


@cache
def written(version: str, rows: int = 0) -> tuple[Path, dict[str, str]]:
    """A store, and the ids of its runs by name. Skips the test where MLflow cannot be had, but fails it in CI."""
    folder = Path(mkdtemp(prefix="mlflow-"))
    return folder / "mlruns", said_by(version, _JOB, folder, str(rows))


@dataclass(frozen=True)
class Tracked:
    """A database after a job, and when more was added to it; with what MLflow says of all runs in each. `artifacts` is the folder
    `mlruns` that belongs to it."""

    first: Path
    later: Path
    artifacts: Path
    said_first: dict[str, Any]
    said_later: dict[str, Any]


@cache
def tracked(version: str) -> Tracked:
    """A database of this version. It is made once for all the processes of a test run. Skips like `written`."""
    place = Path(gettempdir()) / f"mlflow-{version}-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    place.mkdir(exist_ok=True)
    said = place / "said.json"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            arguments = ("sqlite:///mlflow.db", "mlflow.db", "first.db")
            said.write_text(json.dumps(said_by(version, TRACKED, place, *arguments, needs=DATABASE)))
    found = json.loads(said.read_text())
    return Tracked(place / "first.db", place / "mlflow.db", place / "mlruns", found["first"], found["later"])


def said_by(version: str, script: Path, folder: Path, *arguments: str, needs: Sequence[str] = ()) -> Any:
    """What a script that uses MLflow (and `needs` besides) prints last, as JSON with its `version`. Skips like `written`."""
    return isolated.said_by(
        "mlflow-skinny", version, script, folder, *arguments,
        needs=(*VERSIONS[version], *needs), unset="MLFLOW",
    )  # fmt: skip
