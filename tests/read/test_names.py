from __future__ import annotations

import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    Not,
    Op,
    Operand,
    Or,
    RunFilter,
    Under,
)
from graphql_runs.model.operation import DescribeCluster
from graphql_runs.read.names import resolve
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

ONE, TWO = ids.workspace_id("one"), ids.workspace_id("two")


@pytest.fixture
async def named(recorder: Recorder) -> None:
    for workspace in ("one", "two"):
        await recorder.create_experiment(workspace, "Digits")
        await recorder.create_experiment(workspace, "letters")
    await recorder.describe_cluster("one", DescribeCluster("gpu"))


def by(attribute: Attribute, op: Op, operand: Operand) -> Compare:
    return Compare(AttributeField(attribute), op, operand)


def digits(*homes: str) -> tuple[str, ...]:
    return tuple(ids.experiment_id(home, "Digits") for home in homes)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (by(Attribute.EXPERIMENT, Op.EQ, "Digits"), by(Attribute.EXPERIMENT, Op.IN, digits(ONE, TWO))),
        (by(Attribute.EXPERIMENT, Op.NE, "Digits"), by(Attribute.EXPERIMENT, Op.NOT_IN, digits(ONE, TWO))),
        (by(Attribute.EXPERIMENT, Op.CONTAINS, "dig"), by(Attribute.EXPERIMENT, Op.IN, digits(ONE, TWO))),
        (by(Attribute.EXPERIMENT, Op.LIKE, "Dig%"), by(Attribute.EXPERIMENT, Op.IN, digits(ONE, TWO))),
        (by(Attribute.EXPERIMENT, Op.ILIKE, "dIG%"), by(Attribute.EXPERIMENT, Op.IN, digits(ONE, TWO))),
        (by(Attribute.EXPERIMENT, Op.LIKE, "dig%"), Or(())),
        (by(Attribute.EXPERIMENT, Op.EXISTS, True), by(Attribute.EXPERIMENT, Op.EXISTS, True)),
        (by(Attribute.WORKSPACE, Op.EQ, "one"), by(Attribute.WORKSPACE, Op.IN, (ONE,))),
        (by(Attribute.WORKSPACE, Op.CONTAINS, "TW"), by(Attribute.WORKSPACE, Op.IN, (TWO,))),
        (by(Attribute.WORKSPACE, Op.EQ, ONE), by(Attribute.WORKSPACE, Op.IN, (ONE,))),
        (by(Attribute.CLUSTER, Op.LIKE, "g%"), by(Attribute.CLUSTER, Op.IN, (ids.cluster_id(ONE, "gpu"),))),
        (
            by(Attribute.PARENT, Op.IN, ("r1", "r2")),
            by(Attribute.PARENT, Op.IN, tuple(ids.run_id(home, run) for run in ("r1", "r2") for home in (ONE, TWO))),
        ),
        (by(Attribute.NAME, Op.EQ, "Digits"), by(Attribute.NAME, Op.EQ, "Digits")),
        (
            And((Not(by(Attribute.WORKSPACE, Op.EQ, "one")), Or((Under("run_a", "run_b"),)))),
            And((Not(by(Attribute.WORKSPACE, Op.IN, (ONE,))), Or((Under("run_a", "run_b"),)))),
        ),
    ],
)  # fmt: skip
async def test_names_become_ids(store: Store, given: RunFilter, wanted: RunFilter) -> None:
    assert await resolve(store, given, None) == wanted


@pytest.mark.usefixtures("named")
async def test_in_one_workspace_only_its_names_count(store: Store) -> None:
    found = await resolve(store, by(Attribute.EXPERIMENT, Op.EQ, "Digits"), TWO)
    assert found == by(Attribute.EXPERIMENT, Op.IN, digits(TWO))


async def test_not_equal_to_what_no_workspace_has(store: Store) -> None:
    found = await resolve(store, by(Attribute.EXPERIMENT, Op.NE, "x"), None)
    assert found == by(Attribute.EXPERIMENT, Op.EXISTS, True)


@pytest.mark.usefixtures("named")
async def test_what_cannot_be_compared(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput) as refused:
        await resolve(store, by(Attribute.PARENT, Op.CONTAINS, "x"), None)
    assert refused.value.field == "parent"
    monkeypatch.setattr("graphql_runs.read.names.MATCHES", 1)
    with pytest.raises(LimitExceeded) as error:
        await resolve(store, by(Attribute.EXPERIMENT, Op.CONTAINS, "digits"), None)
    assert error.value.field == "experiment"
