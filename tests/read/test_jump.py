from __future__ import annotations

import pytest

from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    MetricField,
    Op,
    Or,
    Order,
    Stat,
)
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs.read import jump
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

RUNS = 60
CREATED = AttributeField(Attribute.CREATED_AT)
LOSS = MetricField("loss")
LR = BagField(Bag.PARAM, "lr")
ORDERS = [
    [Order(CREATED, descending=True)],
    [Order(CREATED)],
    [Order(AttributeField(Attribute.NAME))],
    [Order(AttributeField(Attribute.STATUS)), Order(AttributeField(Attribute.NAME), descending=True)],
    [Order(AttributeField(Attribute.DURATION), descending=True, nulls_first=True)],
    [Order(LOSS)],
    [Order(LOSS, descending=True, nulls_first=True)],
    [Order(MetricField("loss", Stat.COUNT)), Order(LOSS)],
    [Order(LR)],
    [Order(LR, descending=True), Order(CREATED)],
    [Order(LR, nulls_first=True), Order(LOSS, descending=True)],
]
RATES = [None, "0.1", "1e-1", "3", "auto", "none", "nan", "-inf", "10"]
LOSSES = [None, 1.0, 2.5, float("nan"), float("inf"), -3.0, 1.0]


@pytest.fixture
async def runs(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs whose values repeat and lack, and a jump that has to count its way to every row."""
    monkeypatch.setattr(jump, "NEAR", 1)
    monkeypatch.setattr(jump, "_SAMPLE", 3)
    for number in range(RUNS):
        id = f"r{number}"
        rate, loss = RATES[number % len(RATES)], LOSSES[number % len(LOSSES)]
        params = {} if rate is None else {"lr": rate}
        said: list[RunOperation] = [
            DeclareRun(id, "e", f"n{number % 11}", "test", created_at=number // 4, params=params)
        ]
        if loss is not None:
            said.append(LogPoints(id, "loss", [loss] * (1 + number % 3)))
        if number % 3:
            said.append(SetStatus(id, RunStatus.COMPLETED, "test", at=number // 4 + number % 7))
        await recorder.record("default", said)


@pytest.mark.parametrize("order", ORDERS)
async def test_every_row_is_found_by_its_number(store: Store, runs: None, order: list[Order]) -> None:
    where = Compare(AttributeField(Attribute.NAME), Op.NE, "n5")
    wanted = [found.key for found in await store.find_runs(where, order, first=RUNS)]
    assert len(wanted) > 50
    for row in range(0, len(wanted), 3):
        assert await jump.key_of_row(store, where, order, row) == wanted[row]
    assert await jump.key_of_row(store, where, order, len(wanted) - 1) == wanted[-1]
    assert await jump.key_of_row(store, where, order, len(wanted)) is None


async def test_an_empty_list_has_no_rows(store: Store, runs: None) -> None:
    assert await jump.key_of_row(store, Or(()), ORDERS[0], 1) is None


async def test_a_row_that_is_near_is_walked_to(
    store: Store, runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jump, "NEAR", 1000)
    wanted = await store.find_runs(And(()), ORDERS[5], first=RUNS)
    assert await jump.key_of_row(store, And(()), ORDERS[5], 17) == wanted[17].key
