"""Runs mongo-java-server, a server that speaks MongoDB's protocol, for tests and for trying things out.

    python scripts/mongo_java_server/launch.py memory
    python scripts/mongo_java_server/launch.py h2 FILE
    python scripts/mongo_java_server/launch.py prepare

Needs a JDK and Maven. The jars are fetched once, from wherever Maven is told to fetch them, into the user's cache folder; `prepare`
does only that.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_MEMORY = "512m"


class LaunchError(Exception):
    """The server cannot be run here; the message says what is missing."""


@dataclass(slots=True)
class JavaServer:
    """A running server. It ends with the process that started it, whichever way that ends."""

    process: subprocess.Popen[str]
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"mongodb://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it in good order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
        self._close()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(30)
        self._close()

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def missing() -> str | None:
    """What is not installed here, None when nothing is missing."""
    tools = [tool for tool in ("java", "javac", "mvn") if shutil.which(tool) is None]
    return f"{', '.join(tools)} not installed" if tools else None


def prepare() -> Path:
    """The folder with the jars and the compiled launcher, made where it is missing. Raises LaunchError."""
    if (what := missing()) is not None:
        raise LaunchError(what)
    source = b"".join((HERE / name).read_bytes() for name in ("pom.xml", "Launcher.java"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphql-runs"
    folder = cache / f"mongo-java-server-{hashlib.sha256(source).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    # Several test processes may come at once.
    with (cache / "mongo-java-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "Launcher.class").exists():
            _run(
                [
                    "mvn",
                    "--quiet",
                    "--batch-mode",
                    "--file",
                    str(HERE / "pom.xml"),
                    "dependency:copy-dependencies",
                    f"-DoutputDirectory={folder / 'lib'}",
                ]
            )
            _run(["javac", "-cp", f"{folder / 'lib'}/*", "-d", str(folder), str(HERE / "Launcher.java")])
    return folder


def start(*arguments: str) -> JavaServer:
    """Start the server with the arguments of Launcher.java: `memory` or `h2 FILE`, then a port. Raises LaunchError."""
    folder = prepare()
    process = subprocess.Popen(
        [
            "java",
            f"-Xmx{_MEMORY}",
            "-XX:+UseSerialGC",
            "-cp",
            f"{folder}{os.pathsep}{folder / 'lib'}/*",
            "Launcher",
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening on "):
        process.kill()
        process.wait()
        raise LaunchError(f"mongo-java-server did not start: {line or 'it ended'}")
    return JavaServer(process, int(line.removeprefix("listening on ")))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise LaunchError(f"{command[0]} failed: {done.stdout[-2000:]}")


def main() -> None:
    """Run a server until it is interrupted, or fetch what it needs."""
    if sys.argv[1:] == ["prepare"]:
        print(prepare())
        return
    server = start(*sys.argv[1:])
    print(server.address, flush=True)
    try:
        server.process.wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
