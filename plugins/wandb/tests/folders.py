"""Run folders as the wandb client writes them, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

VERSIONS: dict[str, tuple[str, ...]] = {
    "0.31.0": (),
    "0.19.11": (),
    "0.16.6": ("numpy<2", "setuptools<80"),
}
"""Versions of wandb with what they need besides: today's, the last one with Python and Go, and the last one in Python alone."""
_JOB = Path(__file__).with_name("job.py")


@cache
def written(version: str, code: int = 0, rows: int = 0) -> Path:
    """The run folder of a job that ended with a code. Skips the test where wandb cannot be had, but fails it in CI."""
    uv = shutil.which("uv")
    if uv is None:
        return _missing("uv is not on the path")
    folder = Path(mkdtemp(prefix="wandb-"))
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    for requirement in (f"wandb=={version}", *VERSIONS[version]):
        command += ["--with", requirement]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WANDB", "COV"))
    }
    done = subprocess.run(
        [*command, "python", str(_JOB), str(code), str(rows)],
        cwd=folder, capture_output=True, text=True, timeout=170, check=False, env=kept | {"HOME": str(folder)},
    )  # fmt: skip
    if f'"version": "{version}"' not in done.stderr:
        return _missing(done.stderr[-2000:] or done.stdout[-2000:])
    [found] = (folder / "wandb").glob("offline-run-*")
    return found


def _missing(why: str) -> Path:
    if os.environ.get("CI") == "true":
        pytest.fail(f"wandb cannot be run: {why}")
    pytest.skip(f"wandb cannot be run: {why}")
