"""Writing files as real jobs do: documents replaced whole, streams appended and flushed line by line."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class FolderBusy(Exception):
    """Another sweep is writing to the folder."""


def timestamp(at: datetime | None = None) -> str:
    """UTC time as Azure ML writes it: ``2024-03-22T21:15:41.277773Z``; now unless given."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace PATH by VALUE as strict JSON; a reader sees the old document or the new one, never a part.

    Raises ValueError when VALUE holds a non-finite number, OSError when the file cannot be written.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    # A hidden name of this thread's: no follower takes it for a document, no two writers share it.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def append(path: Path, text: str) -> None:
    """Append TEXT to PATH and flush it, creating the file and its folder when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)


class LineWriter:
    """A file to which whole lines are appended, each flushed before the call returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", newline="")

    def line(self, text: str) -> None:
        """Append one line; TEXT has no newline."""
        self._file.write(text + "\n")
        self._file.flush()

    def row(self, row: Mapping[str, Any]) -> None:
        """Append one JSON object; non-finite numbers are ``NaN`` and ``Infinity``, as in Python's json."""
        self.line(json.dumps(row))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> LineWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file PATH; the system frees it even when the process is killed.

    Raises FolderBusy when another process holds it. On Windows there is no lock.
    """
    with path.open("a") as file:
        if sys.platform != "win32":
            import fcntl  # missing on Windows

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FolderBusy(f"another sweep is writing to {path.parent}") from error
        yield
