"""The store for teams: a database of MongoDB, on a standalone server, a replica set or a sharded cluster."""

from graphql_runs.store.mongo.store import MongoStore

__all__ = ["MongoStore"]
