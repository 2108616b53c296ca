"""Connections that break in the middle of anything: nothing acknowledged is lost, nothing is written twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pymongo
import pymongo.errors
import pytest

from graphql_runs.model.errors import Conflict, RunsError, StoreUnavailable
from graphql_runs.store.mongo import MongoStore
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.port import Store
from tests.store.mongo.opening import mongo
from tests.store.mongo.servers import Servers, start_java, with_database
from tests.store.samples import Log, a_run, eventually, save
from tests.store.suite.wakes import listening


class Proxy:
    """Between a store and its server: hands on what either says, until it is told to break."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.answers = True
        """False: what the server says is thrown away, so that the store never knows what became of its request."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens any more."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break all connections, at once."""
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._port)
        pair = (writer, there)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pump(reader, there, True), self._pump(there_reader, writer, False))
        finally:
            self._pairs.discard(pair)
            for one in pair:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asks: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if asks or self.answers:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def behind_a_proxy(target: str, **options: float) -> AsyncIterator[tuple[Store, Proxy]]:
    """A store that reaches the database through a proxy."""
    place, _, name = target.removeprefix("mongodb://").partition("/")
    proxy = Proxy(int(place.partition(":")[2]))
    await proxy.start()
    address = f"mongodb://127.0.0.1:{proxy.port}/{name}?timeoutMS=2000"
    store = await MongoStore.open(Driver.connect(address, **options))
    yield store, proxy
    await store.close()
    await proxy.stop()


@pytest.fixture(params=["java-memory", "java-h2"])
def served(request: pytest.FixtureRequest, servers: Servers) -> object:
    """An empty database on a server that a proxy can stand before."""
    with servers.database(request.param) as found:
        yield found


async def test_breaking_connections_lose_and_double_nothing(served: str) -> None:
    rng = random.Random(5)
    async with behind_a_proxy(served) as (store, proxy):
        log = Log(store, a_run("r"))
        await log.begin()
        writing = True

        async def break_it() -> None:
            while writing:
                await asyncio.sleep(rng.uniform(0.01, 0.12))
                proxy.answers = rng.random() < 0.5
                await asyncio.sleep(rng.uniform(0, 0.01))
                proxy.cut()
                proxy.answers = True

        breaking = asyncio.create_task(break_it())
        n = unsure = 0
        while n < 25:
            try:
                await store.commit(log.step(n))
                n += 1
            except StoreUnavailable:
                unsure += 1
                n = await written(store, log, n)
        writing = False
        await breaking
        assert await log.check(n) == n
    again = await mongo(served)
    assert await Log(again, log.run).check(n) == n
    await again.close()


async def written(store: Store, log: Log, n: int) -> int:
    """How many steps there are after one whose outcome is not known; a client with a spool does the same."""

    async def look() -> list[int]:
        with suppress(RunsError):
            [position] = await store.positions(log.run.root, [log.writer])
            return [0 if position is None else position.sequence + 1]
        return []

    [found] = await eventually(look)
    assert found in (n, n + 1)
    return found


async def test_a_server_that_is_away_is_waited_for_or_named(served: str) -> None:
    async with behind_a_proxy(served, patience=20.0) as (store, proxy):
        log = Log(store, a_run("r"))
        await log.begin()
        async with listening(store) as heard:
            await proxy.stop()
            with pytest.raises(StoreUnavailable, match="cannot answer now"):
                await store.check()
            waiting = asyncio.create_task(store.commit(log.step(0)))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await proxy.start()
            await waiting
            # Whoever follows is woken again, by others too.
            other = await mongo(served)
            heard.clear()
            await save(other, a_run("foreign"))
            await heard.of(a_run("foreign").root)
            await other.close()
        assert await log.check(1) == 1


async def test_no_server_is_a_clear_error() -> None:
    with pytest.raises(StoreUnavailable, match="cannot answer now"):
        await MongoStore.open("mongodb://127.0.0.1:9/x?timeoutMS=1000")


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_a_server_that_restarts_goes_on_with_the_same_store(
    tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    file = str(tmp_path_factory.mktemp("restart") / "store.mv")
    server = start_java("h2", file)
    try:
        store = await MongoStore.open(f"{with_database(server.address, 'runs')}?timeoutMS=2000")
        log = Log(store, a_run("r"))
        await log.begin()
        done = 0
        for _ in range(3):
            for _ in range(4):
                await store.commit(log.step(done))
                done += 1
            waiting = asyncio.create_task(store.commit(log.step(done)))
            await asyncio.sleep(0)
            (server.stop if way == "stop" else server.kill)()
            with pytest.raises(StoreUnavailable, match="cannot answer now"):
                await store.check()
            server = start_java("h2", file, str(server.port))
            with suppress(StoreUnavailable):
                await waiting
            if await written(store, log, done) == done:
                await store.commit(log.step(done))
            done += 1
            assert await log.check(done) == done
        with pytest.raises(Conflict):
            await store.commit(log.step(done - 1))
        await store.close()
    finally:
        server.stop()


async def test_a_primary_that_steps_down_loses_and_doubles_nothing(servers: Servers) -> None:
    with servers.database("mongodb") as target, pymongo.MongoClient[dict[str, object]](target) as client:
        if "setName" not in client.admin.command("hello"):
            pytest.skip("the MongoDB given is no replica set")
        store, other = await mongo(target), await mongo(target)
        log = Log(store, a_run("r"))
        await log.begin()
        n = 0
        async with listening(other) as heard:
            while n < 40:
                if n % 10 == 5:
                    with suppress(pymongo.errors.PyMongoError):  # its connections break as it obeys
                        await asyncio.to_thread(
                            client.admin.command,
                            "replSetStepDown",
                            2,
                            secondaryCatchUpPeriodSecs=1,
                            force=True,
                        )
                try:
                    await store.commit(log.step(n))
                    n += 1
                except StoreUnavailable:
                    n = await written(store, log, n)
            heard.clear()
            await save(store, a_run("after"))
            await heard.of(a_run("after").root)
        assert await log.check(n) == n
        await store.close()
        await other.close()
