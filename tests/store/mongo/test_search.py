"""Runs are found as plain Python finds them, on every server that is there."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    MetricField,
    Not,
    Op,
    Or,
    Order,
    RunFilter,
)
from graphql_runs.store.port import Store
from tests.store import opening
from tests.store.meanings import Meanings
from tests.store.mongo.opening import mongo
from tests.store.mongo.servers import Servers
from tests.store.paging import fill, page_through
from tests.store.reference import Sample, matching, ordered
from tests.store.samples import HOME, LAB, a_metric, a_run
from tests.store.searching import Query, SearchContract, queries, samples

LOSS = MetricField("loss")
MANY = 700
"""More runs than a condition on a metric lists by id, or than are looked at together."""


class OnServer(Meanings):
    """Every store is a database of its own of one kind of server."""

    kind: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def database(cls, servers: Servers) -> Iterator[None]:
        with servers.database(cls.kind) as target, pytest.MonkeyPatch.context() as patch:

            async def open_at(path: str) -> Store:
                return await mongo(f"{target}_{hashlib.sha256(path.encode()).hexdigest()[:12]}")

            patch.setattr(opening, cls.opener, open_at, raising=False)
            yield


class TestMongomock(SearchContract, OnServer):
    __test__ = True
    kind, opener = "mongomock", "mongomock"


class TestMongo(SearchContract, OnServer):
    __test__ = True
    kind, opener = "mongodb", "mongodb"


class TestJavaMemory(OnServer):
    __test__ = True
    kind, opener = "java-memory", "java_memory"


class TestJavaH2(OnServer):
    __test__ = True
    kind, opener = "java-h2", "java_h2"


def tame(value: Any) -> Any:
    """The same with other numbers in the place of whole ones that a float cannot hold or that need over 64 bits:
    mongo-java-server compares them as floats, or as the largest integer."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: tame(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, tuple | list):
        return type(value)(map(tame, value))
    if isinstance(value, Mapping):
        return {key: tame(one) for key, one in value.items()}
    if isinstance(value, str) and value.strip("0123456789.") == "" and len(value) > 15:
        return "77"
    if isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0:
        return value if abs(value) < 2**53 else 77.0 if value > 0 else -77.0
    return value


@pytest.mark.parametrize("kind", ["java-memory", "java-h2"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs=samples().map(tame), asked=st.lists(queries.map(tame), min_size=1, max_size=5))
def test_runs_are_found_as_plain_python_finds_them(
    servers: Servers, kind: str, runs: list[Sample], asked: list[Query]
) -> None:
    async def search(target: str) -> None:
        store = await mongo(target)
        try:
            await fill(store, runs)
            for where, order, size in asked:
                matched = matching(runs, where)
                expected = [sample.run.id for sample in ordered(matched, order)]
                assert [run.id for run in await page_through(store, where, order, size)] == expected
                assert await store.count_runs(where) == len(expected)
                assert await store.count_statuses(where) == Counter(sample.run.status for sample in matched)
        finally:
            await store.close()

    with servers.database(kind) as target:
        asyncio.run(search(target))


@pytest.mark.parametrize("kind", ["mongomock", "java-memory", "mongodb"])
async def test_conditions_and_orders_by_metrics_of_very_many_runs(servers: Servers, kind: str) -> None:
    root = a_run("root")
    runs = [a_run(f"r{i}", root=root.id, parent=root.id, depth=1, number=i % 7) for i in range(MANY)]
    found = [Sample(root)]
    for index, run in enumerate(runs):
        # Many equal values, and every fifth run lacks one.
        metrics = (a_metric(run, "loss", last=float(index % 40), min=-1.0, count=2),) if index % 5 else ()
        found.append(Sample(run, metrics))
    number = AttributeField(Attribute.NUMBER)
    here = Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, HOME)
    conditions: list[RunFilter] = [
        And((here, Compare(LOSS, Op.LT, 1000.0))),
        And((here, Not(Compare(LOSS, Op.LTE, 20.0)), Compare(number, Op.GT, 2))),
        Or((Compare(LOSS, Op.EQ, 3.0), Compare(number, Op.EQ, 3))),
        And((Compare(AttributeField(Attribute.EXPERIMENT), Op.EQ, LAB), Compare(LOSS, Op.EXISTS, False))),
    ]
    by_number = Order(number, descending=True)
    with servers.database(kind) as target:
        store = await mongo(target)
        await fill(store, found)
        for where in conditions:
            matched = matching(found, where)
            assert await store.count_runs(where) == len(matched)
            assert await store.count_statuses(where) == {root.status: len(matched)}
            for order in (
                [Order(LOSS)],
                [Order(LOSS, descending=True)],
                [by_number, Order(LOSS)],
                [by_number],
            ):
                expected = [sample.run.id for sample in ordered(matched, order)]
                assert [run.id for run in await page_through(store, where, order, 300)] == expected
        await store.close()
