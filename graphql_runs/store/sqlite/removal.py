"""Taking runs away, and old rows of journals. What is removed cannot be found any more at once; the items of its streams, which can be
many, are deleted bit by bit in transactions of their own (`sweep`), also by a process that opens the file later."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw

from graphql_runs.store.sqlite.connection import Row, first_row, number, rows, rows_of_each
from graphql_runs.store.sqlite.filters import TERM

_SECONDS = 0.01
"""About how long a sweep takes: others wait for it."""
_ITEMS = 100
_BYTES = 2 << 20
"""Bytes of items after which the time is looked at; large ones take long to free."""
_ALL = (1 << 63) - 1

# A run's metrics and log files have the name of their stream.
_STREAMS = """UPDATE stream SET term = NULL, waiting = 0
  WHERE term IN (SELECT key FROM metric WHERE owner = ?1 UNION ALL SELECT key FROM log WHERE owner = ?1) RETURNING key"""
_OWNED = ("metric", "log", "artifact")
# Terms of runs stay: hints still tell of them.
_TERM_GONE = (
    "DELETE FROM term WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM stream WHERE term = ?1)"
    + "".join(f" AND NOT EXISTS (SELECT 1 FROM {table} WHERE key = ?1)" for table in _OWNED)
)
_FLOOR = f"UPDATE stream SET floor = min(?, end) WHERE term = {TERM} AND floor < min(?, end) RETURNING key"
_LEFT = (
    "SELECT stream.key, stream.term, stream.floor FROM sweep JOIN stream ON stream.key = sweep.stream LIMIT 1"
)


def remove_runs(cursor: apsw.Cursor, root: str, ids: Sequence[str]) -> None:
    """Those of the runs that are in the tree, with everything that belongs to them; with the root all of the tree."""
    if root in ids:
        found = rows(cursor, "SELECT key FROM run WHERE root = ?", (root,))
    else:
        query = "SELECT key FROM run WHERE id = ? AND root = ?"
        found = rows_of_each(cursor, query, [(id, root) for id in dict.fromkeys(ids)])
    for (key,) in found:
        _wait_for_sweep(cursor, rows(cursor, _STREAMS, (key,)))
        for table in _OWNED:
            cursor.execute(f"INSERT OR IGNORE INTO unused SELECT key FROM {table} WHERE owner = ?", (key,))
            cursor.execute(f"DELETE FROM {table} WHERE owner = ?", (key,))
        cursor.execute("DELETE FROM bag WHERE run = ?", (key,))
        cursor.execute("DELETE FROM run WHERE key = ?", (key,))
    cursor.execute("UPDATE meta SET value = value - ? WHERE name = 'runs'", (len(found),))


def raise_floor(cursor: apsw.Cursor, stream: str, before: int) -> None:
    """Rows before this one are left no more."""
    _wait_for_sweep(cursor, rows(cursor, _FLOOR, (before, stream, before)))


def waits(cursor: apsw.Cursor) -> bool:
    """Whether there is something to sweep."""
    return bool(number(cursor, "SELECT EXISTS (SELECT 1 FROM sweep) OR EXISTS (SELECT 1 FROM unused)"))


def sweep(cursor: apsw.Cursor) -> bool:
    """Delete for a while; True when something is left."""
    until = time.monotonic() + _SECONDS
    while found := first_row(cursor, _LEFT):
        key, term, floor = found
        if _delete_items(cursor, key, _ALL if term is None else floor):
            cursor.execute("DELETE FROM sweep WHERE stream = ?", (key,))
            cursor.execute("DELETE FROM stream WHERE key = ? AND term IS NULL", (key,))
        if time.monotonic() > until:
            return True
    while terms := rows(cursor, "SELECT term FROM unused LIMIT ?", (_ITEMS,)):
        cursor.executemany(_TERM_GONE, terms)
        cursor.executemany("DELETE FROM unused WHERE term = ?", terms)
        cursor.execute("UPDATE meta SET value = value + 1 WHERE name = 'terms'")
        if time.monotonic() > until:
            return waits(cursor)
    return False


def _wait_for_sweep(cursor: apsw.Cursor, streams: Sequence[Row]) -> None:
    cursor.executemany("INSERT OR IGNORE INTO sweep VALUES (?)", streams)


def _delete_items(cursor: apsw.Cursor, stream: int, before: int) -> bool:
    """Delete some items that end at or before a row; True when there is none any more."""
    query = "SELECT key, length(data) FROM item WHERE stream = ? AND start < ? AND end <= ? ORDER BY start LIMIT ?"
    found = rows(cursor, query, (stream, before, before, _ITEMS))
    size = 0
    for place, (key, length) in enumerate(found, start=1):
        cursor.execute("DELETE FROM item WHERE key = ?", (key,))
        size += length
        if size >= _BYTES and place < len(found):
            return False
    return len(found) < _ITEMS
