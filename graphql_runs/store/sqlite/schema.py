"""The tables, their versions, and what happens when a file is opened.

Records are kept as JSON documents (`store.documents`) with a CRC-32 in `sum`, beside the columns that lists and filters use. A text
that many rows refer to (an id, the key of a parameter) is a `term` with a number.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import apsw

from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.filter import Attribute
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.store.fields import ATTRIBUTES, NUMERIC
from graphql_runs.store.sqlite.connection import number, rows
from graphql_runs.store.sqlite.lock import FileLock

APPLICATION = 0x6772726E
"""`PRAGMA application_id` of our files: "grrn"."""

TABLES: dict[type, str] = {
    Workspace: "workspace",
    Cluster: "cluster",
    Experiment: "experiment",
    Metric: "metric",
    LogFile: "log",
    Artifact: "artifact",
}
"""The tables of the kinds that have an owner and a name."""

DATED = (
    Attribute.PARENT,
    Attribute.CLUSTER,
    Attribute.EXPERIMENT,
    Attribute.STATUS,
    Attribute.STATUS_CLASS,
    Attribute.WORKSPACE,
)
"""Attributes whose index `run_by_…` goes on with the time of creation: the order in which such lists are shown.
The first ones narrow a list most."""

ORDERED = (
    Attribute.RUN_ID,
    Attribute.NUMBER,
    Attribute.NAME,
    Attribute.DISPLAY_NAME,
    Attribute.SUBMITTED_BY,
    Attribute.CREATED_AT,
    Attribute.STARTED_AT,
    Attribute.ENDED_AT,
    Attribute.DURATION,
)
"""Attributes with an index `run_by_…` of their own."""

NULLABLE = frozenset(
    {
        Attribute.CLUSTER,
        Attribute.PARENT,
        Attribute.DISPLAY_NAME,
        Attribute.SUBMITTED_BY,
        Attribute.STARTED_AT,
        Attribute.ENDED_AT,
        Attribute.DURATION,
        Attribute.KIND,
        Attribute.TARGET,
    }
)
"""Attributes that a run may lack."""

WAITING = 16
"""The index of fragmented streams begins at so many items: below, it would be rewritten for every append."""


def _column(name: Attribute) -> str:
    kind = "REAL" if name is Attribute.DURATION else "INTEGER" if name in NUMERIC else "TEXT"
    return f"{name.value} {kind}" if name in NULLABLE else f"{name.value} {kind} NOT NULL"


def _run_index(name: Attribute, more: str = "") -> str:
    return f"CREATE INDEX run_by_{name.value} ON run({name.value}{more});"


def _named_table(table: str) -> str:
    return f"""
CREATE TABLE {table}(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX {table}_by_name ON {table}(owner, name);
"""


_FIRST = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('runs', 0);
CREATE TABLE term(key INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE counter(name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
{"".join(_named_table(table) for table in TABLES.values() if table != "metric")}
-- One row per metric and run; `experiment` is a term. NaN is NULL here, the document has the truth.
CREATE TABLE metric(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL, experiment INTEGER NOT NULL,
  last REAL, min REAL, max REAL, mean REAL, count INTEGER, first_non_finite_step,
  doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX metric_by_name ON metric(owner, name);
CREATE INDEX metric_by_last ON metric(name, last, experiment);
CREATE INDEX metric_by_min ON metric(name, min, experiment);
CREATE INDEX metric_by_max ON metric(name, max, experiment);

CREATE TABLE run(key INTEGER PRIMARY KEY, {", ".join(map(_column, ATTRIBUTES))},
  bags BLOB NOT NULL, doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX run_by_id ON run(id);
CREATE INDEX run_by_root ON run(root, depth, id);
{"".join(_run_index(name, ", created_at, status") for name in DATED)}
{"".join(map(_run_index, ORDERED))}
-- Tags, params and properties: `key` is the term of `param:lr`. Numbers sort before texts, as SQLite has it by itself.
CREATE TABLE bag(run INTEGER NOT NULL, key INTEGER NOT NULL, text TEXT NOT NULL, number,
  sort GENERATED ALWAYS AS (coalesce(number, text)) VIRTUAL, PRIMARY KEY(run, key)) WITHOUT ROWID;
CREATE INDEX bag_by_text ON bag(key, text);
CREATE INDEX bag_by_sort ON bag(key, sort);

CREATE TABLE stream(key INTEGER PRIMARY KEY, end INTEGER NOT NULL, waiting INTEGER NOT NULL);
CREATE INDEX stream_by_waiting ON stream(waiting) WHERE waiting >= {WAITING};
-- Keys only grow, also when items are merged: what is above a key was written after it (see wakes).
CREATE TABLE item(key INTEGER PRIMARY KEY, stream INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
  mark INTEGER NOT NULL, waiting INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX item_by_start ON item(stream, start);
CREATE TABLE position(root INTEGER NOT NULL, writer TEXT NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, note BLOB,
  PRIMARY KEY(root, writer)) WITHOUT ROWID;
-- Only the newest hint of a run is kept: doubles say nothing, and so hints never outgrow the runs.
CREATE TABLE hint(workspace INTEGER NOT NULL, run INTEGER NOT NULL, n INTEGER NOT NULL, root INTEGER NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY(workspace, run)) WITHOUT ROWID;
CREATE UNIQUE INDEX hint_by_n ON hint(workspace, n);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Script i takes a file from version i to i + 1; version 0 is an empty file."""


def check_path(path: Path, *, create: bool) -> None:
    """Raises InvalidInput when no store can be at `path`, NotFound when there is none and it may not be created."""
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder; the store is a file", field="store")
    if not path.exists() and not create:
        raise NotFound(f"there is no store at {path}", field="store")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"the folder {path.parent} cannot be created: {error.strerror}", field="store"
        ) from error


