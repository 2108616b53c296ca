"""How much a store holds."""

from __future__ import annotations

from graphql_runs.store.mongo.blobs import Blobs
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.layout import COLLECTIONS, LIVE
from graphql_runs.store.mongo.operations import Query
from graphql_runs.store.port import Sizes

_LONGEST_SECONDS = 3600.0
_TOTAL: Query = {"_id": None, "items": {"$sum": 1}, "bytes": {"$sum": "$size"}}


async def sizes(driver: Driver, blobs: Blobs) -> Sizes:
    """See `Store.sizes`. All documents are looked at, which takes as long as it takes."""
    with driver.within(_LONGEST_SECONDS):
        records = {kind.__name__: await driver.count(name, LIVE) for kind, name in COLLECTIONS.items()}
        streams = await driver.count("stream", LIVE) + await driver.count("tree", {"n": {"$gt": 0}})
        [total] = await driver.aggregate("item", [{"$group": _TOTAL}]) or [{"items": 0, "bytes": 0}]
        count, blob_bytes = await blobs.sizes()
        disk = await _disk_bytes(driver)
    return Sizes(records, streams, total["items"], total["bytes"], count, blob_bytes, disk)


async def _disk_bytes(driver: Driver) -> int | None:
    # https://www.mongodb.com/docs/manual/reference/command/dbStats/: storage and indexes together, since 4.4
    found = await driver.command({"dbStats": 1}) or {}
    return int(found["totalSize"]) if "totalSize" in found else None
