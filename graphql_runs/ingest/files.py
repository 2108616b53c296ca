"""Reading files that others are writing: opening them safely, knowing a place in them again, and whole lines.

Plugins need nothing else to tail a file: `open_file`, a `Mark` in the checkpoint, and `pieces` or `lines`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TypeVar

from graphql_runs.ingest.api import File, Limits, Tree, Unreadable

_MARK_BYTES = 1024
_LASTING = frozenset({errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
"""No rights, a symbolic link or a socket in its place: trying again does not help."""
_REMEMBERED = 200_000
T = TypeVar("T")


def open_file(folder: Path, path: PurePosixPath) -> FileIO:
    """Open a regular file of a source for reading, unbuffered.

    No part of the path may be a symbolic link, so that nothing outside of the source is read even when somebody swaps a
    folder meanwhile; a pipe in the place of a file does not block. Raises Unreadable for missing rights or something that
    is no regular file, FileNotFoundError when it is gone, other OSErrors as they come.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parts[:-1]:
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=held)
            os.close(held)
            held = inner
        opened = os.open(path.name, flags, dir_fd=held)
    except OSError as error:
        if error.errno in _LASTING:
            raise Unreadable(f"cannot be opened: {error.strerror}", path=str(path)) from error
        raise
    finally:
        os.close(held)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise Unreadable("it is no regular file", path=str(path))
    return FileIO(opened)


def quiet_for(file: FileIO) -> float:
    """Seconds since the file was last changed."""
    return time.time() - os.fstat(file.fileno()).st_mtime


def size_of(file: FileIO) -> int:
    """Its size now, in bytes."""
    return os.fstat(file.fileno()).st_size


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file that is known again when the file was renamed, copied, cut or replaced meanwhile.

    offset: bytes before the place.
    inode:  of the file when the mark was made.
    head:   hash of the first bytes (1 KiB at most, no more than `offset`).
    tail:   hash of the last bytes before the place (likewise).
    """

    offset: int
    inode: int
    head: str
    tail: str

    @staticmethod
    def at(file: FileIO, offset: int) -> Mark:
        """The mark of a place in an open file."""
        return Mark(offset, os.fstat(file.fileno()).st_ino, *_hashes(file, offset))

    def within(self, file: FileIO) -> bool:
        """Whether this file, whatever its name and inode, is the marked one up to the place."""
        return size_of(file) >= self.offset and _hashes(file, self.offset) == (self.head, self.tail)

    def begins(self, file: FileIO) -> bool | None:
        """Whether the file begins like the marked one; None when it is too short to tell."""
        length = min(self.offset, _MARK_BYTES)
        if size_of(file) < length:
            return None
        return _hash(os.pread(file.fileno(), length, 0)) == self.head

    def to_json(self) -> dict[str, object]:
        """For a checkpoint."""
        return {"offset": self.offset, "inode": self.inode, "head": self.head, "tail": self.tail}

    @staticmethod
    def from_json(value: Mapping[str, object]) -> Mark:
        """From a checkpoint. Raises ValueError when it holds no mark."""
        match value:
            case {"offset": int(offset), "inode": int(inode), "head": str(head), "tail": str(tail)}:
                return Mark(offset, inode, head, tail)
        raise ValueError(f"not a mark: {value!r}")


def _hashes(file: FileIO, offset: int) -> tuple[str, str]:
    length = min(offset, _MARK_BYTES)
    head = os.pread(file.fileno(), length, 0)
    return _hash(head), _hash(head if offset == length else os.pread(file.fileno(), length, offset - length))


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def pieces(file: FileIO, offset: int, size: int) -> Iterator[bytes]:
    """The bytes from an offset on, in pieces of at most `size`, up to what is there now."""
    while data := os.pread(file.fileno(), size, offset):
        yield data
        offset += len(data)


@dataclass(frozen=True, slots=True)
class Lines:
    """Some whole lines.

    data:     the lines, each with its line feed; empty when a line was passed over.
    end:      offset after them.
    too_long: a line over the limit ends at `end` and was passed over.
    inside:   `end` lies within a line over the limit whose end is not there yet; go on with `inside=True`.
    """

    data: bytes
    end: int
    too_long: bool = False
    inside: bool = False


def lines(file: FileIO, offset: int, limits: Limits, *, inside: bool = False) -> Iterator[Lines]:
    """Whole lines from an offset on, about `delivery_bytes` at a time. What follows the last line feed is left for later.

    A line longer than `line_bytes` is passed over without being held in memory, once.
    """
    size = max(1, limits.delivery_bytes)
    held = b""
    for data in pieces(file, offset, size):
        if inside:
            cut = data.find(b"\n") + 1
            offset += cut or len(data)
            yield Lines(b"", offset, too_long=cut > 0, inside=cut == 0)
            if not cut:
                continue
            inside, data = False, data[cut:]
        data = held + data
        cut = data.rfind(b"\n") + 1
        held = data[cut:]
        if cut:
            yield from _within(data[:cut], offset, limits.line_bytes)
            offset += cut
        if len(held) > limits.line_bytes:
            inside, offset, held = True, offset + len(held), b""
            yield Lines(b"", offset, inside=True)


def _within(data: bytes, offset: int, limit: int) -> Iterator[Lines]:
    """Whole lines without those over the limit."""
    start = begin = 0
    while limit < len(data) - begin:
        # Somewhere in what is left a line may be over the limit: the line that holds the byte `limit` further on.
        near = data.rfind(b"\n", begin, begin + limit + 1) + 1
        if near:
            begin = near
            continue
        end = data.index(b"\n", begin) + 1
        if begin > start:
            yield Lines(data[start:begin], offset + begin)
        yield Lines(b"", offset + end, too_long=True)
        start = begin = end
    if start < len(data):
        yield Lines(data[start:], offset + len(data))


_recognised: OrderedDict[tuple[object, ...], object] = OrderedDict()
_lock = Lock()


def recognise(tree: Tree, file: File, test: Callable[[bytes], T], size: int = 4096) -> T:
    """What `test` says of the file's first bytes (at most `size`), asked again only when they may have changed.

    `test` is a function of a module, the same every time. Raises like `open_file`.
    """
    known = (test, tree.folder, file.path, file.inode, min(file.size, size))
    with _lock:
        if known in _recognised:
            _recognised.move_to_end(known)
            found: T = _recognised[known]  # type: ignore[assignment]  # the key names the test that gave it
            return found
    with open_file(tree.folder, file.path) as opened:
        answer = test(os.pread(opened.fileno(), size, 0))
    with _lock:
        _recognised[known] = answer
        if len(_recognised) > _REMEMBERED:
            _recognised.popitem(last=False)
    return answer
