"""Walking through a source's folder: which files are there, without following links out of it and within limits."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import File, Limits, Skipped

_IGNORED = frozenset({"__pycache__", "node_modules", "lost+found"})
_PASSING = re.compile(r".+\.(db|db3|sqlite|sqlite3)-(journal|shm)")
"""What SQLite keeps beside a database while it writes: it comes and goes with every change, and holds nothing to read."""
_PROBLEMS = 1000


class Stopped(Exception):
    """The walk was told to stop."""


@dataclass(slots=True)
class Walk:
    """What a walk found.

    files:    by path relative to the source, in the order of their paths.
    folders:  time of the last change in nanoseconds, by path relative to the source (`""` is the source itself).
    problems: folders that cannot be read and what lies beyond the limits; at most the first 1000 of `problem_count`.
    """

    files: dict[str, File] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    problems: list[Skipped] = field(default_factory=list)
    problem_count: int = 0

    def problem(self, path: str, reason: str) -> None:
        """Note something that was left out."""
        self.problem_count += 1
        if len(self.problems) < _PROBLEMS:
            self.problems.append(Skipped(path or ".", reason))


def file_of(path: str, found: os.stat_result, before: File | None) -> File:
    """The file as it is now; `before` itself when nothing changed, so that trees share their files."""
    if (
        before is not None
        and before.size == found.st_size
        and before.modified_ns == found.st_mtime_ns
        and before.inode == found.st_ino
    ):
        return before
    place = before.path if before is not None else PurePosixPath(path)
    return File(place, found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(slots=True)
class Walker:
    """How a folder is walked: deterministically, names in their order, so that limits always leave out the same.

    Hidden names and caches are passed over; symbolic links are not followed (what they lead to inside of the source is
    found in its own place).

    only:     the one file to look at, when the source is a file.
    exclude:  names, or paths relative to the folder, that are passed over (shell patterns).
    stopping: asked at every folder; a walk that is stopped raises Stopped.
    """

    folder: Path
    limits: Limits
    stopping: Callable[[], bool]
    only: str | None = None
    exclude: Sequence[str] = ()
    _excluded: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        if self.exclude:
            self._excluded = re.compile("|".join(map(translate, self.exclude)))

    def walk(self, before: Mapping[str, File]) -> Walk:
        """Look through all of it. `before` are the files as they were. Raises OSError when the folder itself cannot be read."""
        walk = Walk()
        if self.only is not None:
            found = (self.folder / self.only).stat()
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.only)
            walk.files[self.only] = file_of(self.only, found, before.get(self.only))
            self._log_of(self.only, walk, before)
            return walk
        self._folder(walk, "", 0, before)
        walk.files = dict(sorted(walk.files.items(), key=lambda item: item[0].split("/")))
        return walk

    def passes_over(self, path: str) -> bool:
        """Whether a path, or a folder around it, is left alone on purpose."""
        parts = path.split("/")
        return any(
            _is_ignored(part) or self._is_excluded(part, "/".join(parts[: place + 1]))
            for place, part in enumerate(parts)
        )

    def _is_excluded(self, name: str, path: str) -> bool:
        pattern = self._excluded
        return pattern is not None and bool(pattern.match(name) or pattern.match(path))

    def _log_of(self, name: str, walk: Walk, before: Mapping[str, File]) -> None:
        """What SQLite has not put into a database yet belongs to it (https://sqlite.org/wal.html)."""
        name += "-wal"
        with suppress(FileNotFoundError):
            found = (self.folder / name).stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                walk.files[name] = file_of(name, found, before.get(name))

    def _folder(self, walk: Walk, path: str, depth: int, before: Mapping[str, File]) -> None:
        if self.stopping():
            raise Stopped
        place = self.folder / path
        try:
            modified = place.stat(follow_symlinks=depth == 0).st_mtime_ns
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if depth == 0:
                raise
            if not isinstance(error, FileNotFoundError):  # else it went away meanwhile
                walk.problem(path, f"the folder cannot be read: {error.strerror}")
            return
        walk.folders[path] = modified
        prefix = f"{path}/" if path else ""
        for entry in entries:
            name = entry.name
            inner = prefix + name
            if _is_ignored(name) or self._is_excluded(name, inner):
                continue
            if not _valid(name):
                walk.problem(inner.encode(errors="backslashreplace").decode(), "the name is not valid UTF-8")
                continue
            try:
                self._entry(walk, entry, inner, depth, before)
            except FileNotFoundError:
                continue  # it went away meanwhile
            except OSError as error:
                walk.problem(inner, f"cannot be looked at: {error.strerror}")

    def _entry(
        self, walk: Walk, entry: os.DirEntry[str], path: str, depth: int, before: Mapping[str, File]
    ) -> None:
        if entry.is_symlink():
            target, home = os.path.realpath(entry.path), os.path.realpath(self.folder)
            if os.path.commonpath([target, home]) != home:
                walk.problem(path, "a symbolic link that leads out of the source")
        elif entry.is_dir(follow_symlinks=False):
            if depth < self.limits.depth:
                self._folder(walk, path, depth + 1, before)
            else:
                walk.problem(path, f"more than {self.limits.depth} folders deep")
        elif entry.is_file(follow_symlinks=False):
            if len(walk.files) < self.limits.files:
                walk.files[path] = file_of(path, entry.stat(follow_symlinks=False), before.get(path))
            else:
                walk.problem(path, f"the source has more than {self.limits.files} files")


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name in _IGNORED or _PASSING.fullmatch(name) is not None


def _valid(name: str) -> bool:
    """Names from the file system may hold bytes that are no UTF-8 (as lone surrogates)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def look(folder: Path, paths: Mapping[str, File]) -> dict[str, File | None]:
    """These files as they are now, None for those that went away; only those that changed."""
    changed: dict[str, File | None] = {}
    for path, before in paths.items():
        try:
            found = (folder / path).stat(follow_symlinks=False)
        except OSError:
            changed[path] = None
            continue
        now = file_of(path, found, before) if stat.S_ISREG(found.st_mode) else None
        if now is not before:
            changed[path] = now
    return changed


def folders_changed(folder: Path, folders: Mapping[str, int]) -> bool:
    """Whether files came to or went from any of these folders since their times were taken."""
    for path, modified in folders.items():
        try:
            if (folder / path).stat().st_mtime_ns != modified:
                return True
        except OSError:
            return True
    return False
