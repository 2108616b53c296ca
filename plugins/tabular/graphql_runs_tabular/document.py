"""Documents that are written anew as a whole (JSON, YAML): read within a limit, and known again by size and time of change."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import QUIET_SECONDS, Context, Delivery, Skipped, Unreadable
from graphql_runs.ingest.files import open_file, pieces, quiet_for, size_of
from graphql_runs_tabular.batch import Batch

Told = Mapping[str, str]
"""What was told of a document, for who takes it to know what is new."""

_PIECE = 1 << 20
_KEPT = 16


class Malformed(ValueError):
    """What a document holds is not what it is taken for. The message is for people."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Stamp:
    """A document at one moment, known by size in bytes and time of change in nanoseconds."""

    size: int
    modified_ns: int

    def to_json(self) -> list[int]:
        """For a checkpoint."""
        return [self.size, self.modified_ns]

    @staticmethod
    def from_json(value: object) -> Stamp | None:
        """From a checkpoint."""
        match value:
            case [int(size), int(modified_ns)]:
                return Stamp(size, modified_ns)
        return None


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of a document, with its stamp; `settled` says that it is not in the middle of being written."""

    path: PurePosixPath
    data: bytes
    stamp: Stamp
    settled: bool


def stamp_of(folder: Path, path: PurePosixPath) -> Stamp | None:
    """The stamp of a file below `folder`; None when it is gone."""
    try:
        found = (folder / path).stat(follow_symlinks=False)
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


def load(context: Context, path: PurePosixPath, limit: int) -> Document:
    """Read a document of at most `limit` bytes.

    Raises Unreadable when it is larger or cannot be opened, FileNotFoundError when it is gone, other OSErrors as they come.
    """
    with open_file(context.tree.folder, path) as file:
        found = os.fstat(file.fileno())
        settled = context.final or quiet_for(file) >= QUIET_SECONDS
        if size_of(file) <= limit:
            data = b"".join(pieces(file, 0, _PIECE))
            if len(data) <= limit:
                return Document(path, data, Stamp(found.st_size, found.st_mtime_ns), settled)
    raise Unreadable(f"larger than {limit} bytes, the limit for a document", path=str(path))


@dataclass(slots=True)
class Complaints:
    """Documents that were reported, so that each is reported once as long as it does not change."""

    known: list[str]

    def about(self, path: PurePosixPath, stamp: Stamp | None, error: Exception) -> list[Skipped]:
        """A report, unless it was made before."""
        stands_for = f"{path} {stamp.to_json() if stamp else None}"
        if stands_for in self.known:
            return []
        self.known = [*self.known[1 - _KEPT :], stands_for]
        return [Skipped(str(path), str(error), getattr(error, "line", None))]


def follow(
    path: PurePosixPath,
    checkpoint: Mapping[str, object] | None,
    context: Context,
    limit: int,
    take: Callable[[bytes, Told], tuple[Batch, Told]],
) -> Iterator[Delivery]:
    """What `take` makes of a small document, once and again whenever that changes.

    A document that is Malformed is waited for while it may be in the middle of being written, else reported. Raises as `load` does.
    """
    stamp: Stamp | None = None
    told: Told = {}
    complaints = Complaints([])
    match checkpoint:
        case {"stamp": stamped, "told": dict(told_before), "complaints": list(known)}:
            stamp, told, complaints = Stamp.from_json(stamped), told_before, Complaints(known)
        case Mapping():
            raise ValueError(f"not a checkpoint of a document: {checkpoint!r}")
    if stamp is not None and stamp_of(context.tree.folder, path) == stamp:
        return
    document = load(context, path, limit)
    try:
        batch, told = take(document.data, told)
    except Malformed as error:
        reports = complaints.about(path, document.stamp, error) if document.settled else []
        if reports:
            yield Delivery(_place(stamp, told, complaints), skipped=reports)
    else:
        operations = batch.operations()
        yield Delivery(_place(document.stamp, told, complaints), operations, skipped=batch.skipped)


def _place(stamp: Stamp | None, told: Told, complaints: Complaints) -> dict[str, object]:
    return {
        "stamp": stamp.to_json() if stamp else None,
        "told": dict(told),
        "complaints": complaints.known,
    }


def parse_json(data: bytes) -> object:
    """The value of a JSON text as Python writes it, with NaN and Infinity. Raises Malformed."""
    try:
        found: object = json.loads(data)
    except json.JSONDecodeError as error:
        raise Malformed(f"malformed JSON: {error.msg} (column {error.colno})", error.lineno) from error
    except UnicodeDecodeError as error:
        raise Malformed(f"not {error.encoding} text: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except ValueError as error:
        # An integer of more digits than Python converts.
        raise Malformed(f"not JSON that can be read: {error}") from error
    return found
