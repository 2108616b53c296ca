"""Which indexes pages are read from, as SQLite itself says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    MetricField,
    Op,
    Order,
    RunFilter,
    Stat,
)
from graphql_runs.store.sqlite import SqliteStore, readers
from tests.store.paging import fill
from tests.store.reference import Sample
from tests.store.samples import HOME, LAB, a_metric, a_run

IN_LAB = Compare(AttributeField(Attribute.EXPERIMENT), Op.EQ, LAB)
HERE = Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, HOME)
LOW = Compare(MetricField("loss"), Op.LT, 80.0)
COMMON = Compare(BagField(Bag.PARAM, "half"), Op.EQ, "1")
RARE = Compare(BagField(Bag.PARAM, "own"), Op.EQ, "7")
NEWEST = Order(AttributeField(Attribute.CREATED_AT), descending=True)
ROOTS = Compare(AttributeField(Attribute.PARENT), Op.EXISTS, False)


KEPT = And(
    tuple(
        Compare(AttributeField(name), Op.EXISTS, False) for name in (Attribute.TRASHED_AT, Attribute.ALIAS_OF)
    )
)
IDENTIFIED = Compare(BagField(Bag.IDENTITY, "slurm:c/1"), Op.EXISTS, True)
ALIASES = Compare(AttributeField(Attribute.ALIAS_OF), Op.IN, ("run_a", "run_b"))
IN_TRASH = Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, True)
LONG_THERE = Compare(AttributeField(Attribute.TRASHED_AT), Op.LT, 5)
LATEST_TRASH = Order(AttributeField(Attribute.TRASHED_AT), descending=True)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A hundred runs with metrics and params."""
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    for i in range(100):
        run = a_run(f"r{i}", created_at=i, params={"half": str(i % 2), "own": str(i)})
        await fill(store, [Sample(run, (a_metric(run, "loss", last=float(i), min=i / 2, max=2.0 * i),))])
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("where", "order", "index"),
    [
        (And((IN_LAB, LOW, COMMON)), Order(MetricField("loss")), "metric USING INDEX metric_by_last"),
        (
            And((IN_LAB, LOW, COMMON)),
            Order(MetricField("loss"), descending=True),
            "metric USING INDEX metric_by_last",
        ),
        (IN_LAB, Order(MetricField("loss", Stat.MIN)), "metric USING INDEX metric_by_min"),
        (None, Order(MetricField("loss", Stat.MAX), descending=True), "metric USING INDEX metric_by_max"),
        (And((IN_LAB, LOW, RARE)), Order(MetricField("loss")), "bag USING COVERING INDEX bag_by_text"),
        (IN_LAB, NEWEST, "run USING INDEX run_by_experiment"),
        (HERE, NEWEST, "run USING INDEX run_by_workspace"),
        (And((HERE, ROOTS)), NEWEST, "run USING INDEX run_by_parent"),
        (None, NEWEST, "run USING INDEX run_by_created_at"),
        (None, Order(BagField(Bag.PARAM, "own")), "bag USING INDEX bag_by_sort"),
        # Lists leave out aliases and what is in the trash.
        (And((IN_LAB, KEPT)), NEWEST, "run USING INDEX run_by_experiment"),
        (And((HERE, KEPT)), NEWEST, "run USING INDEX run_by_workspace"),
        (And((HERE, ROOTS, KEPT)), NEWEST, "run USING INDEX run_by_parent"),
        (And((IN_LAB, LOW, KEPT)), Order(MetricField("loss")), "metric USING INDEX metric_by_last"),
        (And((HERE, KEPT)), Order(BagField(Bag.PARAM, "own")), "bag USING INDEX bag_by_sort"),
    ],
)
async def test_a_page_is_read_from_an_index(
    store: SqliteStore, where: RunFilter | None, order: Order, index: str
) -> None:
    first, *rest = await store.explain_runs(where, [order], first=5)
    # The first page of all runs begins where the index does.
    assert first.startswith((f"SEARCH {index}", f"SCAN {index}" if where is None else f"SEARCH {index}"))
    narrow = index.startswith("bag USING COVERING INDEX bag_by_text")
    page = await store.find_runs(where, [order], first=5)
    if not narrow:
        assert len(page) == 5
        # Later pages begin in the index where this one ended.
        later, *_ = await store.explain_runs(where, [order], after=page[-1].key, first=5)
        assert later.startswith(f"SEARCH {index}")
        column = index.rpartition("_by_")[2]
        bound = {"experiment": "created_at", "workspace": "created_at", "parent": "created_at"}.get(
            column, column
        )
        assert f"{bound}{'<' if order.descending else '>'}?" in later
    # Nothing but runs of equal values is sorted.
    sorts = [step for step in (first, *rest) if "TEMP B-TREE" in step]
    assert narrow or all("LAST TERM" in step for step in sorts[:1])


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (And((HERE, IDENTIFIED)), "bag USING COVERING INDEX bag_by_sort"),
        (ALIASES, "run USING COVERING INDEX run_by_alias_of"),
    ],
)
async def test_runs_that_are_one_are_found_in_an_index(
    store: SqliteStore, where: RunFilter, index: str
) -> None:
    for i in range(3):
        run = a_run(f"one{i}", number=9 - i, identities=("slurm:c/1", f"x:{i}"), alias_of="run_a")
        await fill(store, [Sample(run)])
    order = [Order(AttributeField(Attribute.DEPTH)), Order(AttributeField(Attribute.NUMBER))]
    plan = await store.explain_runs(where, order, first=5)
    assert [step for step in plan if f"SEARCH {index}" in step]
    assert not [step for step in plan if step.startswith("SCAN run")]
    assert [one.run.run_id for one in await store.find_runs(where, order, first=5)] == [
        "one2",
        "one1",
        "one0",
    ]


