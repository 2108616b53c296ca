"""Running a job as a process of its own: arithmetic on one thread, output in a log, stopped on request."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from graphql_runs.demo import job

_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0


def run(module: str, arguments: Sequence[str], folder: Path, log: Path, stop: threading.Event) -> int:
    """Run ``python -m MODULE ARGUMENTS`` in FOLDER with stdout and stderr appended to LOG; its exit code.

    When STOP is set the process gets SIGTERM and, should it not end, SIGKILL; the exit code then is not 0.
    """
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    environment |= {"VECLIB_MAXIMUM_THREADS": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    if sys.platform != "win32":  # there the interpreter of a virtual environment is a grandchild
        environment[job.PARENT_VARIABLE] = str(os.getpid())
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal goes to a whole session: the sweep alone hears it and then stops its jobs.
            start_new_session=True,
        )
    try:
        while not stop.is_set():
            try:
                return process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() or -1
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