def prepare(db: apsw.Connection, path: Path) -> None:
    """Bring the file to the version of this program, in one transaction; for whoever has the lock.

    Raises InvalidInput when the file is not ours or is of a newer version.
    """
    _check_header(db, path)
    if (mode := db.pragma("journal_mode", "wal")) != "wal":
        raise InvalidInput(f"{path} cannot use SQLite's write-ahead log (journal mode {mode})", field="store")
    version = _version(db)
    if version == len(MIGRATIONS):
        return
    with db:
        for script in MIGRATIONS[version:]:
            db.execute(script)
        db.pragma("application_id", APPLICATION)
        db.pragma("user_version", len(MIGRATIONS))


def settle_epoch(db: apsw.Connection, path: Path, lock: FileLock) -> str:
    """The epoch of the file: a new one if it was copied or restored since it was last open; for whoever has the lock.

    A copy is another inode. A backup that was put in place holds an older token than the lock file beside it.
    """
    known: dict[str, object] = dict(
        rows(db.cursor(), "SELECT name, value FROM meta WHERE name IN ('epoch', 'inode', 'token')")
    )
    inode = path.stat().st_ino
    epoch = known.get("epoch")
    if (
        not isinstance(epoch, str)
        or known.get("inode") != inode
        or known.get("token") not in lock.note().split()
    ):
        epoch = secrets.token_hex(8)
    _write_meta(db, lock, {"epoch": epoch, "inode": inode})
    return epoch


def renew_token(db: apsw.Connection, lock: FileLock) -> None:
    """Tell copies made until now from what is written from now on; for whoever has the lock."""
    _write_meta(db, lock, {})


def _write_meta(db: apsw.Connection, lock: FileLock, values: dict[str, str | int]) -> None:
    token = secrets.token_hex(8)
    old = db.execute("SELECT value FROM meta WHERE name = 'token'").get
    # Both tokens, until the new one is in the file: a crash in between must not look like a restore.
    lock.set_note(f"{old} {token}" if isinstance(old, str) else token)
    with db:
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [*values.items(), ("token", token)])
    lock.set_note(token)


def _check_header(db: apsw.Connection, path: Path) -> None:
    application, version = db.pragma("application_id"), _version(db)
    tables = db.execute("SELECT count(*) FROM sqlite_schema").get
    if tables and application != APPLICATION:
        raise InvalidInput(f"{path} is a SQLite database of another program", field="store")
    if version > len(MIGRATIONS):
        raise InvalidInput(
            f"{path} was written by a newer version of graphql-runs (schema {version}, this one knows {len(MIGRATIONS)})",
            field="store",
        )


def _version(db: apsw.Connection) -> int:
    return number(db.cursor(), "PRAGMA user_version")
