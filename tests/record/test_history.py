"""Random histories of writing, trashing, restoring, purging and trimming by two processes, against a plain model of what has to be
there, with clients that follow, get cut off and come back."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from graphql_runs.live.hub import Hub
from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.operation import DeclareRun, LogPoints, RestoreRun, RunOperation, TrashRun
from graphql_runs.model.records import Metric
from graphql_runs.read.points import read_points
from graphql_runs.record.compaction import Compactor, Merging
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store, journal_of
from graphql_runs.store.sqlite import SqliteStore
from tests.live.client import Client

HOME = ids.workspace_id("w")
NAMES = ["r", "a", "b", "aa", "ab", "aaa"]
"""r is the root; the others find a place below."""
ROOT = ids.run_id(HOME, "r")


@dataclass
class Made:
    """A run of the model."""

    parent: str | None
    trashed: int | None = None
    """Which trashing took it."""
    values: list[float] = field(default_factory=list)


@dataclass
class Model:
    """What the tree of r has to be."""

    runs: dict[str, Made] = field(default_factory=dict)
    writers: dict[str, int] = field(default_factory=dict)
    trashings: int = 0

    def below(self, top: str) -> list[str]:
        found = [top]
        for name in found:
            found += [other for other, made in self.runs.items() if made.parent == name]
        return found

    def declare(self, name: str, parent: str | None) -> None:
        if name not in self.runs:
            self.runs[name] = Made(parent, None if parent is None else self.runs[parent].trashed)

    def trash(self, top: str) -> None:
        if self.runs[top].trashed is None:
            self.trashings += 1
            for name in self.below(top):
                if self.runs[name].trashed is None:
                    self.runs[name].trashed = self.trashings

    def restorable(self, top: str) -> bool:
        made = self.runs[top]
        return made.trashed is None or made.parent is None or self.runs[made.parent].trashed is None

    def restore(self, top: str) -> None:
        trashing = self.runs[top].trashed
        if trashing is not None:
            for name in self.below(top):
                if self.runs[name].trashed == trashing:
                    self.runs[name].trashed = None

    def purge(self, top: str) -> None:
        if self.runs[top].parent is None:
            self.writers = {}
        for name in self.below(top):
            del self.runs[name]


class History:
    """A model and two processes that are to agree with it."""

    def __init__(self, seed: int, stores: list[Store], recorders: list[Recorder], hub: Hub) -> None:
        self.random = random.Random(seed)
        self.model = Model()
        self.stores = stores
        self.recorders = recorders
        self.hub = hub
        self.compactor = Compactor(stores[0], Merging(items=4, pause=0))
        self.clients = [Client(ROOT, ids.run_id(HOME, name), name) for name in ("r", "r", "a", "aa")]
        self.count = 0

    async def step(self) -> None:
        draw = self.random.choices(
            [self.write, self.trash, self.restore, self.purge, self.follow, self.trim, self.compact],
            weights=[8, 3, 3, 3, 5, 1, 1],
        )
        await draw[0]()

    async def record(self, *operations: RunOperation, writer: str | None = None) -> None:
        sequence = None if writer is None else self.model.writers.get(writer, 0)
        await self.random.choice(self.recorders).record("w", operations, writer=writer, sequence=sequence)
        if writer is not None and sequence is not None:
            self.model.writers[writer] = sequence + 1

    async def write(self) -> None:
        name = self.random.choice(NAMES)
        parent = None if name == "r" else self.random.choice(["r", *NAMES[1 : NAMES.index(name)]])
        found = self.model.runs.get(name)
        if found is not None:
            parent = found.parent
        elif parent is not None and parent not in self.model.runs:
            return
        self.count += 1
        declared = DeclareRun(name, "e", name, "t", parent=parent)
        writer = self.random.choice([None, "one", "two"])
        await self.record(declared, LogPoints(name, "m", [float(self.count)]), writer=writer)
        self.model.declare(name, parent)
        self.model.runs[name].values.append(float(self.count))

    async def trash(self) -> None:
        await self.move(TrashRun, lambda name: True, self.model.trash)

    async def restore(self) -> None:
        await self.move(RestoreRun, self.model.restorable, self.model.restore)

    async def move(self, operation, allowed, done) -> None:  # type: ignore[no-untyped-def]  # two callers, just above
        name = self.random.choice(NAMES)
        if name not in self.model.runs:
            with pytest.raises(NotFound):
                await self.record(operation(name))
        elif not allowed(name):
            with pytest.raises(InvalidInput):
                await self.record(operation(name))
        else:
            await self.record(operation(name))
            done(name)

    async def purge(self) -> None:
        name = self.random.choice(NAMES)
        found = self.model.runs.get(name)
        purging = self.random.choice(self.recorders).purge(ids.run_id(HOME, name))
        if found is None or found.trashed is None:
            with pytest.raises(NotFound if found is None else InvalidInput):
                await purging
        else:
            expected = {ids.run_id(HOME, one) for one in self.model.below(name)}
            assert set((await purging).runs) == expected
            self.model.purge(name)

    async def follow(self) -> None:
        client = self.random.choice(self.clients)
        await client.follow(
            self.random.choice(self.stores),
            self.hub,
            self.random.choice([1, 1, 2, None]) if client.cursor else 1,
        )

    async def trim(self) -> None:
        [end] = await self.stores[0].ends([journal_of(ROOT)])
        await self.stores[0].trim(ROOT, self.random.randint(0, end))

    async def compact(self) -> None:
        await self.compactor.round()

    async def check(self) -> None:
        """Both processes and all clients know what the model knows."""
        for store in self.stores:
            runs = {run.run_id: run for run in await store.tree_runs(ROOT)}
            assert runs.keys() == self.model.runs.keys()
            for name, made in self.model.runs.items():
                assert (runs[name].trashed_at is not None) == (made.trashed is not None)
                assert runs[name].root == ROOT
                assert runs[name].parent == (made.parent and ids.run_id(HOME, made.parent))
                assert await self.values(store, name) == made.values
        for client in self.clients:
            while True:
                await client.follow(self.stores[0], self.hub)
                scope = self.model.below(client.run_id) if client.run_id in self.model.runs else []
                if not client.ended or not scope:
                    break
            assert client.ended is (not scope)
            if scope:
                expected = {ids.run_id(HOME, name): self.model.runs[name] for name in scope}
                assert client.runs.keys() == expected.keys(), client.run_id
                assert client.values == {(id, "m"): made.values for id, made in expected.items()}
                for id, made in expected.items():
                    assert (client.runs[id] is not None) == (made.trashed is not None)

    async def values(self, store: Store, name: str) -> list[float]:
        id = ids.metric_id(ids.run_id(HOME, name), "m")
        [metric] = await store.get(Metric, [id])
        assert metric is not None
        found: list[float] = (await read_points(store, id, 0, metric.count)).columns["value"].tolist()
        return found


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[Store]]:
    opened: list[Store] = [await SqliteStore.open(tmp_path / "s.sqlite") for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()


@pytest.mark.parametrize("seed", range(12))
async def test_a_random_history(stores: list[Store], seed: int) -> None:
    hub = Hub(stores[0])
    recorders = [Recorder(store) for store in stores]
    history = History(seed, stores, recorders, hub)
    for number in range(150):
        await history.step()
        if number % 30 == 29:
            await history.check()
    for recorder in recorders:
        await recorder.close()
    await hub.close()
