"""A filter, made ready for one request.

What the documents of runs cannot answer (conditions on metrics) becomes a list of ids where it holds for few runs; else it is
checked for each block of runs that is read, so that nothing is ever held of all runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from graphql_runs.model.filter import And, Attribute, Compare, MetricField, Not, Or, RunFilter, Under
from graphql_runs.store.mongo import filters
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.operations import Query

_FEW = 500
"""Runs of a condition on a metric that are listed by id."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`query` is on the documents of runs, and `rest` has to be checked beside it."""

    driver: Driver
    query: Query
    rest: tuple[RunFilter, ...]
    below: filters.Below
    scope: Query
    """What the documents of metrics of matching runs have in common."""

    async def checked(self, ids: Collection[str]) -> set[str]:
        """Those runs, of some that match `query`, that match the whole filter."""
        return await self._holding(And(self.rest), set(ids)) if self.rest else set(ids)

    async def owners(self, field: MetricField, condition: Query, ids: Collection[str]) -> set[str]:
        """Those of some runs whose metric is as the condition says."""
        query = {"$and": [{"owner": {"$in": list(ids)}, "name": field.name}, condition]}
        return {document["owner"] for document in await self.driver.find("metric", query, fields=("owner",))}

    async def _holding(self, where: RunFilter, ids: set[str]) -> set[str]:
        if not ids:
            return ids
        match where:
            case Compare(MetricField() as field, op, operand):
                if filters.absent(where):
                    return ids - await self.owners(field, {field.stat.value: {"$exists": True}}, ids)
                return await self.owners(field, filters.metric_condition(field, op, operand), ids)
            case _ if not filters.asks_metrics(where):
                query = {"$and": [{"_id": {"$in": list(ids)}}, filters.condition(where, self.below)]}
                found = await self.driver.find("run", query, fields=("_id",))
                return {document["_id"] for document in found}
            case And(parts):
                for part in parts:
                    ids = await self._holding(part, ids)
                return ids
            case Or(parts):
                held: set[str] = set()
                for part in parts:
                    held |= await self._holding(part, ids - held)
                return held
            case Not(part):
                return ids - await self._holding(part, ids)
        raise TypeError(f"{where} is no filter")


async def make_plan(driver: Driver, where: RunFilter | None) -> Plan:
    """The plan of a filter that was checked."""
    parts = filters.conjuncts(where)
    below = {under: await _below(driver, under) for under in filters.unders(where)}
    scope = await _scope(driver, parts)
    rest = []
    listed: list[Query] = []
    for part in parts:
        if filters.asks_metrics(part):
            few = await _few(driver, part, scope)
            if few is None:
                rest.append(part)
            else:
                listed.append({"_id": {"$in": few}})
    alone = [part for part in parts if not filters.asks_metrics(part)]
    query = filters.run_query(alone, below)
    return Plan(driver, {"$and": [query, *listed]} if listed else query, tuple(rest), below, scope)


async def _scope(driver: Driver, parts: Sequence[RunFilter]) -> Query:
    workspaces = filters.equals(parts, Attribute.WORKSPACE)
    experiments = filters.equals(parts, Attribute.EXPERIMENT)
    scope: dict[str, object] = {} if experiments is None else {"experiment": {"$in": experiments}}
    if workspaces is None and experiments is not None:
        found = await driver.find("experiment", {"_id": {"$in": experiments}}, fields=("owner",))
        if len(found) == len(set(experiments)):
            workspaces = sorted({document["owner"] for document in found})
    return scope if workspaces is None else scope | {"workspace": {"$in": workspaces}}


async def _few(driver: Driver, part: RunFilter, scope: Query) -> list[str] | None:
    """The runs for which a condition on a metric holds, if they are few."""
    if not isinstance(part, Compare) or not isinstance(part.field, MetricField) or filters.absent(part):
        return None
    query = {"$and": [scope, filters.metric_condition(part.field, part.op, part.operand)]}
    found = await driver.find("metric", query, fields=("owner",), limit=_FEW + 1)
    return None if len(found) > _FEW else [document["owner"] for document in found]


async def _below(driver: Driver, under: Under) -> list[str]:
    """The runs below a run, by the parents of all runs of its tree."""
    query = {"root": under.root, "parent": {"$exists": True}}
    children: dict[str, list[str]] = defaultdict(list)
    for document in await driver.find("run", query, fields=("parent",)):
        children[document["parent"]].append(document["_id"])
    found: list[str] = []
    # A run that is met is not looked for again, so that damaged parents cannot make it endless.
    waiting = children.pop(under.run, [])
    while waiting:
        run = waiting.pop()
        found.append(run)
        waiting.extend(children.pop(run, []))
    return [run for run in found if run != under.run]
