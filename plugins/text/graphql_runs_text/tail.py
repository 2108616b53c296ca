"""Following one log through rotation, truncation and replacement, so that every byte is read once and in order.

A log is rotated by renaming (`train.log` becomes `train.log.1`, a new `train.log` begins) or by copying and cutting
(logrotate's copytruncate). Either way the place that was reached is found again by its `Mark`: in the file that now has the
content, whatever it is called.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.files import Mark, open_file
from graphql_runs_text.names import age, base_of

_ATTEMPTS = 10
_CUT = "the log was cut or replaced; it goes on with its new beginning"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the log, and what is remarkable about them. `place` is their offset in the open file they come from."""

    data: bytes
    file: FileIO
    place: int
    remark: str | None = None

    def checkpoint(self, length: int) -> Mapping[str, object]:
        """Where to go on after so many of the bytes. Ask before the next piece is read, as long as the file is open."""
        modified_ns = os.fstat(self.file.fileno()).st_mtime_ns
        return {**Mark.at(self.file, self.place + length).to_json(), "modified_ns": modified_ns}


@dataclass(frozen=True, slots=True)
class _Sibling:
    path: PurePosixPath
    inode: int
    modified_ns: int


class Tail:
    """A log by its base path, relative to the source's folder."""

    def __init__(self, folder: Path, base: PurePosixPath, size: int) -> None:
        self.base = base
        self._folder = folder
        self._size = size

    def read(
        self, checkpoint: Mapping[str, object] | None, files: Sequence[PurePosixPath]
    ) -> Iterator[Piece]:
        """Everything after the checkpoint. `files` are those of the log that are known, the oldest first."""
        with ExitStack() as opened:
            start = self._start(checkpoint, files, opened)
            if start is None:
                return
            file, offset, remark = start
            while True:
                for piece in self._drain(file, offset, remark):
                    yield piece
                    remark = None
                if os.fstat(file.fileno()).st_ino == self._inode():
                    return  # the newest: no need to look through the folder
                newer = self._newer(file, opened)
                if newer is None:
                    return
                file, offset = newer, 0

    def _drain(self, file: FileIO, offset: int, remark: str | None) -> Iterator[Piece]:
        while data := os.pread(file.fileno(), self._size, offset):
            if len(data) == self._size:
                data = data[: data.rfind(b"\n") + 1] or data
            yield Piece(data, file, offset, remark)
            offset += len(data)
            remark = None

    def _start(
        self, checkpoint: Mapping[str, object] | None, files: Sequence[PurePosixPath], opened: ExitStack
    ) -> tuple[FileIO, int, str | None] | None:
        """The file to read first, from where, and a remark; None when there is none."""
        if checkpoint is None:
            found = (self._open(path, opened) for path in files)
            first = next((file for file in found if file is not None), None)
            return None if first is None else (first, 0, None)
        mark = Mark.from_json(checkpoint)
        current = self._open(self.base, opened)
        if current is not None and os.fstat(current.fileno()).st_ino == mark.inode and mark.within(current):
            return current, mark.offset, None
        # It was rotated, cut or replaced. The same inode is the surest sign, a copy of the content the next one.
        siblings = self._siblings()
        for sibling in sorted(siblings, key=lambda found: found.inode != mark.inode):
            file = self._open(sibling.path, opened)
            if file is not None and mark.offset and mark.within(file):
                return file, mark.offset, None
        # What followed the mark is gone. Files that were changed since hold what was not read yet.
        seen = checkpoint.get("modified_ns")
        for sibling in siblings:
            if sibling.path == self.base or (isinstance(seen, int) and sibling.modified_ns > seen):
                file = self._open(sibling.path, opened)
                if file is not None:
                    return file, 0, _CUT
        return None

    def _newer(self, file: FileIO, opened: ExitStack) -> FileIO | None:
        """The file that came after this one. The log may be rotated while we look, so the names are taken twice."""
        inode = os.fstat(file.fileno()).st_ino
        for _ in range(_ATTEMPTS):
            siblings = self._siblings()
            places = [place for place, sibling in enumerate(siblings) if sibling.inode == inode]
            if not places or places[0] + 1 == len(siblings):
                return None
            after = siblings[places[0] + 1]
            newer = self._open(after.path, opened)
            if newer is not None and os.fstat(newer.fileno()).st_ino == after.inode:
                return newer
        return None

    def _siblings(self) -> list[_Sibling]:
        """The log and what was rotated from it, as it lies in the folder now, the oldest first."""
        found: list[_Sibling] = []
        try:
            with os.scandir(self._folder / self.base.parent) as entries:
                for entry in entries:
                    if not entry.name.startswith(self.base.name):
                        continue
                    path = self.base.with_name(entry.name)
                    if base_of(path) == self.base and entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        found.append(_Sibling(path, status.st_ino, status.st_mtime_ns))
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda sibling: age(sibling.path))

    def _open(self, path: PurePosixPath, opened: ExitStack) -> FileIO | None:
        try:
            return opened.enter_context(open_file(self._folder, path))
        except FileNotFoundError:
            return None

    def _inode(self) -> int | None:
        try:
            return (self._folder / self.base).stat(follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None
