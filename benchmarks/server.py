"""The server under measurement: the installed console script as a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import psutil

from benchmarks.figure import Wrong
from benchmarks.replay import HOST, Connection, request

SCRIPT = Path(sys.executable).with_name("graphql-runs")
_PATIENCE = 60.0
_FIRST = request("{ server { version } }")


class Server:
    """`graphql-runs serve` on a store and a free port of loopback, from the first answer to the end of the block.

    store: a file, or the address of another store; then the log is in `folder`, which must be given. `seconds` is how long
    it took from the start of the process to that answer.
    """

    def __init__(
        self,
        store: Path | str,
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
        **settings: str | float,
    ) -> None:
        self.port = free_port()
        place = folder or Path(store).parent
        self._log = place / f"server-{self.port}.log"
        command: list[str | Path] = [
            SCRIPT,
            "serve",
            "--store",
            address_of(store),
            "--port",
            str(self.port),
            "--log-level",
            "warning",
        ]
        environment = dict(environment) | {
            f"GRAPHQL_RUNS_{name.upper()}": str(value) for name, value in settings.items()
        }
        begin = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        self.seconds = time.perf_counter() - begin

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def ask(self, query: str, **variables: Any) -> Any:
        """The `data` of a GraphQL answer; on a connection of its own, as the server closes those that idle."""
        with Connection(self.port) as connection:
            return orjson.loads(connection.post(request(query, **variables)))["data"]

    def memory(self) -> float:
        """Resident memory of the process and its children, MiB."""
        process = psutil.Process(self._process.pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / (1 << 20)

    def peak_memory(self, action: Callable[[], object]) -> float:
        """How far resident memory rises during an action above what it was before, MiB (Linux)."""
        process = Path("/proc") / str(self._process.pid)
        # https://docs.kernel.org/filesystems/proc.html: 5 resets the peak to what is resident now.
        (process / "clear_refs").write_text("5")
        before = _resident(process, "VmRSS")
        action()
        return (_resident(process, "VmHWM") - before) / 1024

    def _wait(self) -> None:
        deadline = time.perf_counter() + _PATIENCE
        while self._process.poll() is None and time.perf_counter() < deadline:
            try:
                with Connection(self.port) as connection:
                    connection.post(_FIRST)
                    return
            except OSError:
                time.sleep(0.001)
        raise Wrong(f"the server did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()


def address_of(store: Path | str) -> str:
    """The address of a store that is given as a file, or as it is."""
    return f"sqlite:///{store}" if isinstance(store, Path) else store


def _resident(process: Path, name: str) -> int:
    """A line of /proc/PID/status in KiB."""
    for line in (process / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise Wrong(f"this system does not tell {name}")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port
