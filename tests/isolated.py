"""Scripts that use a library of somebody else, run in an environment that uv makes for them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

_SECONDS = 170


def said_by(
    package: str,
    version: str,
    script: Path,
    folder: Path,
    *arguments: str,
    needs: Sequence[str] = (),
    unset: str = "",
    home: Path | None = None,
) -> Any:
    """What a script prints last: a JSON object with the `version` of the package that it was given.

    It runs in `folder` with this Python, the package and what it needs besides, and without variables of the environment that
    begin with PYTHON, COV or `unset`. `home` is where it finds and leaves settings of its user. Skips the test where the package
    cannot be had or the script fails, but fails it in CI.
    """
    uv = shutil.which("uv")
    if uv is None:
        _missing(package, "uv is not on the path")
    command = uv_run(uv, f"{package}=={version}", *needs)
    foreign = ("PYTHON", "COV", unset) if unset else ("PYTHON", "COV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    if home is not None:
        # Not for uv, which would fill another cache there.
        command += ["env", f"HOME={home}"]
    done = subprocess.run(
        [*command, "python", str(script), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False, env=kept,
    )  # fmt: skip
    said = done.stdout.strip().splitlines()
    if not said or f'"version": "{version}"' not in said[-1]:
        _missing(package, done.stderr[-2000:] or done.stdout[-2000:])
    return json.loads(said[-1])


def uv_run(uv: str, *requirements: str) -> list[str]:
    """The beginning of a command that runs in an environment of its own with these requirements, on this Python."""
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    for requirement in requirements:
        command += ["--with", requirement]
    return command


def _missing(package: str, why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{package} cannot be run: {why}")
    pytest.skip(f"{package} cannot be run: {why}")
