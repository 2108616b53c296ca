"""How a file comes from each version of the tables to the next.

A script is never changed once files of its version are in use, so none of them names what other modules may change. A text that many
rows refer to (an id, the key of a parameter) is a `term` with a number.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('runs', 0);
CREATE TABLE term(key INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE counter(name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE workspace(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL,
  doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX workspace_by_name ON workspace(owner, name);
CREATE TABLE cluster(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL,
  sum INTEGER NOT NULL);
CREATE UNIQUE INDEX cluster_by_name ON cluster(owner, name);
CREATE TABLE experiment(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL,
  doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX experiment_by_name ON experiment(owner, name);
CREATE TABLE log(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL,
  sum INTEGER NOT NULL);
CREATE UNIQUE INDEX log_by_name ON log(owner, name);
CREATE TABLE artifact(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL,
  sum INTEGER NOT NULL);
CREATE UNIQUE INDEX artifact_by_name ON artifact(owner, name);
-- One row per metric and run; `experiment` is a term. NaN is NULL here, the document has the truth.
CREATE TABLE metric(key INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL,
  experiment INTEGER NOT NULL,
  last REAL, min REAL, max REAL, mean REAL, count INTEGER, first_non_finite_step,
  doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX metric_by_name ON metric(owner, name);
CREATE INDEX metric_by_last ON metric(name, last, experiment);
CREATE INDEX metric_by_min ON metric(name, min, experiment);
CREATE INDEX metric_by_max ON metric(name, max, experiment);
CREATE TABLE run(key INTEGER PRIMARY KEY, id TEXT NOT NULL, run_id TEXT NOT NULL, number INTEGER NOT NULL,
  name TEXT NOT NULL, display_name TEXT, workspace TEXT NOT NULL, experiment TEXT NOT NULL, cluster TEXT,
  kind TEXT, source TEXT NOT NULL, target TEXT, submitted_by TEXT, status TEXT NOT NULL,
  created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, parent TEXT, root TEXT NOT NULL,
  depth INTEGER NOT NULL, status_class TEXT NOT NULL, duration REAL,
  bags BLOB NOT NULL, doc BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX run_by_id ON run(id);
CREATE INDEX run_by_root ON run(root, depth, id);
CREATE INDEX run_by_parent ON run(parent, created_at, status);
CREATE INDEX run_by_cluster ON run(cluster, created_at, status);
CREATE INDEX run_by_experiment ON run(experiment, created_at, status);
CREATE INDEX run_by_status ON run(status, created_at, status);
CREATE INDEX run_by_status_class ON run(status_class, created_at, status);
CREATE INDEX run_by_workspace ON run(workspace, created_at, status);
CREATE INDEX run_by_run_id ON run(run_id);
CREATE INDEX run_by_number ON run(number);
CREATE INDEX run_by_name ON run(name);
CREATE INDEX run_by_display_name ON run(display_name);
CREATE INDEX run_by_submitted_by ON run(submitted_by);
CREATE INDEX run_by_created_at ON run(created_at);
CREATE INDEX run_by_started_at ON run(started_at);
CREATE INDEX run_by_ended_at ON run(ended_at);
CREATE INDEX run_by_duration ON run(duration);
-- Tags, params and properties: `key` is the term of `param:lr`. Numbers sort before texts, as SQLite has it by itself.
CREATE TABLE bag(run INTEGER NOT NULL, key INTEGER NOT NULL, text TEXT NOT NULL, number,
  sort GENERATED ALWAYS AS (coalesce(number, text)) VIRTUAL, PRIMARY KEY(run, key)) WITHOUT ROWID;
CREATE INDEX bag_by_text ON bag(key, text);
CREATE INDEX bag_by_sort ON bag(key, sort);
CREATE TABLE stream(key INTEGER PRIMARY KEY, end INTEGER NOT NULL, waiting INTEGER NOT NULL);
CREATE INDEX stream_by_waiting ON stream(waiting) WHERE waiting >= 16;
-- Keys only grow, also when items are merged: what is above a key was written after it (see wakes).
CREATE TABLE item(key INTEGER PRIMARY KEY, stream INTEGER NOT NULL, start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  mark INTEGER NOT NULL, waiting INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX item_by_start ON item(stream, start);
CREATE TABLE position(root INTEGER NOT NULL, writer TEXT NOT NULL, sequence INTEGER NOT NULL,
  digest BLOB NOT NULL, note BLOB,
  PRIMARY KEY(root, writer)) WITHOUT ROWID;
-- Only the newest hint of a run is kept: doubles say nothing, and so hints never outgrow the runs.
CREATE TABLE hint(workspace INTEGER NOT NULL, run INTEGER NOT NULL, n INTEGER NOT NULL, root INTEGER NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY(workspace, run)) WITHOUT ROWID;
CREATE UNIQUE INDEX hint_by_n ON hint(workspace, n);
"""

