"""The store as a whole: how large it is, and a copy of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import apsw

from graphql_runs.model.errors import InvalidInput, StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.port import Sizes
from graphql_runs.store.sqlite import blobs
from graphql_runs.store.sqlite.connection import connect, number, rows, translated
from graphql_runs.store.sqlite.readers import Readers
from graphql_runs.store.sqlite.schema import TABLES

_ITEMS_AT_ONCE = 50_000
_CACHE_MEBIBYTES = 8

_SOME_ITEMS = """SELECT max(key), count(size), coalesce(sum(size), 0) FROM
  (SELECT item.key, CASE WHEN stream.term IS NOT NULL AND item.end > stream.floor THEN length(item.data) END AS size
    FROM item LEFT JOIN stream ON stream.key = item.stream WHERE item.key > ? ORDER BY item.key LIMIT ?)"""


async def sizes(readers: Readers, kept: blobs.Blobs, path: Path) -> Sizes:
    """See `Store.sizes`."""
    records = {
        kind.__name__: await readers.do(partial(number, query=f"SELECT count(*) FROM {table}"))
        for kind, table in {**TABLES, Run: "run"}.items()
    }
    streams = await readers.do(partial(number, query="SELECT count(term) FROM stream"))
    items = size = 0
    last: int | None = 0
    # Bit by bit: a read may not take long.
    while last is not None:
        last, some, bytes_of_some = await readers.do(partial(_items, after=last))
        items, size = items + some, size + bytes_of_some
    count, bytes_of_blobs = await kept.sizes()
    disk = await asyncio.to_thread(_disk_bytes, path)
    return Sizes(records, streams, items, size, count, bytes_of_blobs, disk + bytes_of_blobs)


async def backup(path: Path, target: Path) -> None:
    """See `Store.backup`."""
    copy = _Copy(path, target)
    making = asyncio.ensure_future(asyncio.to_thread(copy.make))
    try:
        await asyncio.shield(making)
    except asyncio.CancelledError:
        copy.stop()
        await asyncio.gather(making, return_exceptions=True)
        raise


class _Copy:
    """A copy under way, in a thread of its own."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._target = target
        self._stopped = False

    def make(self) -> None:
        for path in (self._target, blobs.folder_of(self._target)):
            if path.exists():
                raise InvalidInput(f"{path} is there already", field="target")
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"the folder {self._target.parent} cannot be created: {error.strerror}", field="target"
            ) from error
        try:
            with tempfile.TemporaryDirectory(
                prefix=f"{self._target.name}.unfinished-", dir=self._target.parent
            ) as folder:
                self._fill(Path(folder))
                self._put_in_place(Path(folder))
        except OSError as error:
            raise StoreUnavailable(f"{self._target} cannot be written: {error.strerror}") from error

    def stop(self) -> None:
        self._stopped = True

    def _fill(self, folder: Path) -> None:
        # Twice: what is swept after the first time may still be named in the copy of the file, as may be what comes after.
        self._copy_blobs(folder / "blobs")
        self._copy_file(folder / "store")
        self._copy_blobs(folder / "blobs")

    def _copy_file(self, target: Path) -> None:
        with contextlib.closing(connect(self._path, write=False, cache_mebibytes=_CACHE_MEBIBYTES)) as db:
            db.set_progress_handler(lambda: self._stopped, 100_000)
            with translated(self._path):
                db.execute("VACUUM INTO ?", (str(target),))
        with contextlib.closing(apsw.Connection(str(target))) as db, translated(target):
            # Whoever opens it finds none and gives it one of its own.
            db.execute("DELETE FROM meta WHERE name IN ('epoch', 'inode', 'token')")
        _sync(target)

    def _copy_blobs(self, target: Path) -> None:
        for path in blobs.files(blobs.folder_of(self._path)):
            if self._stopped:
                raise StoreUnavailable("the backup was given up")
            place = target / path.name[:2] / path.name
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                _copy(path, place)

    def _put_in_place(self, folder: Path) -> None:
        kept = folder / "blobs"
        if kept.exists():
            for shelf in (kept, *kept.iterdir()):
                _sync(shelf)
            kept.rename(blobs.folder_of(self._target))
        try:
            # A link fails where a rename would replace what somebody else has put there.
            os.link(folder / "store", self._target)
        except FileExistsError as error:
            shutil.rmtree(blobs.folder_of(self._target), ignore_errors=True)
            raise InvalidInput(f"{self._target} is there already", field="target") from error
        _sync(self._target.parent)


def _items(cursor: apsw.Cursor, after: int) -> tuple[int | None, int, int]:
    """The next items: the last one's key (None at the end), how many are left of them by purges and trims, and their bytes."""
    [found] = rows(cursor, _SOME_ITEMS, (after, _ITEMS_AT_ONCE))
    return found


def _disk_bytes(path: Path) -> int:
    return sum(_size(path.with_name(f"{path.name}{ending}")) for ending in ("", "-wal", "-shm"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _copy(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # swept just now
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)
            _sync(target)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
