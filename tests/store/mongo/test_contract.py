"""The MongoDB store does what every store has to do, on every server that is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graphql_runs.store.port import Store
from tests.store.contract import StoreContract
from tests.store.mongo.servers import Servers
from tests.store.samples import Place
from tests.store.suite.batches import Batches
from tests.store.suite.blobs import Blobs
from tests.store.suite.records import Records
from tests.store.suite.removal import Removal
from tests.store.suite.streams import Streams
from tests.store.suite.wakes import Wakes
from tests.store.suite.whole import Whole

OPENER = "tests.store.mongo.opening:mongo"


class TestMongomock(Records, Batches, Streams, Removal, Wakes, Blobs, Whole):
    """All but the part with other processes, which cannot reach it."""

    __test__ = True

    @pytest.fixture
    def place(self, servers: Servers) -> Iterator[Place]:
        with servers.database("mongomock") as target:
            yield Place(OPENER, target)


class OnServer(StoreContract):
    kind: str

    @pytest.fixture
    def place(self, servers: Servers) -> Iterator[Place]:
        with servers.database(self.kind) as target:
            yield Place(OPENER, target)


class OnJava(OnServer):
    async def test_all_positions_of_a_tree(self, store: Store) -> None:
        pytest.skip("mongo-java-server orders text by UTF-16, so that 𝄞 comes before ￮")


class TestJavaMemory(OnJava):
    __test__ = True
    kind = "java-memory"


class TestJavaH2(OnJava):
    __test__ = True
    kind = "java-h2"


class TestMongo(OnServer):
    __test__ = True
    kind = "mongodb"
