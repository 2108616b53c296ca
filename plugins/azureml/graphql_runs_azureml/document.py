"""JSON documents of a run folder: read whole within a limit, every error with its file and line."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import Unreadable
from graphql_runs.ingest.files import open_file, pieces, size_of
from graphql_runs.model.time import Micros

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document. `path` is relative to the source, `modified` its time of change, `digest` the hash of its bytes."""

    path: PurePosixPath
    value: object
    modified: Micros
    digest: bytes


def load(folder: Path, path: PurePosixPath, limit: int) -> Document:
    """Read `path` below `folder`.

    Raises Unreadable when the file is larger than `limit` bytes, not readable or not JSON; OSError when it is gone.
    """
    data, modified = read(folder, path, limit)
    return Document(path, parse(data, path), modified, hashlib.blake2b(data, digest_size=16).digest())


def read(folder: Path, path: PurePosixPath, limit: int) -> tuple[bytes, Micros]:
    """The bytes of a file of at most `limit` bytes, and when it was last changed. Raises as `load` does."""
    with open_file(folder, path) as file:
        modified = os.fstat(file.fileno()).st_mtime_ns // 1000
        if size_of(file) <= limit:
            data = b"".join(pieces(file, 0, _PIECE))
            if len(data) <= limit:
                return data, modified
    raise Unreadable(f"larger than {limit} bytes, the limit for a JSON document", path=str(path))


def parse(data: bytes, path: PurePosixPath) -> object:
    """The value of a JSON text in UTF-8, UTF-16 or UTF-32 (PowerShell redirects in UTF-16). NaN and Infinity, which
    Python's writers put out, are taken. Raises Unreadable with the line."""
    if not data.strip():
        raise Unreadable("the file is empty", path=str(path), line=1)
    try:
        value: object = json.loads(data)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"not JSON: {error.msg} (column {error.colno})", path=str(path), line=error.lineno
        ) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"not {error.encoding} text: {error.reason}", path=str(path), line=line) from error
    except RecursionError as error:
        raise Unreadable("nested too deeply", path=str(path)) from error
    except ValueError as error:
        # An integer of more digits than Python converts.
        raise Unreadable(f"not JSON that can be read: {error}", path=str(path)) from error
    return value