# Runs in the trash, and when a run becomes stale: columns before the document, which may fill pages of its own. Lists leave out what is
# in the trash, so the indexes that lists are counted from have that too.
_RUNS = """
CREATE TABLE new_run(key INTEGER PRIMARY KEY, id TEXT NOT NULL, run_id TEXT NOT NULL, number INTEGER NOT NULL,
  name TEXT NOT NULL, display_name TEXT, workspace TEXT NOT NULL, experiment TEXT NOT NULL, cluster TEXT, kind TEXT,
  source TEXT NOT NULL, target TEXT, submitted_by TEXT, status TEXT NOT NULL, created_at INTEGER NOT NULL,
  started_at INTEGER, ended_at INTEGER, parent TEXT, root TEXT NOT NULL, depth INTEGER NOT NULL, trashed_at INTEGER,
  stale_at INTEGER, status_class TEXT NOT NULL, duration REAL, bags BLOB NOT NULL, doc BLOB NOT NULL, sum INTEGER NOT NULL);
INSERT INTO new_run
  WITH old AS MATERIALIZED
    (SELECT *, CASE WHEN json_valid(CAST(doc AS TEXT)) THEN CAST(doc AS TEXT) END AS json FROM run)
  SELECT key, id, run_id, number, name, display_name, workspace, experiment, cluster, kind, source, target, submitted_by, status,
    created_at, started_at, ended_at, parent, root, depth, NULL,
    CASE WHEN status_class <> 'TERMINAL' THEN
      max(created_at, coalesce(json ->> 'status_at', 0), coalesce(json ->> 'heartbeat_at', 0))
      + CAST(3 * (json ->> 'heartbeat_seconds') * 1e6 AS INTEGER) END,
    status_class, duration, bags, doc, sum
  FROM old;
DROP TABLE run;
ALTER TABLE new_run RENAME TO run;
CREATE UNIQUE INDEX run_by_id ON run(id);
CREATE INDEX run_by_root ON run(root, depth, id);
CREATE INDEX run_by_parent ON run(parent, created_at, status, trashed_at);
CREATE INDEX run_by_cluster ON run(cluster, created_at, status, trashed_at);
CREATE INDEX run_by_experiment ON run(experiment, created_at, status, trashed_at);
CREATE INDEX run_by_status ON run(status, created_at, trashed_at);
CREATE INDEX run_by_status_class ON run(status_class, created_at, status, trashed_at);
CREATE INDEX run_by_workspace ON run(workspace, created_at, status, trashed_at);
CREATE INDEX run_by_run_id ON run(run_id);
CREATE INDEX run_by_number ON run(number);
CREATE INDEX run_by_name ON run(name);
CREATE INDEX run_by_display_name ON run(display_name);
CREATE INDEX run_by_submitted_by ON run(submitted_by);
CREATE INDEX run_by_created_at ON run(created_at, status, trashed_at);
CREATE INDEX run_by_started_at ON run(started_at);
CREATE INDEX run_by_ended_at ON run(ended_at);
CREATE INDEX run_by_duration ON run(duration);
CREATE INDEX run_by_trashed_at ON run(trashed_at) WHERE trashed_at IS NOT NULL;
CREATE INDEX run_by_stale_at ON run(stale_at) WHERE stale_at IS NOT NULL;
"""

