"""Histories of commits, purges, trims and merges, drawn at random and compared with what plain Python remembers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_runs.model import ids
from graphql_runs.model.errors import Conflict
from graphql_runs.model.filter import Attribute, AttributeField, Compare, Op
from graphql_runs.model.run import Run
from graphql_runs.store.port import Append, Batch, Item, Position, Purge, Store, TreeRecord, journal_of
from tests.store.samples import a_metric, a_run, entry, extents, read_all
from tests.store.suite.base import Suite


@dataclass
class History:
    """A tree of at most three runs, one below the other, and what plain Python remembers of it."""

    store: Store
    name: str
    made: list[Run] = field(default_factory=list)
    n: int = 0
    floor: int = 0
    journal: dict[int, Item] = field(default_factory=dict)
    points: dict[str, list[bytes]] = field(default_factory=dict)
    items: dict[str, list[Item]] = field(default_factory=dict)
    writers: dict[str, Position] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = a_run(self.name, workspace=ids.workspace_id(self.name))
        child = a_run(f"{self.name} child", workspace=root.workspace, root=root.id, parent=root.id, depth=1)
        self.runs = [
            root,
            child,
            a_run(f"{self.name} leaf", workspace=root.workspace, root=root.id, parent=child.id, depth=2),
        ]

    def deeds(self) -> list[Any]:
        return [self.create, self.append, self.append, self.purge, self.trim, self.compact, self.late]

    def _entry(self) -> Item:
        item = entry(self.n, f"at {self.n}")
        self.journal[self.n] = item
        self.n += 1
        return item

    async def create(self, data: st.DataObject) -> None:
        if len(self.made) == len(self.runs):
            return
        run = replace(self.runs[len(self.made)], number=data.draw(st.integers(0, 9)))
        metric = a_metric(run, "m")
        records: tuple[TreeRecord, ...] = (run, metric)
        await self.store.commit(Batch(run.root, self._entry(), creates=records))
        self.made.append(run)
        self.points[metric.id], self.items[metric.id] = [], []

    async def append(self, data: st.DataObject) -> None:
        if not self.made:
            return
        stream = ids.metric_id(data.draw(st.sampled_from(self.made)).id, "m")
        rows = [b"%d of %d" % (row, self.n) for row in range(data.draw(st.integers(1, 3)))]
        start = len(self.points[stream])
        item = Item(start, start + len(rows), b"|".join(rows))
        position = Position(data.draw(st.sampled_from(["v", "w"])), self.n, b"digest")
        batch = Batch(self.runs[0].id, self._entry(), appends=(Append(stream, item),), positions=(position,))
        await self.store.commit(batch)
        self.points[stream] += rows
        self.items[stream].append(item)
        self.writers[position.writer] = position

    async def purge(self, data: st.DataObject) -> None:
        if not self.made:
            return
        left = data.draw(st.integers(0, len(self.made) - 1))
        gone = self.made[left:]
        said = self._entry()
        await self.store.purge(Purge(self.runs[0].id, said, tuple(run.id for run in reversed(gone))))
        for run in gone:
            del self.points[ids.metric_id(run.id, "m")], self.items[ids.metric_id(run.id, "m")]
        del self.made[left:]
        if left == 0:
            self.writers.clear()
            self.floor = said.start

    async def trim(self, data: st.DataObject) -> None:
        before = data.draw(st.integers(0, self.n))
        await self.store.trim(self.runs[0].id, before)
        self.floor = max(self.floor, before)

    async def compact(self, data: st.DataObject) -> None:
        if not self.made:
            return
        stream = ids.metric_id(data.draw(st.sampled_from(self.made)).id, "m")
        parts = self.items[stream]
        if len(parts) > 1:
            merged = Item(0, parts[-1].end, b"|".join(self.points[stream]))
            assert await self.store.compact(stream, merged, parts)
            self.items[stream] = [merged]

    async def late(self, data: st.DataObject) -> None:
        """What was read before the last change comes too late."""
        n = data.draw(st.integers(0, self.n + 1).filter(lambda n: n != self.n))
        late = Item(n, n + 1, b"late")
        doing = (
            self.store.purge(Purge(self.runs[0].id, late, (self.runs[0].id,)))
            if data.draw(st.booleans())
            else self.store.commit(Batch(self.runs[0].id, late))
        )
        with pytest.raises(Conflict):
            await doing

    async def check(self) -> None:
        root = self.runs[0].id
        assert await self.store.tree_runs(root) == self.made
        there = [
            run if run in self.made else None for run in await self.store.get(Run, [r.id for r in self.runs])
        ]
        assert there == [*self.made, *[None] * (len(self.runs) - len(self.made))]
        home = Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, self.runs[0].workspace)
        assert await self.store.count_runs(home) == len(self.made)
        assert await self.store.all_positions(root, first=9) == [
            self.writers[writer] for writer in sorted(self.writers)
        ]
        journal = journal_of(root)
        assert await self.store.ends([journal]) == [self.n]
        assert await read_all(self.store, journal) == [self.journal[n] for n in range(self.floor, self.n)]
        every = await extents(self.store)
        assert every.get(journal) == ((self.floor, self.n) if self.n else None)
        for run in self.runs:
            stream = ids.metric_id(run.id, "m")
            points = self.points.get(stream, [])
            items = await read_all(self.store, stream)
            assert items == self.items.get(stream, [])
            assert b"|".join(item.data for item in items) == b"|".join(points)
            assert await self.store.ends([stream]) == [len(points)]
            assert every.get(stream) == ((0, len(points)) if points else None)


class Histories(Suite):
    """See the module."""

    @settings(
        max_examples=25,
        deadline=None,
        # One test for every store: the class differs, what is drawn does not.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.differing_executors,
        ],
    )
    @given(data=st.data())
    async def test_any_history_leaves_what_plain_python_keeps(
        self, store: Store, data: st.DataObject
    ) -> None:
        tree = History(store, f"tree{await store.next_number('trees')}")
        for _ in range(data.draw(st.integers(1, 12))):
            await data.draw(st.sampled_from(tree.deeds()))(data)
        await tree.check()
