"""Conditions on children and ancestors begin at the runs for which they narrow the list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    MetricField,
    Op,
    Order,
    RunFilter,
)
from graphql_runs.store.sqlite import SqliteStore
from tests.store.paging import fill, page_through
from tests.store.reference import Sample, matching
from tests.store.samples import a_metric, a_run

NEWEST = Order(AttributeField(Attribute.CREATED_AT), descending=True)
RARE = Compare(BagField(Bag.PARAM, "own"), Op.EQ, "7")
LOW = Compare(MetricField("loss"), Op.IN, (1.0, 9.0))
COMMON = Compare(BagField(Bag.PARAM, "half"), Op.EQ, "1")


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    """Ten trees of a root, nine runs below it, and one below the first of these."""
    found = []
    for tree in range(10):
        root = a_run(f"root{tree}", created_at=100 * tree, params={"half": str(tree % 2), "own": str(tree)})
        found.append(Sample(root))
        for i in range(10):
            place: dict[str, Any] = {"root": root.id, "parent": root.id, "depth": 1}
            if i == 9:
                place |= {"parent": a_run(f"r{tree}-0").id, "depth": 2}
            n = 10 * tree + i
            run = a_run(
                f"r{tree}-{i}", created_at=n, status_at=n, params={"half": str(n % 2), "own": str(n)}, **place
            )
            found.append(Sample(run, (a_metric(run, "loss", last=float(n)),)))
    return found


@pytest.fixture
async def store(tmp_path: Path, samples: list[Sample]) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    await fill(store, samples)
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (Child(RARE), "bag USING COVERING INDEX bag_by_text"),
        (Child(And((COMMON, LOW))), "metric USING INDEX metric_by_last"),
        (Ancestor(RARE), "bag USING COVERING INDEX bag_by_text"),
        (And((Ancestor(RARE), COMMON)), "bag USING COVERING INDEX bag_by_text"),
        (Child(Child(LOW)), "metric USING INDEX metric_by_last"),
        (Child(COMMON), None),
        (Ancestor(COMMON), None),
    ],
)
async def test_where_a_page_begins(
    store: SqliteStore, samples: list[Sample], where: RunFilter, index: str | None
) -> None:
    steps = await store.explain_runs(where, [NEWEST], first=5)
    if index is None:
        assert steps[0] == "SCAN run USING INDEX run_by_created_at"
    else:
        assert any(step.startswith(f"SEARCH {index}") for step in steps)
        assert not any(step.startswith("SCAN run") for step in steps)
    wanted = {sample.run.id for sample in matching(samples, where)}
    assert wanted
    found = [run.id for run in await page_through(store, where, [NEWEST], 4)]
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert await store.count_runs(where) == len(wanted)
