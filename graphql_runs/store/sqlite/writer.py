"""The one thread that writes.

What is queued while a transaction is under way becomes the next one: each piece of work in a savepoint of its own, so that one
Conflict fails alone, and all of them made durable by one fsync. Checkpoints run here too, between transactions.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import apsw

from graphql_runs.model.errors import InvalidInput, RunsError, StoreUnavailable
from graphql_runs.store.sqlite import schema
from graphql_runs.store.sqlite.changes import Changes
from graphql_runs.store.sqlite.connection import BUSY_MILLISECONDS, connect, translated, unavailable
from graphql_runs.store.sqlite.lock import FileLock

log = logging.getLogger(__name__)

T = TypeVar("T")
Committed = Callable[[frozenset[str], int, int], None]
"""Told on the loop after a commit: the trees touched, and the highest key of an item before and after it."""

_PAGE = 4096
_TOGETHER = 500
"""Most pieces of work in one transaction."""
_CHECKPOINT = (16 << 20) // _PAGE
"""Pages in the write-ahead log that call for a checkpoint."""
_TOO_LONG = 4 * _CHECKPOINT
"""Pages from which on a checkpoint waits for readers, so that the log starts over."""
_TRUNCATE = 64 << 20
"""Bytes from which on an idle store gives the log's disk space back."""
_CHECKPOINT_MILLISECONDS = 200
"""How long a checkpoint waits for readers."""
_IDLE_SECONDS = 1.0
_SWEEP_PAUSE = 0.02
"""Seconds between sweeps while nothing else is to do."""
_SWEEP_EVERY = 0.5
"""Seconds between sweeps while there is."""
_CACHE_MEBIBYTES = 8


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Changes], Any]
    root: str | None
    future: asyncio.Future[Any] | None
    """None for what nobody waits for."""
    result: Any = None
    error: BaseException | None = field(default=None)


