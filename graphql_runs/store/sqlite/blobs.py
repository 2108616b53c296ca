"""Blobs as files, by content: `<store>.blobs/<first two digits>/<SHA-256 in hex>`.

A blob is written to a temporary file beside its place, made durable, and only then renamed: a file with such a name is whole, and
its time of change is when it was last put. `<store>.blobs/lock` keeps one from being put while it is swept.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

from graphql_runs.model.errors import LimitExceeded, NotFound, StoreUnavailable
from graphql_runs.model.time import Micros

P = ParamSpec("P")
T = TypeVar("T")

_CHUNK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = "unfinished-"
_ABANDONED_SECONDS = 24 * 3600


def folder_of(store: Path) -> Path:
    """Where the blobs of a store are."""
    return store.with_name(f"{store.name}.blobs")


def files(folder: Path, shelf: str = "[0-9a-f][0-9a-f]") -> Iterator[Path]:
    """The files of the blobs in a folder whose hash begins so."""
    for path in folder.glob(f"{shelf}/*"):
        if _SHA256.fullmatch(path.name):
            yield path


class Blobs:
    """The folder of blobs; made with the first one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tidied = False

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """See `Store.put_blob`."""
        file = await self._off(self._begin)
        try:
            digest, size = await self._fill(file, chunks, limit)
            await self._off(self._finish, file, digest)
        finally:
            await self._off(_discard, file)
        return digest, size

    async def size(self, sha256: str) -> int | None:
        """See `Store.blob_size`."""
        path = self._path(sha256)
        return None if path is None else await self._off(_size, path)

    async def read(self, sha256: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See `Store.read_blob`."""
        path = self._path(sha256)
        file = None if path is None else await self._off(_open, path)
        if file is None:
            raise NotFound(f"there is no blob {sha256!r}")
        with contextlib.closing(file):
            place = max(0, start)
            while place < end:
                chunk = await self._off(os.pread, file.fileno(), min(_CHUNK, end - place), place)
                if not chunk:
                    return
                place += len(chunk)
                yield chunk

    async def older(self, before: Micros) -> AsyncGenerator[list[str]]:
        """The blobs that nobody has put since a time, a shelf at a time."""
        for shelf in range(256):
            if found := await self._off(_older, self._folder, f"{shelf:02x}", before):
                yield found

    async def remove(self, blobs: Sequence[str], before: Micros) -> int:
        """Delete those that nobody has put since a time; gives how many."""
        removed = 0
        for blob in blobs:
            removed += await self._off(self._remove, self._folder / blob[:2] / blob, before)
        return removed

    async def sizes(self) -> tuple[int, int]:
        """How many there are, and their bytes."""
        return await self._off(_sizes, self._folder)

    async def _off(self, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Do file work off the event loop."""
        try:
            return await asyncio.to_thread(work, *arguments, **keywords)
        except OSError as error:
            raise StoreUnavailable(f"the blobs in {self._folder} cannot be used: {error.strerror}") from error

    def _path(self, sha256: str) -> Path | None:
        return self._folder / sha256[:2] / sha256 if _SHA256.fullmatch(sha256) else None

    def _begin(self) -> IO[bytes]:
        self._folder.mkdir(exist_ok=True)
        if not self._tidied:
            self._tidied = True
            self._tidy()
        return tempfile.NamedTemporaryFile(dir=self._folder, prefix=_UNFINISHED, delete=False)

    async def _fill(self, file: IO[bytes], chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        waiting = bytearray()
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise LimitExceeded(f"the content is larger than {limit} bytes")
            waiting += chunk
            if len(waiting) >= _CHUNK:
                await self._off(_write, file, digest, waiting)
                waiting = bytearray()
        await self._off(_write, file, digest, waiting)
        return digest.hexdigest(), size

    def _finish(self, file: IO[bytes], sha256: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        target = self._folder / sha256[:2] / sha256
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            _sync_folder(self._folder)
        with self._lock():
            now = time.time_ns()
            os.utime(file.fileno(), ns=(now, now))  # what the kernel writes by itself may lag behind
            Path(file.name).replace(target)
        _sync_folder(target.parent)

    def _remove(self, path: Path, before: Micros) -> bool:
        with self._lock(), contextlib.suppress(FileNotFoundError):
            if _put_at(path) < before:
                path.unlink()
                return True
        return False

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._folder / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _tidy(self) -> None:
        """Remove what processes that died have left, but nothing that another one may still be writing."""
        for path in self._folder.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    path.unlink()


def _older(folder: Path, shelf: str, before: Micros) -> list[str]:
    return [path.name for path in files(folder, shelf) if _put_at(path) < before]


def _put_at(path: Path) -> Micros:
    return path.stat().st_mtime_ns // 1000


def _sizes(folder: Path) -> tuple[int, int]:
    sizes = [path.stat().st_size for path in files(folder)]
    return len(sizes), sum(sizes)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _open(path: Path) -> IO[bytes] | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _discard(file: IO[bytes]) -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)  # gone already when it was finished


def _write(file: IO[bytes], digest: hashlib._Hash, data: bytearray) -> None:
    digest.update(data)
    file.write(data)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
