"""Walking through a source's folder: which files are there, without following links out of it and within limits."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import File, Limits, Skipped

_IGNORED = frozenset({"__pycache__", "node_modules", "lost+found"})
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


def walk(
    folder: Path, limits: Limits, before: Mapping[str, File], stopping: Callable[[], bool], only: str | None = None
) -> Walk:
    """Look through a folder, deterministically: names are taken in their order, so limits always leave out the same.

    Hidden names and caches are passed over; symbolic links are not followed (what they lead to inside of the source is
    found in its own place). `only` restricts the walk to one file. Raises OSError when the folder itself cannot be read,
    and Stopped.
    """
    walk = Walk()
    if only is not None:
        found = os.stat(folder / only)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(2, "no such file", str(folder / only))
        walk.files[only] = file_of(only, found, before.get(only))
        return walk
    _folder(walk, folder, "", 0, limits, before, stopping)
    walk.files = dict(sorted(walk.files.items(), key=lambda item: item[0].split("/")))
    return walk


def _folder(
    walk: Walk,
    folder: Path,
    path: str,
    depth: int,
    limits: Limits,
    before: Mapping[str, File],
    stopping: Callable[[], bool],
) -> None:
    if stopping():
        raise Stopped
    place = folder / path
    try:
        modified = os.stat(place, follow_symlinks=depth == 0).st_mtime_ns
        with os.scandir(place) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        if depth == 0:
            raise
        return  # it went away meanwhile
    except OSError as error:
        if depth == 0:
            raise
        walk.problem(path, f"the folder cannot be read: {error.strerror}")
        return
    walk.folders[path] = modified
    prefix = f"{path}/" if path else ""
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name in _IGNORED:
            continue
        inner = prefix + name
        if not _printable(name):
            walk.problem(inner.encode(errors="backslashreplace").decode(), "the name is not valid UTF-8")
            continue
        try:
            if entry.is_symlink():
                _link(walk, folder, inner)
            elif entry.is_dir(follow_symlinks=False):
                if depth + 1 > limits.depth:
                    walk.problem(inner, f"more than {limits.depth} folders deep")
                else:
                    _folder(walk, folder, inner, depth + 1, limits, before, stopping)
            elif entry.is_file(follow_symlinks=False):
                if len(walk.files) < limits.files:
                    walk.files[inner] = file_of(inner, entry.stat(follow_symlinks=False), before.get(inner))
                else:
                    walk.problem(inner, f"the source has more than {limits.files} files")
        except FileNotFoundError:
            continue  # it went away meanwhile
        except OSError as error:
            walk.problem(inner, f"cannot be looked at: {error.strerror}")


def _link(walk: Walk, folder: Path, path: str) -> None:
    target = os.path.realpath(folder / path)
    if os.path.commonpath([target, os.path.realpath(folder)]) != os.path.realpath(folder):
        walk.problem(path, "a symbolic link that leads out of the source")


def _printable(name: str) -> bool:
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
            found = os.stat(folder / path, follow_symlinks=False)
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
            if os.stat(folder / path).st_mtime_ns != modified:
                return True
        except OSError:
            return True
    return False
