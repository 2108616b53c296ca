"""The servers that the suite runs on, as far as they are there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymongo
import pytest

from scripts.mongo_java_server.launch import JavaServer, LaunchError, start
from tests.store.mongo.opening import MOCK

REAL = "GRAPHQL_RUNS_TEST_MONGODB_URI"
"""The environment variable that names a MongoDB to run the suite on; each test makes a database of its own and drops it."""

KINDS = ("mongomock", "java-memory", "java-h2", "mongodb")


def start_java(*arguments: str) -> JavaServer:
    """A mongo-java-server. Skips the test where it cannot be run, but fails it in CI."""
    try:
        return start(*arguments)
    except LaunchError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"mongo-java-server is needed: {error}")
        pytest.skip(f"mongo-java-server: {error}")


class Servers:
    """Started when they are first asked for; one of each kind for all tests of a worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, JavaServer] = {}

    def address(self, kind: str) -> str:
        """Where a server of that kind is. Skips the test when there is none."""
        if kind == "mongodb":
            if not (address := os.environ.get(REAL)):
                pytest.skip(f"{REAL} names no MongoDB")
            return address
        if kind not in self._running:
            arguments = ["memory"] if kind == "java-memory" else ["h2", str(self._folder / "store.mv")]
            self._running[kind] = start_java(*arguments)
        return self._running[kind].address

    @contextmanager
    def database(self, kind: str) -> Iterator[str]:
        """A database of its own, as a target for `opening.mongo`."""
        name = f"graphql_runs_test_{secrets.token_hex(6)}"
        if kind == "mongomock":
            yield f"{MOCK}{name}"
            return
        address = self.address(kind)
        try:
            yield with_database(address, name)
        finally:
            # The others end with the tests.
            if kind == "mongodb":
                _drop(address, name)

    def stop(self) -> None:
        """End those that were started here."""
        for server in self._running.values():
            server.stop()


def _drop(address: str, name: str) -> None:
    """Drop the databases whose names begin so: a test may have several."""
    with pymongo.MongoClient[dict[str, object]](address) as client:
        for found in client.list_database_names():
            if found.startswith(name):
                client.drop_database(found)


def with_database(address: str, name: str) -> str:
    """An address that names a database."""
    scheme, _, rest = address.partition("://")
    place, mark, options = rest.partition("?")
    return f"{scheme}://{place.rstrip('/').partition('/')[0]}/{name}{mark}{options}"
