"""What a transaction may do to the tables. Everything here runs in the writer's thread, inside a transaction of its own."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import apsw
import orjson

from graphql_runs.model.bags import bag_of
from graphql_runs.model.change import Hint
from graphql_runs.model.errors import Conflict, InvalidInput
from graphql_runs.model.filter import Bag
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.store import documents
from graphql_runs.store.fields import ATTRIBUTES, attributes, number_of
from graphql_runs.store.port import Batch, Item, Position, Purge, Standalone, TreeRecord, journal_of, owner_of
from graphql_runs.store.sqlite import removal
from graphql_runs.store.sqlite.connection import first_row, number, rows
from graphql_runs.store.sqlite.schema import TABLES

_KNOWN_TERMS = 200_000
_SMALL = 128 << 10
"""An appended item of fewer bytes waits to be merged."""
_NO_STREAM = 0
"""Marks a change that touches no stream, so that other processes notice it."""

_STATS = ("last", "min", "max", "mean", "count", "first_non_finite_step")
_RUN_COLUMNS = tuple(name.value for name in ATTRIBUTES)
_RUN_ROW = ("key", *_RUN_COLUMNS, "bags", "doc", "sum")
_METRIC_ROW = ("key", "owner", "name", "experiment", *_STATS, "doc", "sum")
_NAMED_ROW = ("key", "owner", "name", "doc", "sum")

_STREAM = "INSERT INTO stream(term, floor, end, waiting) VALUES (?, 0, ?, ?)"
_GROWN = "UPDATE stream SET end = ?, waiting = waiting + ? WHERE key = ?"
_ITEM = "INSERT INTO item(stream, start, end, mark, waiting, sum, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
_POSITION = """INSERT INTO position VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
  SET sequence = excluded.sequence, digest = excluded.digest, note = excluded.note"""
_HINT = """INSERT INTO hint(workspace, run, n, root, at)
  VALUES (?1, ?2, (SELECT coalesce(max(n), 0) + 1 FROM hint WHERE workspace = ?1), ?3, ?4)
  ON CONFLICT DO UPDATE SET n = excluded.n, root = excluded.root, at = excluded.at"""


class Changes:
    """Reads and writes of the transaction under way on one connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._cursor = db.cursor()
        # A term keeps its number until it is swept, which `begin` notices, so that what is known stays true whatever others do.
        self._terms: dict[str, int] = {}
        self._swept_terms = 0
        self._learned: list[str] = []
        self.leftovers = False
        """Whether there may be something to sweep."""

    def begin(self) -> None:
        """A transaction has begun: forget terms that may have been swept since the last one."""
        swept = number(self._cursor, "SELECT value FROM meta WHERE name = 'terms'")
        if swept != self._swept_terms:
            self._terms.clear()
            self._swept_terms = swept

    def learned(self) -> int:
        """A mark for `forget`."""
        return len(self._learned)

    def forget(self, mark: int = 0) -> None:
        """Forget the terms met since the mark: a rollback may have taken them back."""
        for text in self._learned[mark:]:
            self._terms.pop(text, None)
        del self._learned[mark:]

    def settle(self) -> None:
        """The transaction is committed: keep what was met."""
        self._learned.clear()
        if len(self._terms) > _KNOWN_TERMS:
            self._terms.clear()

    def last_item(self) -> int:
        """The highest key of an item so far."""
        return number(self._cursor, "SELECT max(key) FROM item")

    def commit(self, batch: Batch) -> None:
        """Raises Conflict, after which the caller has to roll back."""
        # Entries of a journal stay as they are; only points and text wait to be merged.
        self._extend(journal_of(batch.root), batch.entry, waits=False)
        for append in batch.appends:
            self._extend(append.stream, append.item, waits=len(append.item.data) < _SMALL)
        for record in batch.creates:
            self._create(record)
        for record in batch.replaces:
            self._replace(record)
        if batch.positions:
            root = self._term(batch.root)
            self._cursor.executemany(
                _POSITION, [(root, *_position(position)) for position in batch.positions]
            )
        if batch.hints:
            self._cursor.executemany(_HINT, [self._hint(hint) for hint in batch.hints])

    def upsert(self, record: Standalone, was: Standalone | None) -> None:
        """Raises Conflict when the record no longer is `was`."""
        kind = type(record)
        table, key, doc = TABLES[kind], self._term(record.id), documents.encode(record)
        row = first_row(self._cursor, f"SELECT doc FROM {table} WHERE key = ?", (key,))
        if (None if row is None else documents.decode(kind, row[0])) != was:
            raise Conflict(f"{record.id} was changed by somebody else")
        owner, name = owner_of(record)
        try:
            self._cursor.execute(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE"
                " SET owner = excluded.owner, name = excluded.name, doc = excluded.doc, sum = excluded.sum",
                (key, self._term(owner), name, doc, zlib.crc32(doc)),
            )
        except apsw.ConstraintError as error:
            raise Conflict(f"there is another {table} {name!r}") from error
        self._mark()

    def next_number(self, counter: str) -> int:
        """One more than the last time."""
        statement = "INSERT INTO counter VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n"
        return number(self._cursor, statement, (counter,))

    def raise_number(self, counter: str, least: int) -> None:
        """The next one is above `least`."""
        statement = "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET n = max(n, excluded.n)"
        self._cursor.execute(statement, (counter, least))

    def purge(self, purge: Purge) -> None:
        """Raises Conflict, after which the caller has to roll back. What nobody can find any more is left to `sweep`."""
        if not purge.runs:
            raise InvalidInput("a purge names at least one run", field="runs")
        self._extend(journal_of(purge.root), purge.entry, waits=False)
        removal.remove_runs(self._cursor, purge.root, purge.runs)
        if purge.root in purge.runs:
            self._cursor.execute("DELETE FROM position WHERE root = ?", (self._term(purge.root),))
            self.trim(purge.root, purge.entry.start)
        self._cursor.executemany(_HINT, [self._hint(hint) for hint in purge.hints])
        self.leftovers = True

    def trim(self, root: str, before: int) -> None:
        """What nobody can read any more is left to `sweep`."""
        removal.raise_floor(self._cursor, journal_of(root), before)
        self.leftovers = True

    def look_for_leftovers(self) -> None:
        """Find out whether there is something to sweep, whoever left it."""
        self.leftovers = removal.waits(self._cursor)

    def sweep(self) -> None:
        """Delete some of what purges and trims have left."""
        last = self.last_item()
        self.leftovers = removal.sweep(self._cursor)
        if self.last_item() < last:
            self._mark(last + 1)

    def _mark(self, key: int | None = None) -> None:
        """Put the marker above all items, where other processes notice it."""
        marker = self.last_item() + 1 if key is None else key
        self._cursor.execute("DELETE FROM item WHERE stream = ?", (_NO_STREAM,))
        self._cursor.execute(
            "INSERT INTO item(key, stream, start, end, mark, waiting, sum, data) VALUES (?, ?, 0, 0, 0, 0, 0, x'')",
            (marker, _NO_STREAM),
        )

    def compact(self, stream: str, merged: Item, parts: Sequence[Item]) -> bool:
        """False, and no change, when the stream does not have exactly these items there."""
        term = self._known_term(stream)
        found = rows(self._cursor, "SELECT key, floor FROM stream WHERE term = ?", (term,))
        if not found or not parts:
            return False
        [(key, floor)] = found
        query = (
            "SELECT start, end, sum, waiting, key FROM item WHERE stream = ? AND start >= ? AND start < ? AND end > ?"
            " ORDER BY start"
        )
        there = rows(self._cursor, query, (key, merged.start, merged.end, floor))
        # By content too: the same rows may have been purged and written anew since they were read.
        if [row[:3] for row in there] != [(part.start, part.end, zlib.crc32(part.data)) for part in parts]:
            return False
        if (parts[0].start, parts[-1].end) != (merged.start, merged.end):
            return False
        # A new key above all: what was merged counts as written now, and keys never come back.
        new = self.last_item() + 1
        self._cursor.executemany("DELETE FROM item WHERE key = ?", [(row[4],) for row in there])
        self._cursor.execute(
            "INSERT INTO item(key, stream, start, end, mark, waiting, sum, data) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
            (new, key, merged.start, merged.end, merged.mark, zlib.crc32(merged.data), merged.data),
        )
        waiting = sum(row[3] for row in there)
        self._cursor.execute("UPDATE stream SET waiting = waiting - ? WHERE key = ?", (waiting, key))
        return True

    def _extend(self, stream: str, item: Item, *, waits: bool) -> None:
        if not 0 <= item.start < item.end:
            raise InvalidInput(f"an item of {stream} has rows [{item.start}, {item.end})", field=stream)
        term = self._term(stream)
        # Not UPDATE … RETURNING, which takes twice as long.
        found = first_row(self._cursor, "SELECT key, end FROM stream WHERE term = ?", (term,))
        key, end = found or (None, 0)
        if end != item.start:
            raise Conflict(f"{stream} ends at row {end}, not at {item.start}")
        if key is None:
            self._cursor.execute(_STREAM, (term, item.end, waits))
            key = self._db.last_insert_rowid()
        else:
            self._cursor.execute(_GROWN, (item.end, waits, key))
        self._cursor.execute(
            _ITEM, (key, item.start, item.end, item.mark, waits, zlib.crc32(item.data), item.data)
        )

    def _create(self, record: TreeRecord) -> None:
        key, doc = self._term(record.id), documents.encode(record)
        proof = zlib.crc32(doc)
        try:
            match record:
                case Run():
                    self._insert(
                        "run", _RUN_ROW, (key, *attributes(record), _bags_digest(record), doc, proof)
                    )
                    self._cursor.execute("UPDATE meta SET value = value + 1 WHERE name = 'runs'")
                    self._write_bags(key, record, {})
                case Metric():
                    owner, experiment = self._term(record.run), self._term(record.experiment)
                    values = (key, owner, record.name, experiment, *_stats(record), doc, proof)
                    self._insert("metric", _METRIC_ROW, values)
                case LogFile():
                    owner = self._term(record.run)
                    self._insert("log", _NAMED_ROW, (key, owner, record.path, doc, proof))
                case Artifact():
                    owner = self._term(record.run)
                    values = (key, owner, record.path, doc, proof, record.blob)
                    self._insert("artifact", (*_NAMED_ROW, "blob"), values)
        except apsw.ConstraintError as error:
            raise Conflict(f"{record.id} exists already") from error

    def _insert(self, table: str, columns: tuple[str, ...], values: tuple[apsw.SQLiteValue, ...]) -> None:
        marks = ", ".join("?" * len(values))
        self._cursor.execute(f"INSERT INTO {table}({', '.join(columns)}) VALUES ({marks})", values)

    def _replace(self, record: TreeRecord) -> None:
        key, doc = self._term(record.id), documents.encode(record)
        match record:
            case Metric():
                self._update("metric", key, record.id, _STATS, _stats(record), doc)
            case Run():
                digest = _bags_digest(record)
                columns, values = (*_RUN_COLUMNS, "bags"), (*attributes(record), digest)
                if "bags" in self._update("run", key, record.id, columns, values, doc):
                    before = rows(self._cursor, "SELECT key, text FROM bag WHERE run = ?", (key,))
                    self._write_bags(key, record, dict(before))
            case LogFile():
                self._update("log", key, record.id, (), (), doc)
            case Artifact():
                self._update("artifact", key, record.id, ("blob",), (record.blob,), doc)

    def _update(
        self,
        table: str,
        key: int,
        id: str,
        columns: tuple[str, ...],
        values: tuple[apsw.SQLiteValue, ...],
        doc: bytes,
    ) -> list[str]:
        """Write what differs, so that only its indexes are touched; gives the columns that did."""
        query = f"SELECT {', '.join(columns) or '1'} FROM {table} WHERE key = ?"
        old = first_row(self._cursor, query, (key,))
        if old is None:
            raise Conflict(f"{id} does not exist")
        changed, news = [], []
        for column, before, value in zip(columns, old, values, strict=False):
            if before != value:
                changed.append(column)
                news.append(value)
        sets = "".join(f"{column} = ?, " for column in changed)
        self._cursor.execute(
            f"UPDATE {table} SET {sets}doc = ?, sum = ? WHERE key = ?", (*news, doc, zlib.crc32(doc), key)
        )
        return changed

    def _write_bags(self, key: int, run: Run, old: Mapping[int, str]) -> None:
        new = {
            self._term(f"{bag.value}:{name}"): text for bag in Bag for name, text in bag_of(run, bag).items()
        }
        self._cursor.executemany(
            "DELETE FROM bag WHERE run = ? AND key = ?", [(key, term) for term in old if term not in new]
        )
        self._cursor.executemany(
            "INSERT OR REPLACE INTO bag(run, key, text, number) VALUES (?, ?, ?, ?)",
            [(key, term, text, number_of(text)) for term, text in new.items() if old.get(term) != text],
        )

    def _hint(self, hint: Hint) -> tuple[int, int, int, int]:
        return self._term(hint.workspace), self._term(hint.run), self._term(hint.root), hint.at

    def _known_term(self, text: str) -> int | None:
        key = self._terms.get(text)
        if key is None:
            # Keys begin at 1.
            key = number(self._cursor, "SELECT key FROM term WHERE text = ?", (text,))
            if key:
                self._learn(text, key)
        return key or None

    def _term(self, text: str) -> int:
        key = self._terms.get(text) or self._known_term(text)
        if key is None:
            self._cursor.execute("INSERT INTO term(text) VALUES (?)", (text,))
            key = self._db.last_insert_rowid()
            self._learn(text, key)
        return key

    def _learn(self, text: str, key: int) -> None:
        self._terms[text] = key
        self._learned.append(text)


def _position(position: Position) -> tuple[str, int, bytes, bytes | None]:
    return position.writer, position.sequence, position.digest, position.note


def _stats(metric: Metric) -> tuple[float | int | None, ...]:
    # NaN counts as missing; SQLite would make it NULL too, but then it would differ from what is stored at every write.
    return tuple(None if value is not None and value != value else value for value in _raw_stats(metric))


def _raw_stats(metric: Metric) -> tuple[float | int | None, ...]:
    return metric.last, metric.min, metric.max, metric.mean, metric.count, metric.first_non_finite_step


def _bags_digest(run: Run) -> bytes:
    """Tells whether any tag, param or property differs, without reading them."""
    return blake2b(orjson.dumps([dict(bag_of(run, bag)) for bag in Bag]), digest_size=16).digest()
