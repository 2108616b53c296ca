"""The way through the runs in the order of one metric: the index of the metrics' summaries, then the runs that lack it."""

from __future__ import annotations

from collections.abc import Sequence

from graphql_runs.model.filter import Key, MetricField, Order
from graphql_runs.model.run import Run
from graphql_runs.store.mongo.layout import WALKED_STATS, decoded
from graphql_runs.store.mongo.operations import Document, Query
from graphql_runs.store.mongo.orders import Candidate, Page, Term, later, parts
from graphql_runs.store.mongo.plan import Plan


async def walk_metric(plan: Plan, order: Sequence[Order], after: Key | None, most: int) -> Page:
    """In the order of one number of a metric."""
    [by] = order
    field = by.field
    assert isinstance(field, MetricField)
    found: list[Candidate] = []
    for part, key in parts(by, after, ("there",)):
        if part is None:
            page = await _lacking(plan, field, key, most)
        else:
            page = await _having(plan, field, by, key, most)
        found += page.candidates
        if page.after is not None:
            return Page(found, page.after)
    return Page(found, None)


async def _having(plan: Plan, field: MetricField, by: Order, key: Key | None, most: int) -> Page:
    stat = field.stat.value
    query = {"$and": [plan.scope, {"name": field.name, stat: {"$exists": True}}]}
    if by.descending and stat in WALKED_STATS:
        summaries = await _backwards(plan, query, stat, key, most)
    else:
        term = Term(0, stat, by.descending)
        query = query if key is None else {"$and": [query, later([term], key, "owner")]}
        sort = ((stat, -1 if by.descending else 1), ("owner", 1))
        summaries = await plan.driver.find("metric", query, fields=("owner", stat), sort=sort, limit=most)
    owners = [document["owner"] for document in summaries]
    runs = await plan.driver.find("run", {"$and": [{"_id": {"$in": owners}}, plan.query]}, fields=("doc",))
    known = {document["_id"]: decoded(Run, document) for document in runs}
    keys = [Key((document[stat],), document["owner"]) for document in summaries]
    candidates = [Candidate(key, known[key.id]) for key in keys if key.id in known]
    return Page(candidates, keys[-1] if len(keys) >= most else None)


async def _backwards(plan: Plan, query: Query, stat: str, key: Key | None, most: int) -> list[Document]:
    """Falling values, and rising ids among equal ones. The index has both rising, so that it serves the values backwards and
    the ids of one value forwards, but not both at once."""
    found: list[Document] = []
    if key is not None:
        value = key.values[0]
        found = await _equal(plan, query, stat, value, key.id, most)
        query = {"$and": [query, {stat: {"$lt": value}}]}
    if len(found) < most:
        left = most - len(found)
        block = await plan.driver.find(
            "metric", query, fields=("owner", stat), sort=((stat, -1),), limit=left
        )
        if block:
            last = block[-1][stat]
            whole = [document for document in block if document[stat] != last]
            found += sorted(whole, key=lambda document: (-document[stat], document["owner"]))
            # The block may have ended among those of the last value.
            found += await _equal(plan, query, stat, last, "", left - len(whole))
    return found


async def _equal(plan: Plan, query: Query, stat: str, value: object, after: str, most: int) -> list[Document]:
    same = {"$and": [query, {stat: {"$eq": value}, "owner": {"$gt": after}}]}
    return await plan.driver.find("metric", same, fields=("owner", stat), sort=(("owner", 1),), limit=most)


async def _lacking(plan: Plan, field: MetricField, key: Key | None, most: int) -> Page:
    query = plan.query if key is None else {"$and": [plan.query, {"_id": {"$gt": key.id}}]}
    documents = await plan.driver.find("run", query, fields=("doc",), sort=(("_id", 1),), limit=most)
    ids = [document["_id"] for document in documents]
    having = await plan.owners(field, {field.stat.value: {"$exists": True}}, ids)
    candidates = [
        Candidate(Key((None,), document["_id"]), decoded(Run, document))
        for document in documents
        if document["_id"] not in having
    ]
    return Page(candidates, Key((None,), ids[-1]) if len(ids) >= most else None)
