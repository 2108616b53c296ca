"""Scripts that use MLflow, in an environment of its own, and the file stores that they write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NoReturn

import pytest

VERSIONS: dict[str, tuple[str, ...]] = {
    "3.17.2": (),
    "2.22.0": ("setuptools<80",),
    "1.30.1": ("setuptools<80",),
}
"""Versions of mlflow-skinny with what they need besides: today's, and the last ones of the two major versions before."""
_JOB = Path(__file__).with_name("job.py")


@cache
def written(version: str, rows: int = 0) -> tuple[Path, dict[str, str]]:
    """A store, and the ids of its runs by name. Skips the test where MLflow cannot be had, but fails it in CI."""
    folder = Path(mkdtemp(prefix="mlflow-"))
    return folder / "mlruns", said_by(version, _JOB, folder, str(rows))


def said_by(version: str, script: Path, folder: Path, *arguments: str, needs: Sequence[str] = ()) -> Any:
    """What a script that uses MLflow (and `needs` besides) prints last, as JSON with its `version`. Skips like `written`."""
    uv = shutil.which("uv")
    if uv is None:
        _missing("uv is not on the path")
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    for requirement in (f"mlflow-skinny=={version}", *VERSIONS[version], *needs):
        command += ["--with", requirement]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW"))}
    done = subprocess.run(
        [*command, "python", str(script), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=170, check=False, env=kept,
    )  # fmt: skip
    said = done.stdout.strip().splitlines()
    if not said or f'"version": "{version}"' not in said[-1]:
        _missing(done.stderr[-2000:] or done.stdout[-2000:])
    return json.loads(said[-1])


def _missing(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"MLflow cannot be run: {why}")
    pytest.skip(f"MLflow cannot be run: {why}")
