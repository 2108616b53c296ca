"""Pages of the run table, and counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson

from graphql_runs.model.check import check_filter
from graphql_runs.model.filter import BagField, Key, MetricField, Order, RunFilter
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.store.fields import check_after
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.layout import decoded
from graphql_runs.store.mongo.orders import (
    Candidate,
    Walk,
    by_attributes,
    walk_all,
    walk_attributes,
    walk_bag,
)
from graphql_runs.store.mongo.plan import Plan, make_plan
from graphql_runs.store.mongo.walk import walk_metric
from graphql_runs.store.port import FoundRun

_LONGEST_SECONDS = 30.0
_BLOCK = 500
_MOST = 2000
"""Runs that are looked at together."""
_SHOWN = 1000
"""Characters of a query that are shown to people."""


class Runs:
    """The runs of a store."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def find(
        self, where: RunFilter | None, order: Sequence[Order], after: Key | None, first: int
    ) -> list[FoundRun]:
        """See `Store.find_runs`."""
        check_filter(where)
        check_after(order, after)
        if first <= 0:
            return []
        walk, block = way(order), first
        found: list[Candidate] = []
        with self._driver.within(_LONGEST_SECONDS):
            plan = await make_plan(self._driver, where)
            while True:
                page = await walk(plan, order, after, block)
                kept = await plan.checked([candidate.key.id for candidate in page.candidates])
                found += [candidate for candidate in page.candidates if candidate.key.id in kept]
                if len(found) >= first or page.after is None:
                    return await self._with_records(found[:first])
                after, block = page.after, max(first, min(2 * block, _MOST))

    async def explain(self, where: RunFilter | None, order: Sequence[Order], after: Key | None) -> list[str]:
        """See `Store.explain_runs`: the query, the way through the runs, and what is checked beside it."""
        check_filter(where)
        check_after(order, after)
        with self._driver.within(_LONGEST_SECONDS):
            plan = await make_plan(self._driver, where)
        query = orjson.dumps(plan.query, default=str).decode()
        steps = [f"find runs by {query if len(query) <= _SHOWN else query[:_SHOWN] + '…'}", _WAYS[way(order)]]
        if plan.rest:
            steps.append(
                f"check {len(plan.rest)} conditions on metrics, other runs or by regular expression for each block of runs"
            )
        return steps

    async def count(self, where: RunFilter | None) -> int:
        """See `Store.count_runs`."""
        check_filter(where)
        with self._driver.within(_LONGEST_SECONDS):
            plan = await make_plan(self._driver, where)
            if not plan.rest:
                return await self._driver.count("run", plan.query)
            async with aclosing(self._matching(plan)) as blocks:
                return sum([len(block) async for block in blocks])

    async def count_statuses(self, where: RunFilter | None) -> dict[RunStatus, int]:
        """See `Store.count_statuses`."""
        check_filter(where)
        with self._driver.within(_LONGEST_SECONDS):
            plan = await make_plan(self._driver, where)
            if not plan.rest:
                group = {"_id": "$status", "runs": {"$sum": 1}}
                found = await self._driver.aggregate("run", [{"$match": plan.query}, {"$group": group}])
                return {RunStatus(document["_id"]): document["runs"] for document in found}
            statuses: dict[RunStatus, int] = {}
            async with aclosing(self._matching(plan)) as blocks:
                async for block in blocks:
                    for status in map(RunStatus, block):
                        statuses[status] = statuses.get(status, 0) + 1
            return statuses

    async def _matching(self, plan: Plan) -> AsyncGenerator[list[str]]:
        """The statuses of all runs that match, in blocks."""
        after = ""
        while True:
            query = {"$and": [plan.query, {"_id": {"$gt": after}}]}
            block = await self._driver.find(
                "run", query, fields=("status",), sort=(("_id", 1),), limit=_BLOCK
            )
            kept = await plan.checked([document["_id"] for document in block])
            yield [document["status"] for document in block if document["_id"] in kept]
            if len(block) < _BLOCK:
                return
            after = block[-1]["_id"]

    async def _with_records(self, candidates: Sequence[Candidate]) -> list[FoundRun]:
        ids = [candidate.key.id for candidate in candidates if candidate.run is None]
        documents = await self._driver.find("run", {"_id": {"$in": ids}}, fields=("doc",)) if ids else []
        known = {document["_id"]: decoded(Run, document) for document in documents}
        return [
            FoundRun(run, candidate.key)
            for candidate in candidates
            if (run := candidate.run or known.get(candidate.key.id)) is not None
        ]


def way(order: Sequence[Order]) -> Walk:
    """The shortest way through the runs in this order."""
    if by_attributes(order):
        return walk_attributes
    match [by.field for by in order]:
        case [BagField()]:
            return walk_bag
        case [MetricField()]:
            return walk_metric
    return walk_all


_WAYS: dict[Walk, str] = {
    walk_attributes: "walk them in the order of an attribute",
    walk_bag: "walk them in the order of a tag, parameter or property",
    walk_metric: "walk them in the order of a metric",
    walk_all: "look at all of them, and keep the first ones in order",
}
