"""Command line of the sweep, ``python -m graphql_runs.demo.sweep FOLDER``; see :mod:`graphql_runs.demo`."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from graphql_runs.demo import digits
from graphql_runs.demo.coordinator import Sweep
from graphql_runs.demo.files import FolderBusy, exclusive
from graphql_runs.demo.space import MAX_CHILDREN, MIN_CHILDREN

MAX_SECONDS = 24 * 3600.0


def main() -> int:
    """Exit code 0 when the sweep completed, 1 when it failed, 2 for bad input, 128 + n after signal n."""
    arguments = _parse()
    if not digits.available():
        return _refuse("the demo needs scikit-learn: install graphql-runs[demo]")
    folder: Path = arguments.folder.resolve()
    try:
        (folder / "azureml").mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "azureml" / ".sweep.lock"):
            return _run(folder, arguments)
    except FolderBusy as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"cannot write to {folder}: {error}")


def _run(folder: Path, arguments: argparse.Namespace) -> int:
    printing = threading.Lock()

    def report(line: str) -> None:
        if not arguments.quiet:
            with printing:
                print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)

    stop = threading.Event()
    received: list[int] = []

    def on_signal(signum: int, _frame: FrameType | None) -> None:
        received.append(signum)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    # Only other threads wait for `stop`, so the handler, which runs in this one, never finds it locked.
    sweep = Sweep(folder, arguments.seconds, arguments.children, arguments.seed, report, stop)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(sweep.run)
        while not wait([future], timeout=0.5).done:
            continue
        code = future.result()
    return 128 + received[0] if received else code


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m graphql_runs.demo.sweep",
        description="Run a small hyper-parameter sweep on handwritten digits, writing what real jobs write.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write; made when missing")
    parser.add_argument("--seconds", type=_seconds, default=60.0, help="about how long it takes (default 60)")
    parser.add_argument("--children", type=_children, default=6, help="child runs, 4 to 32 (default 6)")
    parser.add_argument("--seed", type=_seed, default=0, help="of the search and the training (default 0)")
    parser.add_argument("--quiet", action="store_true", help="do not print changes of status")
    return parser.parse_args()


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and 1 <= value <= MAX_SECONDS):
        raise argparse.ArgumentTypeError(f"must be from 1 to {MAX_SECONDS:g}, not {text}")
    return value


def _children(text: str) -> int:
    value = int(text)
    if not MIN_CHILDREN <= value <= MAX_CHILDREN:
        raise argparse.ArgumentTypeError(f"must be from {MIN_CHILDREN} to {MAX_CHILDREN}, not {text}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be from 0 to 4294967295, not {text}")
    return value


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
