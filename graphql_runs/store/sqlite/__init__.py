"""The embedded store: one SQLite file, used by any number of processes of one machine."""

from graphql_runs.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
