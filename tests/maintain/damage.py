"""Damaging the file of a SQLite store behind its back."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import orjson


def change_record(file: Path, table: str, id: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the document of a record; its checksum is made to fit."""
    db = apsw.Connection(str(file))
    key = db.execute("SELECT key FROM term WHERE text = ?", (id,)).get
    where, value = ("id", id) if table == "run" else ("key", key)
    document = orjson.loads(db.execute(f"SELECT doc FROM {table} WHERE {where} = ?", (value,)).get)
    change(document)
    data = orjson.dumps(document)
    db.execute(f"UPDATE {table} SET doc = ?, sum = ? WHERE {where} = ?", (data, zlib.crc32(data), value))
    assert db.changes() == 1
    db.close()


def garble_record(file: Path, table: str, id: str) -> None:
    """Make a record unreadable."""
    db = apsw.Connection(str(file))
    where = "id = ?" if table == "run" else "key = (SELECT key FROM term WHERE text = ?)"
    db.execute(f"UPDATE {table} SET doc = x'7b' WHERE {where}", (id,))
    assert db.changes() == 1
    db.close()


def delete_record(file: Path, table: str, id: str) -> None:
    """Take a record away, and nothing else."""
    db = apsw.Connection(str(file))
    where = "id = ?" if table == "run" else "key = (SELECT key FROM term WHERE text = ?)"
    db.execute(f"DELETE FROM {table} WHERE {where}", (id,))
    assert db.changes() == 1
    db.close()


def delete_item(file: Path, stream: str, start: int) -> None:
    """Take an item out of a stream."""
    db = apsw.Connection(str(file))
    db.execute(
        "DELETE FROM item WHERE start = ? AND stream = (SELECT key FROM stream WHERE term = (SELECT key FROM term WHERE text = ?))",
        (start, stream),
    )
    assert db.changes() == 1
    db.close()


def change_item(file: Path, stream: str, start: int, data: bytes, *, fitting: bool) -> None:
    """Put other bytes in an item's place, with a checksum that fits them or not."""
    db = apsw.Connection(str(file))
    db.execute(
        "UPDATE item SET data = ?, sum = ? WHERE start = ? AND stream = (SELECT key FROM stream WHERE term = (SELECT key FROM term WHERE text = ?))",
        (data, zlib.crc32(data) if fitting else 1, start, stream),
    )
    assert db.changes() == 1
    db.close()
