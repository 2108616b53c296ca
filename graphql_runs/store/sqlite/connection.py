"""Connections to the file, and SQLite's errors in our words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from graphql_runs.model.errors import InvalidInput, StoreUnavailable
from graphql_runs.model.regex import compiled

Row = tuple[Any, ...]
"""A row of our own tables: what its columns hold, the schema says."""

BUSY_MILLISECONDS = 5000
"""How long a connection waits for a program that does not know our lock file."""

MATCHES = "matches"
"""The function of ours in SQL that finds a regular expression in a text: matches(pattern, text)."""

_UNAVAILABLE: dict[type[Exception], str] = {
    apsw.BusyError: "is locked by another program",
    apsw.LockedError: "is locked",
    apsw.ProtocolError: "is locked by another program",
    apsw.FullError: "cannot grow: the disk is full",
    apsw.IOError: "cannot be read or written",
    apsw.NoMemError: "needs more memory than there is",
    apsw.CorruptError: "is damaged",
    apsw.NotADBError: "is damaged",
    apsw.CantOpenError: "cannot be opened",
    apsw.ReadOnlyError: "cannot be written",
    apsw.ConnectionClosedError: "is closed",
}


def connect(path: Path, *, write: bool, cache_mebibytes: int) -> apsw.Connection:
    """A connection that reads, and writes if `write`; checkpoints happen only when asked for. Raises apsw.Error."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if write else apsw.SQLITE_OPEN_READONLY
    db = apsw.Connection(str(path), flags=flags, statementcachesize=256)
    try:
        db.set_busy_timeout(BUSY_MILLISECONDS)
        db.execute(f"PRAGMA cache_size = {-1024 * cache_mebibytes}")
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA trusted_schema = OFF")
        db.create_scalar_function(MATCHES, _matches, 2, deterministic=True)
        if write:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_autocheckpoint = 0")
    except BaseException:
        db.close()
        raise
    return db


def rows(cursor: apsw.Cursor, query: str, parameters: Sequence[apsw.SQLiteValue] = ()) -> list[Row]:
    """All rows of a query."""
    return cursor.execute(query, parameters).fetchall()


def first_row(cursor: apsw.Cursor, query: str, parameters: Sequence[apsw.SQLiteValue] = ()) -> Row | None:
    """The one row of a query, if there is one. Unlike after `fetchone` the query has ended then: one that has not keeps its
    snapshot beyond a ROLLBACK, and the next transaction fails with SQLITE_BUSY_SNAPSHOT."""
    found = rows(cursor, query, parameters)
    return found[0] if found else None


def rows_of_each(cursor: apsw.Cursor, query: str, sets: Iterable[Sequence[apsw.SQLiteValue]]) -> list[Row]:
    """All rows of a query that is made once for each set of parameters."""
    return cursor.executemany(query, sets).fetchall()


def number(cursor: apsw.Cursor, query: str, parameters: Sequence[apsw.SQLiteValue] = ()) -> int:
    """The one integer that a query finds; 0 for NULL and for no row."""
    found = cursor.execute(query, parameters).get
    return found if isinstance(found, int) else 0


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what SQLite cannot do now as StoreUnavailable; a file that is none of its and text that has no UTF-8 as
    InvalidInput."""
    try:
        yield
    except apsw.NotADBError as error:
        raise InvalidInput(f"{path} is not a SQLite database", field="store") from error
    except apsw.Error as error:
        failure = unavailable(path, error)
        if failure is None:
            raise
        raise failure from error
    except UnicodeEncodeError as error:
        raise InvalidInput(f"text is not valid Unicode: {error.reason}") from error


def unavailable(path: Path, error: BaseException) -> StoreUnavailable | None:
    """The StoreUnavailable for an error of SQLite's that is about the file or the machine; None for any other."""
    for kind, words in _UNAVAILABLE.items():
        if isinstance(error, kind):
            return StoreUnavailable(f"the store {path} {words}: {error}")
    return None


def _matches(*values: apsw.SQLiteValue) -> bool | None:
    pattern, text = values
    return compiled(str(pattern)).matches(text) if isinstance(text, str) else None
