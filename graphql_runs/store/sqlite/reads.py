"""Reads by id, owner and row. Each takes a cursor inside a read transaction."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import apsw

from graphql_runs.model.change import Hint
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store import documents
from graphql_runs.store.port import Extent, Item, Position
from graphql_runs.store.sqlite.connection import Row, number, rows, rows_of_each
from graphql_runs.store.sqlite.filters import TERM, Sql, all_of, containing, starting
from graphql_runs.store.sqlite.schema import TABLES, WAITING

R = TypeVar("R")

_ITEMS = "SELECT start, end, data, mark, sum FROM item"


def record(kind: type[R], doc: bytes, proof: int) -> R:
    """The record of a row. Raises StoreUnavailable when the row is not what was written."""
    if zlib.crc32(doc) != proof:
        raise StoreUnavailable(f"the store is damaged: the checksum of a {kind.__name__} is wrong")
    return documents.decode(kind, doc)


def get(cursor: apsw.Cursor, kind: type[R], ids: Sequence[str]) -> list[R | None]:
    """See `Store.get`."""
    if kind is Run:
        query = "SELECT id, doc, sum FROM run WHERE id = ?"
    else:
        table = TABLES[kind]
        query = (
            f"SELECT term.text, doc, sum FROM term JOIN {table} ON {table}.key = term.key WHERE term.text = ?"
        )
    found = rows_of_each(cursor, query, [(id,) for id in set(ids)])
    known = {id: record(kind, doc, proof) for id, doc, proof in found}
    return [known.get(id) for id in ids]


def list_named(
    cursor: apsw.Cursor,
    kind: type[R],
    owner: str,
    *,
    after: str | None,
    first: int,
    contains: str | None,
    prefix: str | None,
    descending: bool,
) -> list[R]:
    """See `Store.list_named`."""
    conditions = _named(owner, contains, prefix)
    if after is not None:
        conditions.append(Sql(f"name {'<' if descending else '>'} ?", (after,)))
    direction = "DESC" if descending else "ASC"
    query = all_of(conditions).inside(
        f"SELECT doc, sum FROM {TABLES[kind]} WHERE ", f" ORDER BY name {direction} LIMIT ?"
    )
    found = rows(cursor, query.text, (*query.parameters, max(0, first)))
    return [record(kind, doc, proof) for doc, proof in found]


def count_named(
    cursor: apsw.Cursor, kind: type[R], owner: str, contains: str | None, prefix: str | None
) -> int:
    """See `Store.count`."""
    query = all_of(_named(owner, contains, prefix)).inside(f"SELECT count(*) FROM {TABLES[kind]} WHERE ", "")
    return number(cursor, query.text, query.parameters)


def tree_runs(cursor: apsw.Cursor, root: str) -> list[Run]:
    """See `Store.tree_runs`."""
    found = rows(cursor, "SELECT doc, sum FROM run WHERE root = ? ORDER BY depth, id", (root,))
    return [record(Run, doc, proof) for doc, proof in found]


def ends(cursor: apsw.Cursor, streams: Sequence[str]) -> list[int]:
    """See `Store.ends`."""
    query = "SELECT term.text, stream.end FROM term JOIN stream ON stream.term = term.key WHERE term.text = ?"
    known: dict[str, int] = dict(rows_of_each(cursor, query, [(stream,) for stream in set(streams)]))
    return [known.get(stream, 0) for stream in streams]


def read(cursor: apsw.Cursor, stream: str, start: int, end: int | None, limit: int | None) -> list[Item]:
    """See `Store.read`."""
    key, floor = _stream(cursor, stream)
    start = max(start, floor)
    if end is not None and end <= start:
        return []
    # Of the items that begin at or before `start`, only the last can reach beyond it.
    first = number(cursor, "SELECT max(start) FROM item WHERE stream = ? AND start <= ?", (key, start))
    items: list[Item] = []
    size = 0
    row: Row
    for row in cursor.execute(f"{_ITEMS} WHERE stream = ? AND start >= ? ORDER BY start", (key, first)):
        if end is not None and row[0] >= end:
            break
        if row[1] <= start:
            continue
        items.append(_item(stream, row))
        size += len(row[2])
        if limit is not None and size >= limit:
            break
    return items


def read_back(cursor: apsw.Cursor, stream: str, end: int, limit: int) -> list[Item]:
    """See `Store.read_back`."""
    key, floor = _stream(cursor, stream)
    items: list[Item] = []
    size = 0
    row: Row
    for row in cursor.execute(f"{_ITEMS} WHERE stream = ? AND start < ? ORDER BY start DESC", (key, end)):
        if row[1] <= floor:
            break
        items.append(_item(stream, row))
        size += len(row[2])
        if size >= limit:
            break
    return items[::-1]


def positions(cursor: apsw.Cursor, root: str, writers: Sequence[str]) -> list[Position | None]:
    """See `Store.positions`."""
    query = f"SELECT writer, sequence, digest, note FROM position WHERE root = {TERM} AND writer = ?"
    found = rows_of_each(cursor, query, [(root, writer) for writer in set(writers)])
    known = {row[0]: Position(*row) for row in found}
    return [known.get(writer) for writer in writers]


def all_positions(cursor: apsw.Cursor, root: str, after: str | None, first: int) -> list[Position]:
    """See `Store.all_positions`."""
    query = (
        f"SELECT writer, sequence, digest, note FROM position WHERE root = {TERM}"
        f" AND writer > ? ORDER BY writer LIMIT ?"
    )
    return [Position(*row) for row in rows(cursor, query, (root, after or "", max(0, first)))]


def streams(cursor: apsw.Cursor, after: str | None, first: int) -> list[Extent]:
    """See `Store.streams`."""
    query = (
        "SELECT term.text, stream.floor, stream.end FROM term CROSS JOIN stream ON stream.term = term.key"
        " WHERE term.text > ? ORDER BY term.text LIMIT ?"
    )
    return [Extent(*row) for row in rows(cursor, query, (after or "", max(0, first)))]


def scan(cursor: apsw.Cursor, kind: type[R], after: str | None, first: int) -> list[R]:
    """See `Store.scan`."""
    if kind is Run:
        query = "SELECT doc, sum FROM run WHERE id > ? ORDER BY id LIMIT ?"
    else:
        table = TABLES[kind]
        query = (
            f"SELECT doc, sum FROM term CROSS JOIN {table} ON {table}.key = term.key"
            f" WHERE term.text > ? ORDER BY term.text LIMIT ?"
        )
    found = rows(cursor, query, (after or "", max(0, first)))
    return [record(kind, doc, proof) for doc, proof in found]


def named_blobs(cursor: apsw.Cursor, blobs: Sequence[str]) -> set[str]:
    """Those of the blobs that an artifact names."""
    found = rows_of_each(
        cursor, "SELECT blob FROM artifact WHERE blob = ? LIMIT 1", [(one,) for one in blobs]
    )
    return {blob for (blob,) in found}


def fragmented(cursor: apsw.Cursor, items: int, after: str | None, first: int) -> list[str]:
    """See `Store.fragmented`."""
    # The index begins at WAITING, and SQLite uses it only when the query says so itself.
    indexed = f"waiting >= {WAITING} AND " if items >= WAITING else ""
    query = (
        f"SELECT term.text FROM stream JOIN term ON term.key = stream.term WHERE {indexed}waiting >= ?"
        " AND term.text > ? ORDER BY term.text LIMIT ?"
    )
    return [text for (text,) in rows(cursor, query, (items, after or "", max(0, first)))]


def hints(cursor: apsw.Cursor, workspace: str, after: int, first: int) -> list[Hint]:
    """See `Store.hints`."""
    query = (
        "SELECT run.text, root.text, hint.at, hint.n FROM hint"
        " JOIN term AS run ON run.key = hint.run JOIN term AS root ON root.key = hint.root"
        f" WHERE hint.workspace = {TERM} AND hint.n > ? ORDER BY hint.n LIMIT ?"
    )
    found = rows(cursor, query, (workspace, after, max(0, first)))
    return [Hint(workspace, run, root, at, n) for run, root, at, n in found]


def hint_end(cursor: apsw.Cursor, workspace: str) -> int:
    """See `Store.hint_end`."""
    return number(cursor, f"SELECT max(n) FROM hint WHERE workspace = {TERM}", (workspace,))


def _stream(cursor: apsw.Cursor, stream: str) -> tuple[int, int]:
    """The number of a stream and the first row that is left of it; a number without items when there is none."""
    found: Row | None = cursor.execute(
        f"SELECT key, floor FROM stream WHERE term = {TERM}", (stream,)
    ).fetchone()
    return (-1, 0) if found is None else (found[0], found[1])


def _named(owner: str, contains: str | None, prefix: str | None) -> list[Sql]:
    conditions = [Sql(f"owner = {TERM}", (owner,))]
    if contains is not None:
        conditions.append(containing("name", contains))
    if prefix is not None:
        conditions.append(starting("name", prefix))
    return conditions


def _item(stream: str, row: Row) -> Item:
    start, end, data, mark, proof = row
    if zlib.crc32(data) != proof:
        raise StoreUnavailable(f"the store is damaged: the checksum of {stream} at row {start} is wrong")
    return Item(start, end, data, mark)
