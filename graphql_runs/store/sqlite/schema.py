"""What of the tables others rely on, and what happens when a file is opened.

Records are kept as JSON documents (`store.documents`) with a CRC-32 in `sum`, beside the columns that lists and filters use.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import apsw

from graphql_runs.model.errors import InvalidInput, NotFound, StoreUnavailable
from graphql_runs.model.filter import Attribute
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.store.sqlite import migrations
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

SPARSE = (Attribute.TRASHED_AT, Attribute.STALE_AT, Attribute.ALIAS_OF)
"""Attributes that few runs have, whose index `run_by_…` holds these runs only."""

WAITING = 16
"""The index of fragmented streams begins at so many items: below, it would be rewritten for every append."""


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
    if version == len(migrations.MIGRATIONS):
        return
    with db:
        for script in migrations.MIGRATIONS[version:]:
            db.execute(script)
        db.pragma("application_id", APPLICATION)
        db.pragma("user_version", len(migrations.MIGRATIONS))


def check_version(cursor: apsw.Cursor, path: Path) -> None:
    """Raises StoreUnavailable when the tables are not those of this program any more; in a transaction."""
    if number(cursor, "PRAGMA user_version") != len(migrations.MIGRATIONS):
        raise StoreUnavailable(f"the store {path} was taken over by another version of graphql-runs")


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
    if version > len(migrations.MIGRATIONS):
        raise InvalidInput(
            f"{path} was written by a newer version of graphql-runs (schema {version}, this one knows {len(migrations.MIGRATIONS)})",
            field="store",
        )


def _version(db: apsw.Connection) -> int:
    return number(db.cursor(), "PRAGMA user_version")
