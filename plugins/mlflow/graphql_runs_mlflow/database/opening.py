"""Opening a SQLite database that others write and nobody vouches for.

Nothing is written, neither into the file nor beside it. A database whose commits go through a rollback journal (MLflow's) is
opened with `mode=ro`. One in WAL mode needs its `-shm`, which SQLite would make if it were missing: such a one is only opened
where both files lie beside it, or, when there is no `-wal`, as `immutable`, and what was read counts only if no `-wal` came
meanwhile. https://sqlite.org/wal.html#read_only_databases

A session lasts for some short questions and is closed: while a question is answered the writer of a rollback journal waits.
The header is read by a file handle of our own, and closing that lets go of all locks that this process has on the file
(https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_), so only one
session is open at a time for a file.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any
from urllib.parse import quote

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs.ingest.files import open_file

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
_WAL = 2
"""Read and write version of a file in WAL mode, bytes 18 and 19 (https://sqlite.org/fileformat2.html)."""
_BUSY_SECONDS = 2.0
_QUESTION_SECONDS = 20.0
_STEPS = 20_000
"""Steps of SQLite's machine between two looks at the clock."""
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
)
_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_PRAGMA,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_TRANSACTION,
    }
)
_FUNCTIONS = frozenset({"max", "count"})
_PRAGMAS = frozenset({"table_info"})
_locks = [Lock() for _ in range(64)]

Row = tuple[Any, ...]


class Foreign(Unreadable):
    """It is something else than a database of MLflow's."""


class Session:
    """An open database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._deadline = 0.0
        connection.set_progress_handler(self._late, _STEPS)

    def rows(self, question: str, *values: object) -> list[Row]:
        """All rows of an answer; texts come as bytes. Raises sqlite3.Error."""
        self._deadline = time.monotonic() + _QUESTION_SECONDS
        return self._connection.execute(question, values).fetchall()

    def _late(self) -> bool:
        return time.monotonic() > self._deadline


@contextmanager
def session(folder: Path, path: PurePosixPath, limits: Limits) -> Iterator[Session]:
    """A database of a source, open for some questions that are asked at once.

    Raises Unreadable for what is no database, or none that can be read without writing, FileNotFoundError when it is gone,
    other OSErrors for what may pass.
    """
    with _locks[hash((folder, path)) % len(_locks)]:
        wal_mode = _in_wal_mode(folder, path)
        place = folder / path
        before = _stamp(place)
        immutable = wal_mode and _settled(place, path)
        connection: sqlite3.Connection | None = None
        try:
            connection = _connect(place, limits, immutable=immutable)
            yield Session(connection)
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        except UnicodeDecodeError as error:
            # What SQLite says of a damaged schema may quote bytes of it that are no text.
            raise Unreadable("it cannot be read: its schema is damaged", path=str(path)) from error
        finally:
            if connection is not None:
                connection.close()
        if immutable and (_stamp(place) != before or not _settled(place, path)):
            raise BlockingIOError(f"{path}: somebody began to write it")


def _connect(place: Path, limits: Limits, *, immutable: bool) -> sqlite3.Connection:
    address = f"file:{quote(str(place))}?{'immutable=1' if immutable else 'mode=ro'}"
    connection = sqlite3.connect(
        address, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        connection.text_factory = bytes
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(1 << 20, limits.json_bytes))
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {pragma}")
        connection.set_authorizer(_may)
    except BaseException:
        connection.close()
        raise
    return connection


def _may(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Only plain reading: no functions of a view's or an index's, no files."""
    allowed = action in _ALLOWED
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = second in _FUNCTIONS
    if action == sqlite3.SQLITE_PRAGMA:
        allowed = first in _PRAGMAS
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _in_wal_mode(folder: Path, path: PurePosixPath) -> bool:
    """From the header. Raises Unreadable when it is no database; what `open_file` raises."""
    with open_file(folder, path) as file:
        header = os.pread(file.fileno(), HEADER_BYTES, 0)
        size = os.fstat(file.fileno()).st_size
    if not looks_like(header, size):
        raise Foreign("it is no SQLite database", path=str(path))
    return _WAL in header[18:20]


def looks_like(header: bytes, size: int) -> bool:
    """Whether a file begins as a database of at least one page does."""
    page = int.from_bytes(header[16:18], "big")
    return (
        header.startswith(MAGIC) and len(header) == HEADER_BYTES and size >= (65_536 if page == 1 else page)
    )


def _settled(place: Path, path: PurePosixPath) -> bool:
    """Of a database in WAL mode: whether nobody has it open, so that all of it is in the one file. Raises Unreadable when that
    cannot be told without writing."""
    wal, shared = _size(place, "-wal"), _size(place, "-shm")
    if wal is None or (shared is None and wal == 0):
        return True
    if shared is None:
        raise Unreadable(
            "it has a -wal file but no -shm beside it, so it could only be read by writing there: open it once with MLflow, "
            "or copy it with `sqlite3 FILE '.backup COPY'`",
            path=str(path),
        )
    return False


def _size(place: Path, ending: str) -> int | None:
    """The size of a file beside the database, None when there is none. Raises Unreadable when it is no plain file."""
    beside = place.with_name(place.name + ending)
    try:
        found = beside.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("it is no regular file", path=beside.name)
    return found.st_size


def _stamp(place: Path) -> tuple[int, int, int]:
    found = place.stat(follow_symlinks=False)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _translated(error: sqlite3.Error, path: PurePosixPath) -> Exception:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in _PASSING:
        return BlockingIOError(f"{path}: {error}")
    if code == sqlite3.SQLITE_INTERRUPT:
        return Unreadable(f"a question took longer than {_QUESTION_SECONDS:.0f} s", path=str(path))
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        reason = "its last writer died in the middle of a change; MLflow mends it when it opens it next"
        return Unreadable(reason, path=str(path))
    return Unreadable(f"it cannot be read: {error}", path=str(path))


def text(value: object) -> str | None:
    """A text of a row; None for NULL. Numbers become texts: SQLite keeps in a column what it is given."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def texts(rows: Sequence[Row]) -> dict[str, str]:
    """Rows of name and value."""
    return {text(name) or "": text(value) or "" for name, value in rows}
