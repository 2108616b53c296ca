"""Who is told that something was committed: by this process at once, by others through `PRAGMA data_version`.

The poll reads shared memory (2.5 µs) on a connection of its own, only while somebody listens. What other processes
wrote is found by the keys of items, which only grow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import apsw

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.store.listener import Listener
from graphql_runs.store.port import Wake, journal_root
from graphql_runs.store.sqlite.connection import connect, number, rows, translated

log = logging.getLogger(__name__)

_AT_MOST = 10_000
"""Items of other processes that are looked at; beyond, everybody is woken."""
_RETRY_SECONDS = 1.0
_CACHE_MEBIBYTES = 1

_TOUCHED = """SELECT term.text FROM (SELECT DISTINCT stream FROM item WHERE key > ?) AS new
  JOIN stream ON stream.key = new.stream JOIN term ON term.key = stream.term WHERE term.text GLOB 'journal_*'"""


class Wakes:
    """All iterators of one opened store; lives on the event loop."""

    def __init__(self, path: Path, poll_seconds: float) -> None:
        self._path = path
        self._poll_seconds = poll_seconds
        self._loop = asyncio.get_running_loop()
        self._listeners: set[Listener] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._db: apsw.Connection | None = None
        self._closed = False
        self._version = 0
        self._seen = 0

    async def listen(self) -> AsyncGenerator[Wake]:
        """Wakes until the store closes. Raises StoreUnavailable when the file cannot be watched."""
        if self._closed:
            raise StoreUnavailable(f"the store {self._path} is closed")
        listener = Listener()
        if not self._listeners:
            with translated(self._path):
                self._start()
        self._listeners.add(listener)
        try:
            while True:
                await listener.ready.wait()
                if listener.closed:
                    return
                yield listener.take()
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._stop()

    def committed(self, roots: frozenset[str], before: int, after: int) -> None:
        """This process has committed; items above `before` up to `after` are its own."""
        if self._seen == before:
            self._seen = after
        self._tell(roots)

    def close(self) -> None:
        """End every iterator."""
        self._closed = True
        for listener in self._listeners:
            listener.closed = True
            listener.ready.set()
        self._stop()
        if self._db is not None:
            self._db.close()

    def _tell(self, roots: frozenset[str] | None) -> None:
        for listener in self._listeners:
            listener.add(roots)

    def _start(self) -> None:
        if self._db is None:
            self._db = connect(self._path, write=False, cache_mebibytes=_CACHE_MEBIBYTES)
            self._cursor = self._db.cursor()
        self._version, self._seen = self._data_version(), self._last_item()
        self._timer = self._loop.call_later(self._poll_seconds, self._poll)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _poll(self) -> None:
        delay = self._poll_seconds
        try:
            version = self._data_version()
            if version != self._version:
                self._look()
                self._version = version
        except apsw.Error as error:
            log.warning("%s cannot be watched now: %s", self._path, error)
            self._tell(None)
            delay = _RETRY_SECONDS
        self._timer = self._loop.call_later(delay, self._poll)

    def _look(self) -> None:
        last = self._last_item()
        if last > self._seen:
            known = last - self._seen <= _AT_MOST
            self._tell(self._touched() if known else None)
            self._seen = last

    def _touched(self) -> frozenset[str]:
        streams = [text for (text,) in rows(self._cursor, _TOUCHED, (self._seen,))]
        return frozenset(root for stream in streams if (root := journal_root(stream)) is not None)

    def _data_version(self) -> int:
        return number(self._cursor, "PRAGMA data_version")

    def _last_item(self) -> int:
        return number(self._cursor, "SELECT max(key) FROM item")
