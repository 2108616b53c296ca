"""What the server can do, found out by asking it."""

from __future__ import annotations

from dataclasses import dataclass

from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.operations import Document


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server says of itself."""

    version: str
    topology: str
    """`standalone`, `replica set` or `sharded cluster`."""
    transactions: bool
    explain: bool
    change_streams: bool


async def find_facts(driver: Driver) -> ServerFacts:
    """Ask, and read by majority from then on where there is one."""
    hello = await driver.hello()
    build = await driver.command("buildInfo") or {}
    sharded, member = hello.get("msg") == "isdbgrid", "setName" in hello
    if sharded or member:
        driver.read_majority()
    return ServerFacts(
        version=str(build.get("version", "unknown")),
        topology="sharded cluster" if sharded else "replica set" if member else "standalone",
        transactions=sharded or member,
        explain=await driver.command({"explain": {"find": "meta", "filter": {}}}) is not None,
        change_streams=await driver.watches("tree"),
    )


async def uuid_of(driver: Driver, collection: str) -> str | None:
    """The identity of a collection, which a copy of it does not share; None where the server gives none."""
    listed: Document = await driver.command({"listCollections": 1, "filter": {"name": collection}}) or {}
    for found in listed.get("cursor", {}).get("firstBatch", []):
        uuid = found.get("info", {}).get("uuid")
        if found["name"] == collection and uuid is not None:
            return uuid.hex() if isinstance(uuid, bytes) else str(uuid)
    return None
