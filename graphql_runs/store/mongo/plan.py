"""A filter, made ready for one request.

What a query on the documents of runs cannot answer (conditions on metrics, children and ancestors, some regular expressions)
becomes a list of ids where it is about a metric and holds for few runs; else it is checked for each block of runs that is read, so
that nothing is ever held of all runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    Child,
    Compare,
    MetricField,
    Not,
    Or,
    RunFilter,
    Under,
    conjuncts,
)
from graphql_runs.model.regex import compiled
from graphql_runs.store.mongo import filters
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.layout import LIVE
from graphql_runs.store.mongo.operations import Query

_FEW = 500
"""Runs of a condition on a metric that are listed by id."""
_CHILDREN = 2000
"""Children that are looked at together."""


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
            case _ if not filters.asks_more(where):
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
            case Child(part):
                return await self._with_child(part, ids)
            case Ancestor(part):
                return await self._with_ancestor(part, ids)
            case Compare():
                return await self._with_match(where, ids)
        raise TypeError(f"{where} is no filter")

    async def _with_child(self, part: RunFilter, ids: set[str]) -> set[str]:
        held: set[str] = set()
        after = ""
        while True:
            query = {"parent": {"$in": list(ids - held)}, "_id": {"$gt": after}}
            found = await self.driver.find(
                "run", query, fields=("parent",), sort=(("_id", 1),), limit=_CHILDREN
            )
            parents = {document["_id"]: document["parent"] for document in found}
            held |= {parents[child] for child in await self._holding(part, set(parents))}
            if len(found) < _CHILDREN:
                return held
            after = found[-1]["_id"]

    async def _with_ancestor(self, part: RunFilter, ids: set[str]) -> set[str]:
        above = await self._parents(ids)
        held: set[str] = set()
        looked_at: dict[str, bool] = {}
        steps = 0
        # More steps than ancestors are taken where damaged parents lead round in a circle.
        while above and steps <= len(looked_at):
            steps += 1
            new = set(above.values()) - looked_at.keys()
            holding = await self._holding(part, new)
            looked_at |= {run: run in holding for run in new}
            held |= {run for run, ancestor in above.items() if looked_at[ancestor]}
            parents = await self._parents(set(above.values()))
            above = {
                run: parents[ancestor]
                for run, ancestor in above.items()
                if run not in held and ancestor in parents
            }
        return held

    async def _parents(self, ids: set[str]) -> dict[str, str]:
        """The parents of those runs that have one."""
        query = {"$and": [{"_id": {"$in": list(ids)}, "parent": {"$exists": True}}, LIVE]}
        found = await self.driver.find("run", query, fields=("parent",))
        return {document["_id"]: document["parent"] for document in found}

    async def _with_match(self, where: Compare, ids: set[str]) -> set[str]:
        """Those in which a regular expression is found that the server is better not given."""
        matches = compiled(str(where.operand)).matches
        query = {"_id": {"$in": list(ids)}}
        found = await self.driver.find("run", query, fields=(filters.place_of(where.field),))
        texts = {document["_id"]: filters.text_of(document, where.field) for document in found}
        return {run for run, text in texts.items() if text is not None and matches(text)}


async def make_plan(driver: Driver, where: RunFilter | None) -> Plan:
    """The plan of a filter that was checked."""
    parts = conjuncts(where)
    below = {under: await _below(driver, under) for under in filters.unders(where)}
    scope = await _scope(driver, parts)
    rest = []
    listed: list[Query] = []
    for part in parts:
        if filters.asks_more(part):
            few = await _few(driver, part, scope)
            if few is None:
                rest.append(part)
            else:
                listed.append({"_id": {"$in": few}})
    alone = [part for part in parts if not filters.asks_more(part)]
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
