"""What the demo's jobs share: start-up, logging, pace, and stopping when told to or when orphaned."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from types import FrameType

STOPPED_EXIT_CODE = 128 + signal.SIGTERM
PARENT_VARIABLE = "GRAPHQL_RUNS_DEMO_PARENT"
"""Environment variable with the id of the process whose death ends the job."""

_SLICE_SECONDS = 0.1


class Stopped(Exception):
    """The job was asked to stop, or the process that started it is gone."""


def start(name: str) -> logging.Logger:
    """Lower this process's priority and log to stdout, each line flushed, times in UTC."""
    if hasattr(os, "nice"):
        os.nice(10)
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return logger


class Pace:
    """Spreads STEPS steps over SECONDS, so that people see the job move; a slower job never sleeps."""

    def __init__(self, seconds: float, steps: int) -> None:
        self._seconds_per_step = seconds / steps
        self._start = time.monotonic()
        self._step = 0
        # The parent may have died before this line, so its id is what it said, when it said so.
        self._parent = int(os.environ.get(PARENT_VARIABLE, os.getppid()))
        self._stop = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def step(self) -> None:
        """End a step. Raises Stopped after SIGTERM, or when the parent process has died."""
        self._step += 1
        due = self._start + self._step * self._seconds_per_step
        while True:
            # A flag, not an exception out of the handler: lines are never cut in the middle.
            if self._stop or os.getppid() != self._parent:
                raise Stopped
            left = due - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _SLICE_SECONDS))

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._stop = True