async def test_lists_without_the_trash_are_counted_in_an_index(store: SqliteStore) -> None:
    for where, index in ((HERE, "workspace"), (IN_LAB, "experiment"), (ROOTS, "parent")):
        for condition in (where, And((where, KEPT))):
            plan = await store.explain_counts(condition)
            assert [step for step in plan if f"run USING COVERING INDEX run_by_{index}" in step]
            # Nothing is looked up in the table, row by row.
            assert not [step for step in plan if "PRIMARY KEY" in step or step.startswith("SCAN")]


@pytest.mark.parametrize("where", [IN_TRASH, LONG_THERE, And((HERE, IN_TRASH))])
async def test_the_trash_is_found_in_an_index(store: SqliteStore, where: RunFilter) -> None:
    for i in range(3):
        await fill(store, [Sample(a_run(f"trash{i}", trashed_at=i))])
    plan = await store.explain_runs(where, [LATEST_TRASH], first=5)
    assert plan[0].startswith("SEARCH run USING")
    assert "INDEX run_by_trashed_at" in plan[0]
    found = await store.find_runs(where, [LATEST_TRASH], first=5)
    assert [one.run.trashed_at for one in found] == [2, 1, 0]
    assert await store.count_runs(where) == 3


async def test_a_query_that_takes_too_long_is_ended(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_LONGEST_SECONDS", -1.0)
    monkeypatch.setattr(readers, "_STEPS_BETWEEN_LOOKS", 100)
    with pytest.raises(LimitExceeded, match="longer"):
        await store.count_runs(Compare(AttributeField(Attribute.NAME), Op.CONTAINS, "u"))
    monkeypatch.undo()
    assert await store.count_runs(None) == 100


async def test_filters_of_any_width_and_depth(store: SqliteStore) -> None:
    wide = And(tuple([IN_LAB] * 3000))
    assert await store.count_runs(wide) == 100
    deep: RunFilter = IN_LAB
    for _ in range(60):
        deep = And((deep, HERE))
    assert await store.count_runs(deep) == 100
    with pytest.raises(LimitExceeded):
        await store.count_runs(Compare(AttributeField(Attribute.NAME), Op.IN, tuple(map(str, range(40_000)))))


async def test_text_that_is_not_unicode_is_refused(store: SqliteStore) -> None:
    broken = "a\ud800"
    with pytest.raises(InvalidInput):
        await store.count_runs(Compare(AttributeField(Attribute.NAME), Op.EQ, broken))
    with pytest.raises(InvalidInput):
        await fill(store, [Sample(a_run("x", name=broken))])
    with pytest.raises(InvalidInput):
        await fill(store, [Sample(a_run("x", tags={broken: "1"}))])
    assert await store.count_runs(None) == 100