class Writer:
    """Queue and thread. `open` first; `close` finishes what was taken."""

    def __init__(self, path: Path, committed: Committed) -> None:
        self._path = path
        self._committed = committed
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._log_pages = 0
        self._checkpoint_at = _CHECKPOINT
        self._checkpointed = True
        self._swept_at = 0.0

    async def open(self, *, create: bool) -> str:
        """Start the thread and open the file; gives the store's epoch."""
        opened: asyncio.Future[str] = self._loop.create_future()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a program that ends without close() ends; its last transaction is whole or absent.
        threading.Thread(target=self._main, args=(opened, create), name="sqlite-writer", daemon=True).start()
        try:
            return await opened
        except asyncio.CancelledError:
            self._jobs.put(None)
            raise

    async def do(self, work: Callable[[Changes], T], root: str | None = None) -> T:
        """Do work in a transaction; durable when this returns."""
        if self._closing:
            raise StoreUnavailable(f"the store {self._path} is closed")
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, root, done))
        return await done

    async def close(self) -> None:
        """Finish what was taken, checkpoint, and end the thread."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        await asyncio.shield(self._finished)

    # From here on in the writer's thread.

    def _main(self, opened: asyncio.Future[str], create: bool) -> None:
        try:
            try:
                epoch = self._open(create)
            except BaseException as error:
                self._tell(_fail, opened, error)
                return
            self._tell(_give, opened, epoch)
            try:
                while (jobs := self._gather()) is not None:
                    self._transact(jobs)
                    if self._changes.leftovers and time.monotonic() - self._swept_at > _SWEEP_EVERY:
                        self._sweep()
            finally:
                self._close()
        finally:
            self._tell(_give, self._finished, None)

    def _open(self, create: bool) -> str:
        schema.check_path(self._path, create=create)
        try:
            self._lock = FileLock(self._path)
        except OSError as error:
            raise InvalidInput(
                f"{self._path.parent} cannot be written: {error.strerror}", field="store"
            ) from error
        try:
            with translated(self._path), self._lock:
                self._db = connect(self._path, write=True, cache_mebibytes=_CACHE_MEBIBYTES)
                try:
                    schema.prepare(self._db, self._path)
                    epoch = schema.settle_epoch(self._db, self._path, self._lock)
                except BaseException:
                    self._db.close()
                    raise
        except BaseException:
            self._lock.close()
            raise
        self._cursor = self._db.cursor()
        self._changes = Changes(self._db)
        self._changes.look_for_leftovers()
        self._db.set_wal_hook(self._note_pages)
        return epoch

    def _note_pages(self, db: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._log_pages:
            self._checkpoint_at = _CHECKPOINT  # the log has started over
        self._log_pages = pages
        self._checkpointed = False
        return apsw.SQLITE_OK

    def _gather(self) -> list[_Job] | None:
        """The next jobs, None at the end. Sweeps when nothing is queued, and checkpoints when nothing came for a while."""
        job = self._next()
        if job is None:
            return None
        jobs = [job]
        while len(jobs) < _TOGETHER and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            jobs.append(job)
        return jobs

    def _next(self) -> _Job | None:
        while True:
            patience = (
                _SWEEP_PAUSE if self._changes.leftovers else None if self._checkpointed else _IDLE_SECONDS
            )
            try:
                return self._jobs.get(timeout=patience)
            except queue.Empty:
                if self._changes.leftovers:
                    self._sweep()
                else:
                    self._checkpoint_idle()

    def _sweep(self) -> None:
        self._transact([_Job(Changes.sweep, None, None)])
        self._swept_at = time.monotonic()

    def _transact(self, jobs: list[_Job]) -> None:
        before = after = 0
        try:
            with self._lock:
                try:
                    before = self._begin()
                    for job in jobs:
                        self._try(job, alone=len(jobs) == 1)
                    after = self._changes.last_item()
                    self._cursor.execute("COMMIT")
                except BaseException:
                    self._abandon()
                    raise
            self._changes.settle()
        except Exception as error:
            for job in jobs:
                job.error = unavailable(self._path, error) or error
                if job.future is None:
                    log.warning("%s could not be swept: %s", self._path, job.error)
                    self._changes.leftovers = False  # not again before it has been idle
        self._tell(self._deliver, jobs, before, after)
        if self._log_pages >= self._checkpoint_at:
            self._checkpoint()

    def _begin(self) -> int:
        self._cursor.execute("BEGIN IMMEDIATE")
        schema.check_version(self._cursor, self._path)
        self._changes.begin()
        return self._changes.last_item()

    def _try(self, job: _Job, *, alone: bool) -> None:
        """Do one job. Its own failure is kept in it; a failure of the store is raised."""
        if alone:
            job.result = job.work(self._changes)
            return
        learned = self._changes.learned()
        self._cursor.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._changes)
        except Exception as error:
            if unavailable(self._path, error) is not None:
                raise
            job.error = error
            self._cursor.execute("ROLLBACK TO job")
            self._changes.forget(learned)
        self._cursor.execute("RELEASE job")

    def _abandon(self) -> None:
        self._changes.forget()
        try:
            # SQLite itself has rolled back after some errors.
            if not self._db.get_autocommit():
                self._cursor.execute("ROLLBACK")
        except apsw.Error:
            log.exception("a transaction of %s could not be rolled back", self._path)

    def _deliver(self, jobs: list[_Job], before: int, after: int) -> None:
        """On the loop."""
        if after > before:
            roots = frozenset(job.root for job in jobs if job.root is not None and job.error is None)
            self._committed(roots, before, after)
        for job in jobs:
            if job.future is None:
                continue
            if job.error is not None:
                _fail(job.future, job.error)
            else:
                _give(job.future, job.result)

    def _checkpoint(self, *, truncate: bool = False) -> None:
        """Move the write-ahead log into the file. What was acknowledged does not depend on it, so failures are only logged."""
        mode = (
            apsw.SQLITE_CHECKPOINT_RESTART if self._log_pages > _TOO_LONG else apsw.SQLITE_CHECKPOINT_PASSIVE
        )
        # Not again at every commit while a reader keeps the log from starting over.
        self._checkpoint_at = self._log_pages + _CHECKPOINT
        try:
            with self._lock:
                self._db.set_busy_timeout(_CHECKPOINT_MILLISECONDS)
                try:
                    pages, moved = self._db.wal_checkpoint(
                        mode=apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else mode
                    )
                    self._checkpointed = moved == pages
                finally:
                    self._db.set_busy_timeout(BUSY_MILLISECONDS)
        except (apsw.Error, RunsError) as error:
            log.warning("%s could not be checkpointed: %s", self._path, error)

    def _checkpoint_idle(self) -> None:
        log_file = self._path.with_name(f"{self._path.name}-wal")
        self._checkpoint(truncate=log_file.exists() and log_file.stat().st_size > _TRUNCATE)
        self._checkpointed = True  # what is left has to wait for the next commit
        try:
            self._changes.look_for_leftovers()  # of other processes too, which may have ended
        except apsw.Error as error:
            log.warning("%s cannot be swept now: %s", self._path, error)

    def _close(self) -> None:
        try:
            with self._lock:
                schema.renew_token(self._db, self._lock)
        except (apsw.Error, RunsError, OSError) as error:
            log.warning("%s was not marked as closed: %s", self._path, error)
        self._checkpoint(truncate=True)
        self._db.close()
        self._lock.close()

    def _tell(self, call: Callable[..., object], *values: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *values)
        except RuntimeError:
            log.debug("the event loop of %s is gone", self._path)


def _give(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