# A stream has a number of its own that never comes back: one that is made again after a purge has nothing to do with the items of the
# old one, which lost its name (`term`) and waits in `sweep` for its items to be deleted. So do journals whose `floor` was raised.
_REMOVAL = """
CREATE TABLE new_stream(key INTEGER PRIMARY KEY AUTOINCREMENT, term INTEGER, floor INTEGER NOT NULL, end INTEGER NOT NULL,
  waiting INTEGER NOT NULL);
INSERT INTO new_stream SELECT key, key, 0, end, waiting FROM stream;
DROP TABLE stream;
ALTER TABLE new_stream RENAME TO stream;
CREATE UNIQUE INDEX stream_by_term ON stream(term);
CREATE INDEX stream_by_waiting ON stream(waiting) WHERE waiting >= 16;
CREATE TABLE sweep(stream INTEGER PRIMARY KEY);
-- Terms that nothing may refer to any more. Each time some are deleted, `terms` in `meta` grows, for processes that remember them.
CREATE TABLE unused(term INTEGER PRIMARY KEY);
INSERT INTO meta VALUES ('terms', 0);
ALTER TABLE artifact ADD COLUMN blob TEXT;
UPDATE artifact SET blob = CAST(doc AS TEXT) ->> 'blob' WHERE json_valid(CAST(doc AS TEXT));
CREATE INDEX artifact_by_blob ON artifact(blob) WHERE blob IS NOT NULL;
"""

# Runs that are another source's view of one: lists leave these out like the trash, so the column comes before the document, and the
# indexes that lists are counted from have it.
_ALIASES = """
CREATE TABLE new_run(key INTEGER PRIMARY KEY, id TEXT NOT NULL, run_id TEXT NOT NULL, number INTEGER NOT NULL,
  name TEXT NOT NULL, display_name TEXT, workspace TEXT NOT NULL, experiment TEXT NOT NULL, cluster TEXT, kind TEXT,
  source TEXT NOT NULL, target TEXT, submitted_by TEXT, status TEXT NOT NULL, created_at INTEGER NOT NULL,
  started_at INTEGER, ended_at INTEGER, parent TEXT, root TEXT NOT NULL, depth INTEGER NOT NULL, trashed_at INTEGER,
  alias_of TEXT, stale_at INTEGER, status_class TEXT NOT NULL, duration REAL, bags BLOB NOT NULL, doc BLOB NOT NULL,
  sum INTEGER NOT NULL);
INSERT INTO new_run
  SELECT key, id, run_id, number, name, display_name, workspace, experiment, cluster, kind, source, target, submitted_by, status,
    created_at, started_at, ended_at, parent, root, depth, trashed_at, NULL, stale_at, status_class, duration, bags, doc, sum
  FROM run;
DROP TABLE run;
ALTER TABLE new_run RENAME TO run;
CREATE UNIQUE INDEX run_by_id ON run(id);
CREATE INDEX run_by_root ON run(root, depth, id);
CREATE INDEX run_by_parent ON run(parent, created_at, status, trashed_at, alias_of);
CREATE INDEX run_by_cluster ON run(cluster, created_at, status, trashed_at, alias_of);
CREATE INDEX run_by_experiment ON run(experiment, created_at, status, trashed_at, alias_of);
CREATE INDEX run_by_status ON run(status, created_at, trashed_at, alias_of);
CREATE INDEX run_by_status_class ON run(status_class, created_at, status, trashed_at, alias_of);
CREATE INDEX run_by_workspace ON run(workspace, created_at, status, trashed_at, alias_of);
CREATE INDEX run_by_run_id ON run(run_id);
CREATE INDEX run_by_number ON run(number);
CREATE INDEX run_by_name ON run(name);
CREATE INDEX run_by_display_name ON run(display_name);
CREATE INDEX run_by_submitted_by ON run(submitted_by);
CREATE INDEX run_by_created_at ON run(created_at, status, trashed_at, alias_of);
CREATE INDEX run_by_started_at ON run(started_at);
CREATE INDEX run_by_ended_at ON run(ended_at);
CREATE INDEX run_by_duration ON run(duration);
CREATE INDEX run_by_trashed_at ON run(trashed_at) WHERE trashed_at IS NOT NULL;
CREATE INDEX run_by_stale_at ON run(stale_at) WHERE stale_at IS NOT NULL;
CREATE INDEX run_by_alias_of ON run(alias_of) WHERE alias_of IS NOT NULL;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _RUNS + _REMOVAL, _ALIASES)
"""Script i takes a file from version i to i + 1; version 0 is an empty file."""
