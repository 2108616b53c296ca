"""What is there after a store was opened, and what its queries use."""

from __future__ import annotations

import ast
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymongo
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

import graphql_runs
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    MetricField,
    Op,
    Order,
    RunFilter,
)
from graphql_runs.store.mongo import MongoStore
from graphql_runs.store.mongo.driver import LONGEST_SECONDS, Driver
from graphql_runs.store.mongo.layout import INDEXES, RETIRED
from graphql_runs.store.port import Item, Purge, Store
from tests.store.mongo.opening import connect
from tests.store.mongo.servers import Servers
from tests.store.paging import fill
from tests.store.reference import Sample
from tests.store.samples import HOME, LAB, Log, a_metric, a_run, chunks, entry

LISTED = And(
    tuple(
        Compare(AttributeField(name), Op.EXISTS, False) for name in (Attribute.TRASHED_AT, Attribute.ALIAS_OF)
    )
)
NEWEST = Order(AttributeField(Attribute.CREATED_AT), descending=True)
CLUSTER = "cluster_x"
PARENT = a_run("r0").id


def equal(attribute: Attribute, value: str) -> Compare:
    return Compare(AttributeField(attribute), Op.EQ, value)


class Recorded(CommandListener):
    """The commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


async def recorded(target: str) -> tuple[MongoStore, Recorded]:
    """A store, and what it says to its server from now on."""
    heard = Recorded()
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        target, timeoutMS=LONGEST_SECONDS * 1000, retryWrites=True, event_listeners=[heard]
    )
    store = await MongoStore.open(Driver(client, client.get_default_database().name), sweep_seconds=3600)
    return store, heard


def test_one_file_imports_the_driver() -> None:
    root = Path(graphql_runs.__file__).parent
    found = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if drivers(path)}
    assert found == {"store/mongo/driver.py"}


def drivers(path: Path) -> set[str]:
    """The packages of the driver that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} & {"motor", "pymongo", "bson", "gridfs"}


async def test_every_index_is_there(target: str, store: Store) -> None:
    driver = connect(target)
    for collection, indexes in INDEXES.items():
        # Raises for one that is missing or not as wanted.
        await driver.ensure_indexes(collection, indexes, ())
        found = await driver._collection(collection).index_information()
        assert {index.name for index in indexes} | {"_id_"} == set(found)
    driver.close()


async def test_indexes_of_earlier_versions_go_away(target: str, store: Store) -> None:
    driver = connect(target)
    runs = driver._collection("run")
    for name in RETIRED["run"]:
        await runs.create_index([("workspace", 1), (name, 1)], name=name)
    await (await MongoStore.open(connect(target))).close()
    assert set(await runs.index_information()) == {index.name for index in INDEXES["run"]} | {"_id_"}
    driver.close()


@pytest.mark.parametrize("kind", ["mongomock", "mongodb"])
async def test_an_index_that_somebody_changed_is_named(servers: Servers, kind: str) -> None:
    with servers.database(kind) as target:
        await (await MongoStore.open(connect(target))).close()
        driver = connect(target)
        await driver._collection("log").drop_index("name")
        await driver._collection("log").create_index([("name", 1)], name="name")
        with pytest.raises(StoreUnavailable, match="index"):
            await MongoStore.open(driver)


async def test_what_the_server_can_do_is_logged_in_one_line(
    target: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "graphql_runs.store.mongo"):
        store = await MongoStore.open(connect(target))
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"MongoDB {store.capabilities.version} is open; ")
    for fact in ("topology: ", "transactions: ", "change streams: ", "write concern: majority, journaled"):
        assert fact in line
    await store.close()


@pytest.mark.parametrize("kind", ["java-memory", "mongodb"])
async def test_every_command_has_a_time_limit_and_every_write_waits_for_the_majority(
    servers: Servers, kind: str
) -> None:
    with servers.database(kind) as target:
        store, heard = await recorded(target)
        heard.commands.clear()
        log = Log(store, a_run("r"))
        await log.begin()
        for n in range(3):
            await store.commit(log.step(n))
        parts = await store.read(log.metric.id, 0, end=2)
        await store.compact(log.metric.id, Item(0, 2, b"merged"), parts)
        await store.read(log.metric.id, 0)
        await store.find_runs(None, [NEWEST], first=5)
        await store.count_statuses(None)
        await store.next_number("n")
        await store.put_blob(chunks(b"x"), limit=9)
        await store.trim(log.run.id, 1)
        await store.purge(Purge(log.run.id, entry(4), (log.run.id,)))
        commands, heard = heard.commands, Recorded()
        await store.close()
    names = {next(iter(command)) for command in commands}
    assert {"find", "aggregate", "insert", "update", "delete", "findAndModify"} <= names
    for command in commands:
        name = next(iter(command))
        if name != "endSessions":
            longest = LONGEST_SECONDS if command.get("find", command.get("aggregate")) != "run" else 30
            assert 0 < command["maxTimeMS"] <= longest * 1000, command
        if name in ("insert", "update", "delete", "findAndModify"):
            assert command["writeConcern"] == {"w": "majority", "j": True}


