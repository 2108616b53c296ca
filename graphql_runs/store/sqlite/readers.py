"""A small pool of threads with a read-only connection each. In WAL mode neither they nor the writer wait for each other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from graphql_runs.model.errors import LimitExceeded, StoreUnavailable
from graphql_runs.store.sqlite.connection import connect, translated
from graphql_runs.store.sqlite.schema import check_version

T = TypeVar("T")

_CACHE_MEBIBYTES = 2
_LONGEST_SECONDS = 30.0
_STEPS_BETWEEN_LOOKS = 200_000
"""Virtual machine steps of SQLite's, about 2 ms."""


class _Asked:
    """One call, and whether nobody waits for it any more."""

    given_up = False


class _Reader:
    """One thread's connection, the call it reads for, and the time by which its reading has to end."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path, write=False, cache_mebibytes=_CACHE_MEBIBYTES)
        self.cursor = self.db.cursor()
        self.deadline = 0.0
        self.asked = _Asked()
        self.db.set_progress_handler(self._ends, _STEPS_BETWEEN_LOOKS)

    def _ends(self) -> bool:
        return self.asked.given_up or time.monotonic() > self.deadline


class Readers:
    """Reads off the event loop; connections are opened when they are first needed."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sqlite-reader")
        self._local = threading.local()
        self._opened: list[_Reader] = []
        self._closed = False

    async def do(self, work: Callable[[apsw.Cursor], T]) -> T:
        """Do reads on one snapshot of the store. Raises LimitExceeded when they take too long. A cancelled call stops reading."""
        if self._closed:
            raise StoreUnavailable(f"the store {self._path} is closed")
        asked = _Asked()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work, asked)
        except asyncio.CancelledError:
            asked.given_up = True
            raise

    async def close(self) -> None:
        """Finish what was taken and close the connections."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        while self._opened:
            self._opened.pop().db.close()

    def _read(self, work: Callable[[apsw.Cursor], T], asked: _Asked) -> T:
        with translated(self._path):
            reader = self._reader()
            reader.deadline = time.monotonic() + _LONGEST_SECONDS
            reader.asked = asked
            reader.cursor.execute("BEGIN")
            try:
                check_version(reader.cursor, self._path)
                return work(reader.cursor)
            except apsw.InterruptError as error:
                raise LimitExceeded(f"the query took longer than {_LONGEST_SECONDS:.0f} s") from error
            finally:
                # SQLite itself has ended the transaction after some errors.
                if not reader.db.get_autocommit():
                    reader.cursor.execute("ROLLBACK")

    def _reader(self) -> _Reader:
        found: _Reader | None = getattr(self._local, "reader", None)
        if found is None:
            found = self._local.reader = _Reader(self._path)
            self._opened.append(found)
        return found
