"""Ways through the runs in an order: a page at a time, each from the key where the last one ended.

    attributes            an index of the runs
    one tag, param, …     sorted by the database
    one metric            the index of the metrics' summaries
    anything else         all runs that match are looked at, and the first of them kept

Where a field may be missing, the runs that have a value and those that lack it are two parts, one after the other.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from graphql_runs.model.filter import (
    Attribute,
    AttributeField,
    BagField,
    Field,
    Key,
    MetricField,
    Order,
    SortValue,
)
from graphql_runs.model.run import Run
from graphql_runs.store.fields import ATTRIBUTES, attributes, stored
from graphql_runs.store.mongo.layout import bag_key, decoded, path
from graphql_runs.store.mongo.operations import Document, Query
from graphql_runs.store.mongo.plan import Plan

_MAY_LACK = frozenset(
    {
        Attribute.DISPLAY_NAME,
        Attribute.CLUSTER,
        Attribute.KIND,
        Attribute.TARGET,
        Attribute.SUBMITTED_BY,
        Attribute.STARTED_AT,
        Attribute.ENDED_AT,
        Attribute.DURATION,
        Attribute.PARENT,
        Attribute.TRASHED_AT,
        Attribute.STALE_AT,
        Attribute.ALIAS_OF,
    }
)
"""Attributes that a run may lack."""
_BLOCK = 500
"""Runs that are looked at together."""
_PLACES = {name: place for place, name in enumerate(ATTRIBUTES)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run in its place of the order, of which `Plan.rest` is not checked yet. The record, where it was read already."""

    key: Key
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Candidates in order, and the key to go on from; None at the end."""

    candidates: list[Candidate]
    after: Key | None


Walk = Callable[[Plan, Sequence[Order], Key | None, int], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to sort by: the place of its value in the key, and where a document has it."""

    place: int
    path: str
    descending: bool


def parts(order: Order, after: Key | None, there: Sequence[str]) -> Iterator[tuple[str | None, Key | None]]:
    """The parts that are still to come, each with the key to begin after: those named `there`, in ascending order, and None
    for the runs that lack a value."""
    names: list[str | None] = [*(reversed(there) if order.descending else there)]
    names = [None, *names] if order.nulls_first else [*names, None]
    if after is not None:
        value = after.values[0]
        current = None if value is None else there[-1] if isinstance(value, str) else there[0]
        names = names[names.index(current) :]
    for place, name in enumerate(names):
        yield name, after if place == 0 else None


def sorting(terms: Sequence[Term]) -> list[tuple[str, int]]:
    """What to sort documents of runs by; the id comes last."""
    found = [(term.path, -1 if term.descending else 1) for term in terms]
    return found if any(term.path == "_id" for term in terms) else [*found, ("_id", 1)]


def later(terms: Sequence[Term], key: Key, id_path: str = "_id") -> Query:
    """Documents that come after a key: equal in the first values, later in the next one."""
    ways: list[Query] = []
    equal: dict[str, Any] = {}
    for term in terms:
        value = _bound(key.values[term.place])
        ways.append({**equal, term.path: {"$lt" if term.descending else "$gt": value}})
        equal[term.path] = {"$eq": value}
    if id_path not in equal:
        ways.append({**equal, id_path: {"$gt": key.id}})
    if not terms:
        return ways[0]
    # Said once more for the first one alone, which tells where to begin in its index.
    first = terms[0]
    bound = {first.path: {"$lte" if first.descending else "$gte": _bound(key.values[first.place])}}
    return {"$and": [bound, {"$or": ways}]}


def by_attributes(order: Sequence[Order]) -> bool:
    """`walk_attributes` can go in this order: only the first field may be missing."""
    names = [by.field.attribute for by in order if isinstance(by.field, AttributeField)]
    return len(names) == len(order) and not _MAY_LACK.intersection(names[1:])


async def walk_attributes(plan: Plan, order: Sequence[Order], after: Key | None, most: int) -> Page:
    """In the order of attributes of the run."""
    terms = _terms(order)
    splits = (
        bool(order) and isinstance(order[0].field, AttributeField) and order[0].field.attribute in _MAY_LACK
    )
    found: list[Candidate] = []
    for part, key in parts(order[0], after, ("there",)) if splits else [("there", after)]:
        conditions = [plan.query]
        if splits:
            conditions.append({terms[0].path: {"$exists": part is not None}})
        here = terms if part is not None else terms[1:]
        if key is not None:
            conditions.append(later(here, key))
        documents = await plan.driver.find(
            "run", {"$and": conditions}, fields=("doc",), sort=sorting(here), limit=most - len(found)
        )
        found += [_candidate(decoded(Run, document), order) for document in documents]
        if len(found) >= most:
            return Page(found, found[-1].key)
    return Page(found, None)


async def walk_bag(plan: Plan, order: Sequence[Order], after: Key | None, most: int) -> Page:
    """In the order of one tag, param or property."""
    [by] = order
    assert isinstance(by.field, BagField)
    name = bag_key(by.field.bag, by.field.key)
    found: list[Candidate] = []
    for part, key in parts(by, after, ("n", "v")):
        limit = most - len(found)
        if part is None:
            query = {"$and": [plan.query, {"$nor": [{"bags": {"$elemMatch": {"k": name}}}]}, _after_id(key)]}
            documents = await plan.driver.find("run", query, fields=("doc",), sort=(("_id", 1),), limit=limit)
            found += [_lacking(document) for document in documents]
        else:
            found += await _held(plan, by, name, part, key, limit)
        if len(found) >= most:
            return Page(found, found[-1].key)
    return Page(found, None)


