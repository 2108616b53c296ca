"""The positions that clients hold: opaque, versioned text.

A live cursor says how much of a run tree's journal its holder has seen, and during backfill how far along the tree's
streams it has come. A page cursor (of a connection) is a Key of an order. The two refuse each other.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import orjson

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key


@dataclass(frozen=True, slots=True)
class TreeCursor:
    """All entries up to `n` of the tree `root` are seen; with `stream` set, of what was there at `n` only the streams
    before that one in order of id, and that one's rows before `row`."""

    epoch: str
    root: str
    n: int
    stream: str | None = None
    row: int = 0

    def encode(self) -> str:
        """The text a client holds."""
        return _pack(["t", 1, self.epoch, self.root, self.n, self.stream, self.row])

    @staticmethod
    def decode(text: str, *, field: str = "after") -> TreeCursor:
        """Raises InvalidInput naming `field` when the text is not a live cursor of a run tree."""
        match _unpack(text, field):
            case ["t", 1, str(epoch), str(root), int(n), None | str() as stream, int(row)]:
                return TreeCursor(epoch, root, n, stream, row)
            case ["p", *_]:
                raise InvalidInput(f"{field} is a cursor of a page; a liveCursor is wanted here", field=field)
        raise InvalidInput(f"{field} is not a live cursor of this server's version", field=field)


@dataclass(frozen=True, slots=True)
class WorkspaceCursor:
    """All hints up to `n` of a workspace are seen; with `run` set, of the runs that were there at `n` only those up to
    that one in order of id."""

    epoch: str
    workspace: str
    n: int
    run: str | None = None

    def encode(self) -> str:
        """The text a client holds."""
        return _pack(["w", 1, self.epoch, self.workspace, self.n, *([] if self.run is None else [self.run])])

    @staticmethod
    def decode(text: str, *, field: str = "after") -> WorkspaceCursor:
        """Raises InvalidInput naming `field` when the text is not a live cursor of a workspace."""
        match _unpack(text, field):
            case ["w", 1, str(epoch), str(workspace), int(n)]:
                return WorkspaceCursor(epoch, workspace, n)
            case ["w", 1, str(epoch), str(workspace), int(n), str(run)]:
                return WorkspaceCursor(epoch, workspace, n, run)
            case ["p", *_]:
                raise InvalidInput(f"{field} is a cursor of a page; a liveCursor is wanted here", field=field)
        raise InvalidInput(f"{field} is not a live cursor of a workspace", field=field)


@dataclass(frozen=True, slots=True)
class LogCursor:
    """The lines of a log file are seen as they were when it had `offset` bytes."""

    epoch: str
    log: str
    offset: int

    def encode(self) -> str:
        """The text a client holds."""
        return _pack(["l", 1, self.epoch, self.log, self.offset])

    @staticmethod
    def decode(text: str, *, field: str = "after") -> LogCursor:
        """Raises InvalidInput naming `field` when the text is not a live cursor of a log file."""
        match _unpack(text, field):
            case ["l", 1, str(epoch), str(log), int(offset)] if offset >= 0:
                return LogCursor(epoch, log, offset)
            case ["p", *_]:
                raise InvalidInput(
                    f"{field} is a cursor of a page; the cursor of a log is wanted here", field=field
                )
        raise InvalidInput(f"{field} is not a live cursor of a log file", field=field)


def encode_page(kind: str, key: Key) -> str:
    """The cursor of one edge. `kind` names the list and its order; a cursor of another one is refused."""
    return _pack(["p", 1, kind, list(key.values), key.id])


def decode_page(kind: str, text: str, *, field: str = "after") -> Key:
    """Raises InvalidInput naming `field` when the text is not a page cursor of the list `kind`."""
    match _unpack(text, field):
        case ["p", 1, str(found), list(values), str(id)] if found == kind:
            return Key(tuple(values), id)
        case ["p", *_]:
            raise InvalidInput(f"{field} belongs to another list or another order", field=field)
        case ["t" | "w" | "l", *_]:
            raise InvalidInput(f"{field} is a liveCursor; a cursor of this list is wanted here", field=field)
    raise InvalidInput(f"{field} is not a cursor of this server's version", field=field)


def _pack(value: list[object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def _unpack(text: str, field: str) -> object:
    if len(text) > 8192:
        raise InvalidInput(f"{field} is too long to be a cursor", field=field)
    try:
        return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(f"{field} is not a cursor", field=field) from error
