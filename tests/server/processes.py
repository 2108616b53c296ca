"""Real server processes for tests."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SCRIPT = Path(sys.executable).with_name("graphql-runs")


class ServerProcess:
    """`graphql-runs serve` as a user starts it."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process = process
        self.address = address
        self.websocket = address.replace("http", "ws", 1) + "/graphql"
        self.graphql = f"{address}/graphql"
        self.port = int(address.rsplit(":", 1)[1])

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """A polite signal; gives the exit code."""
        self.process.send_signal(number)
        await asyncio.wait_for(self.process.communicate(), 20)
        assert self.process.returncode is not None
        return self.process.returncode


async def start(*arguments: str, cwd: Path, port: int = 0) -> ServerProcess:
    """Start a server and wait until it answers. Raises AssertionError with its output when it ends instead."""
    process = await asyncio.create_subprocess_exec(
        str(SCRIPT),
        "serve",
        *arguments,
        "--port",
        str(port),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode():
            if line.strip().startswith("page"):
                return ServerProcess(process, line.split()[1].rstrip("/"))
    _, errors = await process.communicate()
    raise AssertionError(f"the server ended with {process.returncode}: {errors.decode()}")


@asynccontextmanager
async def serving(*arguments: str, cwd: Path) -> AsyncIterator[ServerProcess]:
    """A server for the time of a block."""
    server = await start(*arguments, cwd=cwd)
    try:
        yield server
    finally:
        await server.kill()
