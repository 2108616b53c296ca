"""Small records and batches for tests of stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, TypeVar

from graphql_runs.model import ids
from graphql_runs.model.change import Entry, Growth, Hint, RunChange
from graphql_runs.model.errors import Conflict
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.store.port import Append, Batch, Extent, Item, Position, Purge, Store, journal_of

HOME = ids.workspace_id("home")
LAB = ids.experiment_id(HOME, "lab")
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where a store is: the function that opens it, as `module:name`, and what it takes. Other processes open it the same
    way."""

    opener: str
    target: str

    async def open(self) -> Store:
        module, _, name = self.opener.partition(":")
        opened: Store = await getattr(import_module(module), name)(self.target)
        return opened


def a_run(run_id: str, *, workspace: str = HOME, **fields: Any) -> Run:
    """A run, a root unless `root` is given."""
    id = ids.run_id(workspace, run_id)
    values: dict[str, Any] = {
        "experiment": LAB,
        "root": id,
        "number": 1,
        "name": "run",
        "source": "test",
        "created_at": 1_000_000,
        "status": RunStatus.RUNNING,
        "status_at": 1_000_000,
    }
    return Run(id=id, run_id=run_id, workspace=workspace, **(values | fields))


def a_metric(run: Run, name: str, **fields: Any) -> Metric:
    """A metric of a run."""
    return Metric(
        id=ids.metric_id(run.id, name),
        run=run.id,
        root=run.root,
        workspace=run.workspace,
        experiment=run.experiment,
        name=name,
        **fields,
    )


def a_log(run: Run, path: str, **fields: Any) -> LogFile:
    """A log file of a run."""
    return LogFile(id=ids.log_id(run.id, path), run=run.id, root=run.root, path=path, **fields)


def entry(n: int, *runs: str) -> Item:
    """The journal's entry at row n."""
    return Item(n, n + 1, Entry(at=n, runs=tuple(RunChange(run) for run in runs)).encode())


async def save(store: Store, run: Run, *records: Any, **parts: Any) -> None:
    """Create a run and what belongs to it, in one batch at the end of its tree's journal."""
    [end] = await store.ends([journal_of(run.root)])
    await store.commit(Batch(run.root, entry(end, run.id), creates=(run, *records), **parts))


@dataclass
class Log:
    """A tree with one metric and one writer: every step is one batch that grows all that a commit can grow by one."""

    store: Store
    run: Run
    name: str = "loss"
    writer: str = "w"
    metric: Metric = field(init=False)

    def __post_init__(self) -> None:
        self.metric = a_metric(self.run, self.name)

    async def begin(self) -> None:
        await save(self.store, self.run, self.metric)

    def step(self, n: int) -> Batch:
        """The batch that writes row n of the metric; the journal has the creation at row 0."""
        metric = replace(self.metric, count=n + 1, last=float(n), last_step=n)
        return Batch(
            self.run.root,
            Item(n + 1, n + 2, Entry(n, metrics=(Growth(metric.id, n, n + 1),)).encode()),
            replaces=(metric, replace(self.run, heartbeat_at=n)),
            appends=(Append(metric.id, Item(n, n + 1, f"point {n}".encode())),),
            positions=(Position(self.writer, n, b"digest %d" % n, b"note %d" % n),),
            hints=(Hint(self.run.workspace, self.run.id, self.run.root, at=n),),
        )

    async def check(self, at_least: int) -> int:
        """Everything agrees on how many steps there were, and no step is missing, doubled or half there."""
        [points, entries] = await self.store.ends([self.metric.id, journal_of(self.run.root)])
        assert points >= at_least
        assert entries == points + 1
        read = await read_all(self.store, self.metric.id)
        assert read == [Item(n, n + 1, f"point {n}".encode()) for n in range(points)]
        assert [item.start for item in await read_all(self.store, journal_of(self.run.root))] == list(
            range(entries)
        )
        [metric] = await self.store.get(Metric, [self.metric.id])
        [run] = await self.store.get(Run, [self.run.id])
        assert metric is not None
        assert run is not None
        assert metric.count == points
        [position] = await self.store.positions(self.run.root, [self.writer])
        if points:
            assert run.heartbeat_at == points - 1
            assert position == Position(
                self.writer, points - 1, b"digest %d" % (points - 1), b"note %d" % (points - 1)
            )
            hints = await self.store.hints(self.run.workspace, 0, first=10_000)
            assert [hint.at for hint in hints if hint.run == self.run.id][-1] == points - 1
        return points


async def share(store: Store, run: Run, writer: str, times: int) -> None:
    """Add entries to a tree that others write to as well: read where it ends, try, and read again after a Conflict."""
    done = 0
    metric = ids.metric_id(run.id, "shared")
    while done < times:
        [n, row] = await store.ends([journal_of(run.root), metric])
        batch = Batch(
            run.root,
            entry(n, run.id),
            appends=(Append(metric, Item(row, row + 1, f"{writer} {done}".encode())),),
            positions=(Position(writer, done, b""),),
        )
        try:
            await store.commit(batch)
        except Conflict:
            continue
        done += 1


async def write_and_follow(store: Store, name: str, names: list[str], times: int) -> list[str]:
    """Add entries to the tree of one name while following the trees of all names, woken by commits alone, until all of them
    have so many. Gives what was seen, in the order seen: `name row`."""
    run = a_run(name)
    streams = {journal_of(a_run(one).root): one for one in names}
    ends = dict.fromkeys(streams, 0)
    seen: list[str] = []

    async def write() -> None:
        for n in range(times):
            await store.commit(Batch(run.root, entry(n, run.id), creates=(run,) if n == 0 else ()))

    async def follow() -> None:
        async for wake in store.wakes():
            for stream, one in streams.items():
                if wake.roots is not None and a_run(one).root not in wake.roots:
                    continue
                while items := await store.read(stream, ends[stream], limit=2000):
                    assert [item.start for item in items] == list(range(ends[stream], items[-1].end))
                    ends[stream] = items[-1].end
                    seen.extend(f"{one}:{item.start}" for item in items)
            if all(end == times for end in ends.values()):
                return

    async with asyncio.timeout(50):
        await asyncio.gather(follow(), write())
    return seen


async def purge_and_make(store: Store, run: Run, times: int) -> int:
    """Purge a tree and make it anew as often as that, against others who do so; gives how many of the purges were its own."""
    purged = 0
    metric = a_metric(run, "loss")
    for _ in range(times):
        [n] = await store.ends([journal_of(run.root)])
        try:
            await store.purge(Purge(run.root, entry(n), (run.id,)))
            purged += 1
            point = Append(metric.id, Item(0, 1, b"%d" % n))
            await store.commit(Batch(run.root, entry(n + 1), creates=(run, metric), appends=(point,)))
        except Conflict:
            continue
    return purged


async def read_all(store: Store, stream: str) -> list[Item]:
    """Every item of a stream, in several reads."""
    items: list[Item] = []
    while found := await store.read(stream, items[-1].end if items else 0, limit=10_000):
        items += found
    return items


async def extents(store: Store) -> dict[str, tuple[int, int]]:
    """The rows of every stream."""
    found: list[Extent] = []
    while page := await store.streams(after=found[-1].stream if found else None, first=3):
        found += page
    assert [one.stream for one in found] == sorted({one.stream for one in found})
    return {one.stream: (one.start, one.end) for one in found}


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    """The content of a blob, in pieces."""
    for part in parts:
        yield part


async def eventually(look: Callable[[], Awaitable[T]], *, seconds: float = 20) -> T:
    """What `look` gives once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110  # what is waited for happens in another process
            await asyncio.sleep(0.005)
    return found
