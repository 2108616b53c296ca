from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from graphql_runs.store.port import Store
from tests.store.mongo.opening import mongo
from tests.store.mongo.servers import KINDS, Servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers of this worker."""
    found = Servers(tmp_path_factory.mktemp("mongo"))
    yield found
    found.stop()


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, servers: Servers) -> Iterator[str]:
    """An empty database, on each kind of server."""
    with servers.database(request.param) as found:
        yield found


@pytest.fixture
async def store(target: str) -> AsyncIterator[Store]:
    """An empty store there."""
    opened = await mongo(target)
    yield opened
    await opened.close()