async def walk_all(plan: Plan, order: Sequence[Order], after: Key | None, most: int) -> Page:
    """In any order: looks at all runs, and remembers no more than `most`."""

    def compare(one: Candidate, other: Candidate) -> int:
        return compare_keys(one.key, other.key, order)

    best: list[Candidate] = []
    fields = {_needed(by.field) for by in order} - {None}
    scan = plan.driver.scan("run", plan.query, fields=["_id", *filter(None, fields)], batch=_BLOCK)
    block: list[Document] = []

    async def take() -> None:
        kept = await plan.checked([document["_id"] for document in block])
        keys = await _keys(plan, [document for document in block if document["_id"] in kept], order)
        new = [Candidate(key) for key in keys if after is None or compare_keys(key, after, order) > 0]
        best[:] = heapq.nsmallest(most, [*best, *new], key=cmp_to_key(compare))
        block.clear()

    async with aclosing(scan) as documents:
        async for document in documents:
            block.append(document)
            if len(block) == _BLOCK:
                await take()
    await take()
    return Page(best, best[-1].key if len(best) == most else None)


def compare_keys(one: Key, other: Key, order: Sequence[Order]) -> int:
    """Below 0 when one comes before the other, above 0 when after."""
    for by, left, right in zip(order, one.values, other.values, strict=True):
        if left is None or right is None:
            if left is not right:
                return -1 if (left is None) is by.nulls_first else 1
            continue
        # Numbers before texts.
        pair = (isinstance(left, str), left), (isinstance(right, str), right)
        if pair[0] != pair[1]:
            return -1 if (pair[0] < pair[1]) is not by.descending else 1
    return (one.id > other.id) - (one.id < other.id)


def _terms(order: Sequence[Order]) -> list[Term]:
    """By a thing that was sorted by before nothing is sorted any more, and nothing after the id."""
    terms: list[Term] = []
    for place, by in enumerate(order):
        assert isinstance(by.field, AttributeField)
        where = path(by.field.attribute)
        if all(where != term.path for term in terms):
            terms.append(Term(place, where, by.descending))
        if where == "_id":
            break
    return terms


async def _held(plan: Plan, by: Order, name: str, part: str, key: Key | None, limit: int) -> list[Candidate]:
    """Runs with a number or a text under a key of their bags."""
    element: dict[str, Any] = {"k": name, "n": {"$exists": part == "n"}}
    where = f"bags.{part}"
    term = Term(0, where, by.descending)
    conditions: list[Query] = [{"bags.k": name, "bags.n": {"$exists": part == "n"}}]
    if key is not None:
        conditions.append(later([term], key))
    pipeline: list[Query] = [
        {"$match": {"$and": [plan.query, {"bags": {"$elemMatch": element}}]}},
        {"$project": {"bags": 1}},
        {"$unwind": "$bags"},
        {"$match": {"$and": conditions}},
        {"$sort": dict(sorting([term]))},
        {"$limit": limit},
    ]
    found = await plan.driver.aggregate("run", pipeline)
    return [Candidate(Key((document["bags"][part],), document["_id"])) for document in found]


async def _keys(plan: Plan, documents: Sequence[Document], order: Sequence[Order]) -> list[Key]:
    """Where runs stand in an order."""
    ids = [document["_id"] for document in documents]
    columns: list[list[SortValue]] = []
    for by in order:
        match by.field:
            case AttributeField(attribute):
                columns.append([document.get(path(attribute)) for document in documents])
            case BagField(bag, key):
                columns.append([_in_bag(document, bag_key(bag, key)) for document in documents])
            case MetricField(name, stat):
                query = {"owner": {"$in": ids}, "name": name}
                found = await plan.driver.find("metric", query, fields=("owner", stat.value))
                known = {document["owner"]: document.get(stat.value) for document in found}
                columns.append([known.get(id) for id in ids])
    return [Key(tuple(values), id) for id, *values in zip(ids, *columns, strict=True)]


def _needed(field: Field) -> str | None:
    """The part of a run's document that holds a field."""
    match field:
        case AttributeField(attribute):
            return path(attribute)
        case BagField():
            return "bags"
    return None


def _in_bag(document: Document, name: str) -> SortValue:
    for held in document["bags"]:
        if held["k"] == name:
            value: SortValue = held.get("n", held["v"])
            return value
    return None


def _candidate(run: Run, order: Sequence[Order]) -> Candidate:
    found = attributes(run)
    values = [found[_PLACES[by.field.attribute]] for by in order if isinstance(by.field, AttributeField)]
    return Candidate(
        Key(tuple(str(value) if isinstance(value, str) else value for value in values), run.id), run
    )


def _lacking(document: Document) -> Candidate:
    return Candidate(Key((None,), document["_id"]), decoded(Run, document))


def _after_id(key: Key | None) -> Query:
    return {} if key is None else {"_id": {"$gt": key.id}}


def _bound(value: SortValue) -> SortValue:
    return stored(value) if isinstance(value, int | float) else value
