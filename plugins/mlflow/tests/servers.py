"""Tracking servers of MLflow's, in environments of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from plugins.mlflow.tests.stores import DATABASE, VERSIONS
from tests.isolated import uv_run

NEEDS = {
    "3.17.2": ("flask", "flask-cors", "fastapi", "uvicorn", "aiohttp", "pandas"),
    "2.22.0": ("flask", "gunicorn"),
    "1.30.1": ("flask<2.3", "werkzeug<2.3", "gunicorn<21", "querystring_parser"),
}
"""What mlflow-skinny needs to serve; the whole of MLflow is far too large for a test."""
_PATIENCE = 120.0


@contextmanager
def tracking(
    version: str, folder: Path, store: str = "sqlite:///mlflow.db", **environment: str
) -> Iterator[str]:
    """A server on a free port with its store in a folder, by its address. Skips the test where it cannot be had, but fails it in CI."""
    uv = shutil.which("uv")
    assert uv is not None
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = uv_run(uv, f"mlflow-skinny=={version}", *VERSIONS[version], *DATABASE, *NEEDS[version])
    command += ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "outputs")]
    command += ["--serve-artifacts", "--default-artifact-root", "mlflow-artifacts:/"]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "MLFLOW"))
    }
    kept |= {"MLFLOW_DISABLE_TELEMETRY": "true", **environment}
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    why = log.read_text(errors="replace")[-3000:]
    if os.environ.get("CI") == "true":
        pytest.fail(f"MLflow's server does not start: {why}")
    pytest.skip(f"MLflow's server does not start: {why}")
