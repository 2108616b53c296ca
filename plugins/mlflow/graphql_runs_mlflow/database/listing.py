"""Which runs a database has, and which of them changed since it was looked at last, at little cost however many there are.

The rows of `runs` are looked at each time; of `metrics`, `params` and the like, whose rows are only added, the new ones; the
tags, which are changed in place, all, but so seldom that it takes a small part of the time. What is found here only says
which runs are to be read on: it may say so once too often, and it is forgotten when the process ends.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from graphql_runs.ingest.api import File, Limits, Unreadable
from graphql_runs_mlflow.database.opening import Foreign, Row, Session, session, text
from graphql_runs_mlflow.database.tables import Tables, full_name, tables_of
from graphql_runs_mlflow.run import PARENT

_PAGE = 20_000
_SPARING = 20
"""Looking at all tags takes one part in so many of the time."""
_RACY_NS = 1_000_000_000
"""A file that was changed so shortly before it was looked at may have been changed again within the same tick of its clock."""
_JUST_SECONDS = 1.0
_KEPT = 64
"""Databases that are remembered."""
_ID_BYTES = 256
_ADDED: Mapping[str, Sequence[str]] = {
    "metrics": ("run_uuid",),
    "params": ("run_uuid",),
    "inputs": ("source_id", "destination_id"),
}
"""Tables whose rows are only added, with the columns that name runs."""
_EMPTY: Row = (0,)
"""The last row of a table that has none."""
_NAMED = re.compile(r"mlflow|mlruns", re.IGNORECASE)
"""What looks like a database of MLflow's by its name, where it cannot be told by its content."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run of a database. `database` is its path, `artifacts` the folder of its outputs, relative to the source; `version`
    is another one whenever there may be more to read."""

    run_id: str
    database: PurePosixPath
    parent: str | None
    version: str
    artifacts: PurePosixPath | None = None


@dataclass(slots=True)
class _Run:
    row: Row = ()
    version: int = 0
    tags: int = 0


@dataclass(slots=True)
class Listing:
    """A database as it was when it was last looked at.

    error:      why it could not be looked at; then `runs` are those of before.
    unlisted:   runs beyond the limit.
    recognised: it was seen to be MLflow's.
    rows:       the last row of each table whose rows are only added.
    changed:    runs that were seen to differ and have no other version yet: a look may be cut off in the middle.
    spoiled:    it could not be read meanwhile. tags_due: tags were not looked at the last time.
    """

    runs: dict[str, _Run] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    unlisted: int = 0
    recognised: bool = False
    rows: dict[str, Row] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    spoiled: bool = False
    tags_due: bool = False
    tags_at: float = 0.0
    stamp: object = None
    looked_at: float = -math.inf
    generation: int = 0
    lock: Lock = field(default_factory=Lock)

    def found(self, database: PurePosixPath) -> dict[str, Found]:
        """The runs by their ids."""
        return {
            run_id: Found(run_id, database, self.parents.get(run_id), f"{self.generation}.{run.version}")
            for run_id, run in self.runs.items()
        }


_listings: dict[tuple[Path, PurePosixPath], Listing] = {}
_lock = Lock()


def listing_of(
    folder: Path, file: File, beside: Sequence[File], limits: Limits, *, again: bool
) -> Listing | None:
    """The runs of a database now; None when it is no database of MLflow's. `beside` is its -wal, if there is one; without
    `again` what was seen within a second is enough.

    What cannot be read now is MLflow's if it was before, or may be.
    """
    key = (folder, file.path)
    known = _listing(key)
    files = (file, *beside)
    with known.lock:
        stamp = tuple((one.inode, one.size, one.modified_ns) for one in files)
        just_seen = not again and time.monotonic() < known.looked_at + _JUST_SECONDS
        if known.stamp != stamp and not just_seen:
            _look(known, folder, file.path, limits)
            old = max(one.modified_ns for one in files) < time.time_ns() - _RACY_NS
            known.looked_at = time.monotonic()
            known.stamp = stamp if old and not known.tags_due and known.error is None else None
    if not known.recognised and (isinstance(known.error, Foreign) or not _NAMED.search(file.path.name)):
        known.stamp = None
        return None
    return known


def spoiled(folder: Path, path: PurePosixPath) -> None:
    """Reading a run failed for good: when the database can be looked at again, each of its runs is read again."""
    known = _listing((folder, path))
    with known.lock:
        known.spoiled, known.stamp = True, None


def _listing(key: tuple[Path, PurePosixPath]) -> Listing:
    with _lock:
        known = _listings.pop(key, None) or Listing()
        _listings[key] = known
        while len(_listings) > _KEPT:
            del _listings[next(iter(_listings))]
        return known


def _look(known: Listing, folder: Path, path: PurePosixPath, limits: Limits) -> None:
    try:
        with session(folder, path, limits) as opened:
            tables = tables_of(opened)
            _runs(known, opened, tables, limits)
            known.parents = _parents(opened)
            _added(known, opened, tables)
            if not known.recognised or time.monotonic() >= known.tags_at:
                began = time.monotonic()
                _tags(known, opened)
                ended = time.monotonic()
                known.tags_at, known.tags_due = ended + (ended - began) * _SPARING, False
            else:
                known.tags_due = True
    except (OSError, Unreadable) as error:
        known.error = error
        known.spoiled |= isinstance(error, Unreadable)
        return
    if known.spoiled:
        known.generation += 1
    for run_id in known.changed & known.runs.keys():
        known.runs[run_id].version += 1
    known.changed.clear()
    known.error, known.spoiled, known.recognised = None, False, True


def _runs(known: Listing, opened: Session, tables: Tables, limits: Limits) -> None:
    """Look at all rows of `runs`, for those that are new or differ."""
    workspace = tables.column("experiments", "workspace")
    experiments = {
        id: full_name(text(name), text(where))
        for id, name, where in opened.rows(
            f"SELECT experiment_id, name, {workspace} FROM experiments LIMIT ?", limits.files
        )
    }
    columns = ", ".join(tables.column("runs", name) for name in ("name", "user_id", "artifact_uri"))
    question = (
        f"SELECT rowid, run_uuid, experiment_id, status, start_time, end_time, lifecycle_stage, {columns} FROM runs"
        " WHERE rowid > ? ORDER BY rowid LIMIT ?"
    )
    found: dict[str, _Run] = {}
    unlisted = after = 0
    while rows := opened.rows(question, after, _PAGE):
        after = rows[-1][0]
        for _, raw, experiment, *facts in rows:
            run_id = _id(raw)
            if run_id is None or (len(found) >= limits.files and run_id not in found):
                unlisted += 1
                continue
            row = (experiments.get(experiment), *facts)
            run = known.runs.get(run_id) or _Run()
            if run.row != row:
                run.row = row
                known.changed.add(run_id)
            found[run_id] = run
    known.runs, known.unlisted = found, unlisted


def _parents(opened: Session) -> dict[str, str]:
    rows = opened.rows("SELECT run_uuid, value FROM tags WHERE key = ?", PARENT)
    return {
        child: parent
        for raw, value in rows
        if (child := _id(raw)) and (parent := _id(value)) and child != parent
    }


def _added(known: Listing, opened: Session, tables: Tables) -> None:
    """Look for runs with new rows in the tables whose rows are only added."""
    for table, columns in _ADDED.items():
        if table not in tables.columns:
            continue
        listed = ", ".join(columns)
        last = known.rows.get(table)
        if last not in {None, _EMPTY} and last not in opened.rows(
            f"SELECT rowid, {listed} FROM {table} WHERE rowid = ?", last[0]
        ):
            # Rows were taken away or have got other numbers.
            known.generation += 1
            last = None
        if last is None:
            known.rows[table] = _EMPTY
            for row in opened.rows(f"SELECT rowid, {listed} FROM {table} ORDER BY rowid DESC LIMIT 1"):
                known.rows[table] = row
            continue
        # By the number, whatever SQLite thinks of the other indexes.
        question = f"SELECT rowid, {listed} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT ?"
        while rows := opened.rows(question, known.rows[table][0], _PAGE):
            known.rows[table] = rows[-1]
            known.changed |= {run_id for row in rows for raw in row[1:] if (run_id := _id(raw))}


def _tags(known: Listing, opened: Session) -> None:
    """Look for runs whose tags differ from those of the last time."""
    sums: dict[bytes, int] = {}
    after = 0
    question = "SELECT rowid, run_uuid, key, value FROM tags WHERE rowid > ? ORDER BY rowid LIMIT ?"
    while rows := opened.rows(question, after, _PAGE):
        after = rows[-1][0]
        for _, raw, key, value in rows:
            sums[raw] = sums.get(raw, 0) ^ hash((key, value))
    for run_id, run in known.runs.items():
        found = sums.get(run_id.encode(), 0)
        if run.tags != found:
            run.tags = found
            known.changed.add(run_id)


def _id(raw: object) -> str | None:
    """A run's id; None for what can be none."""
    if not isinstance(raw, bytes) or not 0 < len(raw) <= _ID_BYTES:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
