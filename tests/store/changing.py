"""Paging while runs come, change and go: the part of the contract for finding runs that says what a page is worth afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_runs.model.filter import (
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    Field,
    MetricField,
    Not,
    Op,
    Order,
    RunFilter,
    Stat,
)
from graphql_runs.model.run import Run
from graphql_runs.store.port import Batch, Purge, Store, TreeRecord, journal_of
from tests.store.reference import Sample, matching, ordered, sort_value
from tests.store.samples import HOME, LAB, Place, a_metric, a_run, entry

# Few values, so that most runs are equal in some order.
TEXTS = ["", "a", "B", "10", "9", "1e1", "nan", "日本"]
NAMES = ["x.y", "$set"]
numbers = st.sampled_from([None, -1.5, 0.0, 2.0, float("inf"), float("nan")])
FIELDS: list[Field] = [
    AttributeField(Attribute.CREATED_AT),
    AttributeField(Attribute.STARTED_AT),
    AttributeField(Attribute.DURATION),
    AttributeField(Attribute.DISPLAY_NAME),
    AttributeField(Attribute.TRASHED_AT),
    AttributeField(Attribute.ALIAS_OF),
    AttributeField(Attribute.STATUS),
    *(BagField(bag, name) for bag in (Bag.TAG, Bag.PARAM) for name in NAMES),
    *(MetricField(name, stat) for name in NAMES for stat in (Stat.LAST, Stat.MIN, Stat.MEAN)),
]
WHERE: list[RunFilter | None] = [
    None,
    Compare(AttributeField(Attribute.EXPERIMENT), Op.EQ, LAB),
    Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, HOME),
    Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, False),
    Compare(AttributeField(Attribute.ALIAS_OF), Op.EXISTS, False),
    Compare(BagField(Bag.IDENTITY, NAMES[0]), Op.EXISTS, True),
    Compare(AttributeField(Attribute.PARENT), Op.EXISTS, False),
    Compare(BagField(Bag.TAG, NAMES[0]), Op.LT, 10),
    Compare(MetricField(NAMES[0]), Op.GTE, 0.0),
    Not(Compare(MetricField(NAMES[1]), Op.EXISTS, True)),
]
orders = st.lists(st.builds(Order, st.sampled_from(FIELDS), st.booleans(), st.booleans()), max_size=2)
bags = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TEXTS), max_size=2)
times = st.integers(1, 3).map(lambda second: second * 1_000_000)


@st.composite
def versions(draw: st.DrawFn, run: Run) -> Sample:
    """The run as it may be at some time, with all of its metrics."""
    run = replace(
        run,
        created_at=draw(times),
        started_at=draw(st.none() | times),
        ended_at=draw(st.none() | times),
        display_name=draw(st.sampled_from([None, *TEXTS])),
        trashed_at=draw(st.none() | times),
        alias_of=draw(st.sampled_from([None, *TEXTS])),
        identities=tuple(draw(st.sets(st.sampled_from(NAMES)))),
        tags=draw(bags),
        params=draw(bags),
    )
    metrics = [
        a_metric(run, name, count=2, finite=2, total=draw(st.sampled_from([0.0, 4.0])), last=last, min=low)
        for name, last, low in (
            (name, draw(numbers), draw(st.sampled_from([None, -1.5, 2.0]))) for name in NAMES
        )
    ]
    return Sample(run, tuple(metrics))


@dataclass
class Lab:
    """A store and the runs that are there now."""

    store: Store
    there: dict[str, Sample] = field(default_factory=dict)
    made: int = 0

    async def create(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from([None, *self.there.values()]))
        run = a_run(f"run {self.made}")
        if parent is not None:
            above = parent.run
            run = replace(run, parent=above.id, root=above.root, depth=above.depth + 1)
        sample = data.draw(versions(run))
        self.made += 1
        records: tuple[TreeRecord, ...] = (sample.run, *sample.metrics)
        await self.store.commit(Batch(run.root, entry(await self.end(run.root)), creates=records))
        self.there[run.id] = sample

    async def change(self, data: st.DataObject) -> None:
        if not self.there:
            return
        before = data.draw(st.sampled_from(list(self.there.values())))
        sample = data.draw(versions(before.run))
        records: tuple[TreeRecord, ...] = (sample.run, *sample.metrics)
        root = before.run.root
        await self.store.commit(Batch(root, entry(await self.end(root)), replaces=records))
        self.there[before.run.id] = sample

    async def purge(self, data: st.DataObject) -> None:
        if not self.there:
            return
        top = data.draw(st.sampled_from(list(self.there.values()))).run
        gone = {top.id}
        for sample in sorted(self.there.values(), key=lambda one: one.run.depth):
            if sample.run.parent in gone:
                gone.add(sample.run.id)
        await self.store.purge(Purge(top.root, entry(await self.end(top.root)), tuple(sorted(gone))))
        for id in gone:
            del self.there[id]

    async def end(self, root: str) -> int:
        [end] = await self.store.ends([journal_of(root)])
        return end

    def after(self, where: RunFilter | None, order: Sequence[Order], last: Sample | None) -> list[Sample]:
        """The runs that match and come after one in the order, wherever that one, as it was then, is now."""
        found = matching(list(self.there.values()), where)
        if last is None:
            return ordered(found, order)

        def key(sample: Sample) -> list[object]:
            return [sample.run.id, *(sort_value(sample, by.field) for by in order)]

        others = [sample for sample in found if key(sample) != key(last)]
        everybody = ordered([last, *others], order)
        return everybody[everybody.index(last) + 1 :]


class Changing:
    """`opener` is the function of tests/store/opening.py that opens the store at a path."""

    __test__ = False
    opener: str

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(st.data())
    def test_a_page_is_what_comes_after_the_last_one_now(self, data: st.DataObject) -> None:
        """So no run whose key stayed the same is skipped or repeated, and what moved is where it is now."""

        async def turn(folder: str) -> None:
            lab = Lab(await Place(f"tests.store.opening:{self.opener}", str(Path(folder) / "store")).open())
            try:
                for _ in range(data.draw(st.integers(2, 9))):
                    await lab.create(data)
                await self._page(lab, data)
            finally:
                await lab.store.close()

        with TemporaryDirectory() as folder:
            asyncio.run(turn(folder))

    async def _page(self, lab: Lab, data: st.DataObject) -> None:
        where, order = data.draw(st.sampled_from(WHERE)), data.draw(orders)
        size = data.draw(st.integers(1, 3))
        untouched = {sample.run.id: sample for sample in matching(list(lab.there.values()), where)}
        seen: list[str] = []
        last, after = None, None
        for _ in range(20):
            expected = lab.after(where, order, last)[:size]
            page = await lab.store.find_runs(where, order, after=after, first=size)
            assert [one.run for one in page] == [sample.run for sample in expected]
            seen += [one.run.id for one in page]
            if len(page) < size:
                break
            last, after = expected[-1], page[-1].key
            for _ in range(data.draw(st.integers(0, 2))):
                deed: Awaitable[None] = data.draw(st.sampled_from([lab.create, lab.change, lab.purge]))(data)
                await deed
            untouched = {id: sample for id, sample in untouched.items() if lab.there.get(id) is sample}
        else:
            return  # new ones came as fast as pages
        assert len([id for id in seen if id in untouched]) == len(untouched)