QUERIES: list[tuple[RunFilter | None, list[Order], str]] = [
    (And((equal(Attribute.EXPERIMENT, LAB), LISTED)), [NEWEST], "experiment_listed"),
    (And((equal(Attribute.WORKSPACE, HOME), LISTED)), [NEWEST], "workspace_listed"),
    (And((equal(Attribute.PARENT, PARENT), LISTED)), [NEWEST], "parent_listed"),
    (
        And(
            (
                equal(Attribute.CLUSTER, CLUSTER),
                Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, ("ACTIVE", "PENDING")),
            )
        ),
        [NEWEST],
        "cluster_status_class_listed",
    ),
    (And((equal(Attribute.WORKSPACE, HOME), LISTED)), [Order(MetricField("loss"))], "last_of"),
    (
        And((equal(Attribute.EXPERIMENT, LAB), LISTED)),
        [Order(MetricField("loss"), descending=True)],
        "last_of",
    ),
    (Compare(BagField(Bag.TAG, "own"), Op.EQ, "7"), [NEWEST], "bag_text"),
    (LISTED, [Order(BagField(Bag.TAG, "own"))], "bag_"),
    (Compare(AttributeField(Attribute.ALIAS_OF), Op.IN, ("run_7",)), [], "alias"),
    (
        Compare(BagField(Bag.IDENTITY, "slurm:7"), Op.EXISTS, True),
        [Order(AttributeField(Attribute.DEPTH))],
        "bag_",
    ),
]


@pytest.mark.parametrize(("where", "order", "index"), QUERIES)
async def test_a_page_is_read_from_an_index(
    servers: Servers, where: RunFilter | None, order: Sequence[Order], index: str
) -> None:
    with servers.database("mongodb") as target:
        store, heard = await recorded(target)
        for i in range(300):
            parent: dict[str, Any] = {"root": PARENT, "parent": PARENT, "depth": 1} if i % 3 else {}
            run = a_run(
                f"r{i}",
                created_at=i,
                cluster=CLUSTER if i % 2 else None,
                tags={"own": str(i)},
                identities=(f"slurm:{i}",),
                alias_of="run_7" if i == 8 else None,
                **parent,
            )
            await fill(store, [Sample(run, (a_metric(run, "loss", last=float(i)),))])
        heard.commands.clear()
        page = await store.find_runs(where, order, first=5)
        assert page
        await store.find_runs(where, order, after=page[-1].key, first=5)
        sent = [one for one in heard.commands if next(iter(one)) in ("find", "aggregate")]
        await store.close()
        with pymongo.MongoClient[dict[str, Any]](target) as client:
            database = client.get_default_database()
            plans = [database.command("explain", bare(command)) for command in sent]
    used = [used_indexes(plan) for plan in plans]
    assert all(used), "a collection is scanned"
    assert any(name.startswith(index) for names in used for name in names)


@pytest.mark.parametrize("attribute", [Attribute.EXPERIMENT, Attribute.WORKSPACE])
async def test_counting_a_list_needs_no_documents(servers: Servers, attribute: Attribute) -> None:
    where = And((equal(attribute, LAB if attribute is Attribute.EXPERIMENT else HOME), LISTED))
    with servers.database("mongodb") as target:
        store, heard = await recorded(target)
        await fill(store, [Sample(a_run(f"r{i}", created_at=i)) for i in range(50)])
        heard.commands.clear()
        assert await store.count_runs(where) == 50
        assert sum((await store.count_statuses(where)).values()) == 50
        sent = [one for one in heard.commands if next(iter(one)) == "aggregate"]
        await store.close()
        with pymongo.MongoClient[dict[str, Any]](target) as client:
            plans = [client.get_default_database().command("explain", bare(command)) for command in sent]
    assert len(plans) == 2
    for plan in plans:
        assert used_indexes(plan)
        assert "FETCH" not in stages(plan)


def bare(command: dict[str, Any]) -> dict[str, Any]:
    """A command without what belongs to its sending."""
    extra = ("lsid", "maxTimeMS", "$db", "$clusterTime", "readConcern", "$readPreference", "txnNumber")
    return {name: value for name, value in command.items() if name not in extra}


def used_indexes(plan: object) -> set[str]:
    """The indexes of a winning plan; nothing when a collection is scanned."""
    if "COLLSCAN" in stages(plan):
        return set()
    return {str(value) for name, value in parts(plan) if name == "indexName"} or (
        {"_id_"} if stages(plan) & {"IDHACK", "EXPRESS_IXSCAN", "EXPRESS_CLUSTERED_IXSCAN", "EOF"} else set()
    )


def stages(plan: object) -> set[str]:
    return {str(value) for name, value in parts(plan) if name == "stage"}


def parts(plan: object) -> list[tuple[str, object]]:
    """Every name and value in a plan, but of the plans that were rejected."""
    if isinstance(plan, dict):
        pairs = [(name, value) for name, value in plan.items() if name != "rejectedPlans"]
        return pairs + [pair for _, value in pairs for pair in parts(value)]
    if isinstance(plan, list):
        return [pair for value in plan for pair in parts(value)]
    return []
