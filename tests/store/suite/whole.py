"""The store as a whole: going through all of it, its sizes, its unused blobs, a copy of it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.port import Append, Batch, Extent, Item, Position, R, Store
from tests.store.samples import HOME, Log, Place, a_run, chunks, entry, read_all, save
from tests.store.suite.base import Suite
from tests.store.suite.blobs import read
from tests.store.suite.processes import child, line
from tests.store.suite.removal import CHILD, OTHER, ROOT, TREE, an_artifact, grow, purge_of

# In order of code points; in UTF-16 the last two would change places.
WRITERS = [" ", "B", "a", "a.b", "a/b", "b", "é", "日本", "\uffee", "𝄞"]


async def every(store: Store, kind: type[R], first: int) -> list[R]:
    """All records of a kind, page by page."""
    found: list[R] = []
    while page := await store.scan(kind, after=found[-1].id if found else None, first=first):
        assert len(page) <= first
        found += page
    return found


async def a_moment_later() -> int:
    """A time after all that was done and before all that will be, for clocks of milliseconds."""
    await asyncio.sleep(0.02)
    now = time.time_ns() // 1000
    await asyncio.sleep(0.02)
    return now


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Whole(Suite):
    """See the module."""

    async def test_all_records_of_a_kind(self, store: Store) -> None:
        workspaces = [Workspace(ids.workspace_id(name), name, 1) for name in "abcde"]
        for workspace in workspaces:
            await store.upsert(workspace, None)
        cluster = Cluster(ids.cluster_id(HOME, "c"), HOME, "c", updated_at=1)
        experiment = Experiment(ids.experiment_id(HOME, "e"), HOME, "e", 1)
        await store.upsert(cluster, None)
        await store.upsert(experiment, None)
        await grow(store, *TREE)
        await grow(store, OTHER)
        runs = sorted([*TREE, OTHER], key=lambda run: run.id)
        for first in (1, 2, 4, 5, 100):
            assert await every(store, Run, first) == runs
            assert await every(store, Workspace, first) == sorted(workspaces, key=lambda one: one.id)
            assert await every(store, Cluster, first) == [cluster]
            assert await every(store, Experiment, first) == [experiment]
            metrics = [metric.id for metric in await every(store, Metric, first)]
            assert metrics == sorted(ids.metric_id(run.id, "loss") for run in runs)
            logs = [log.id for log in await every(store, LogFile, first)]
            assert logs == sorted(ids.log_id(run.id, "out") for run in runs)
            artifacts = [artifact.id for artifact in await every(store, Artifact, first)]
            assert artifacts == sorted(ids.artifact_id(run.id, "model") for run in runs)
        assert await store.scan(Run, after=runs[-1].id, first=9) == []
        assert await store.scan(Run, after="run_", first=0) == []
        await store.purge(purge_of(3, *TREE))
        assert await every(store, Run, 2) == [OTHER]
        assert [metric.run for metric in await every(store, Metric, 2)] == [OTHER.id]

    async def test_all_positions_of_a_tree(self, store: Store) -> None:
        positions = tuple(Position(writer, n, b"digest", b"note") for n, writer in enumerate(WRITERS))
        await store.commit(Batch(ROOT.id, entry(0), positions=positions[::-1]))
        await store.commit(Batch(OTHER.id, entry(0), positions=(Position("else", 1, b""),)))
        assert await store.all_positions(ROOT.id, first=100) == list(positions)
        found: list[Position] = []
        while page := await store.all_positions(ROOT.id, after=found[-1].writer if found else None, first=3):
            found += page
        assert found == list(positions)
        assert await store.all_positions(ROOT.id, after="b", first=2) == list(positions[6:8])
        assert await store.all_positions(ROOT.id, first=0) == []
        assert await store.all_positions(CHILD.id, first=9) == []

    async def test_all_streams(self, store: Store) -> None:
        assert await store.streams(first=9) == []
        names = ["log_b", "metric_a", "metric_é", "metric_𝄞"]
        appends = tuple(Append(name, Item(0, n + 1, b"x")) for n, name in enumerate(names))
        await store.commit(Batch(ROOT.id, entry(0), appends=appends))
        journal = f"journal_{ROOT.id.removeprefix('run_')}"
        expected = [Extent(journal, 0, 1), *(Extent(name, 0, n + 1) for n, name in enumerate(names))]
        assert await store.streams(first=9) == expected
        assert await store.streams(after="log_b", first=2) == expected[2:4]
        assert await store.streams(after=names[-1], first=2) == []

    async def test_numbers_go_on_where_they_have_to(self, store: Store, place: Place) -> None:
        await store.raise_number("n", 41)
        assert await store.next_number("n") == 42
        await store.raise_number("n", 7)
        await store.raise_number("n", 42)
        again = await place.open()
        assert await again.next_number("n") == 43
        await asyncio.gather(*(one.raise_number("n", 90 + i) for i, one in enumerate([store, again] * 5)))
        assert await store.next_number("n") == 100
        assert await store.next_number("m") == 1
        await again.close()

    async def test_how_much_there_is(self, store: Store) -> None:
        empty = await store.sizes()
        assert set(empty.records) == {
            kind.__name__ for kind in (Workspace, Cluster, Experiment, Run, Metric, LogFile, Artifact)
        }
        assert set(empty.records.values()) == {0}
        assert (empty.streams, empty.items, empty.stream_bytes, empty.blobs, empty.blob_bytes) == (0,) * 5
        await store.upsert(Workspace(HOME, "home", 1), None)
        await grow(store, *TREE)
        await store.put_blob(chunks(b"x" * 100), limit=100)
        await store.put_blob(chunks(b"y" * 11), limit=100)
        full = await store.sizes()
        assert full.records == {
            **empty.records,
            "Workspace": 1,
            "Run": 3,
            "Metric": 3,
            "LogFile": 3,
            "Artifact": 3,
        }
        journal = sum(len(entry(n, run.id).data) for n, run in enumerate(TREE))
        points = sum(len(f"points of {run.run_id}") for run in TREE)
        assert (full.streams, full.items) == (7, 9)
        assert full.stream_bytes == journal + points + 3 * len("text\n")
        assert (full.blobs, full.blob_bytes) == (2, 111)
        assert full.disk_bytes is None or full.disk_bytes > full.stream_bytes + full.blob_bytes
        purge = purge_of(3, *TREE)
        await store.purge(purge)
        left = await store.sizes()
        assert (left.records["Run"], left.records["Metric"]) == (0, 0)
        assert (left.streams, left.items, left.stream_bytes) == (1, 1, len(purge.entry.data))
        await store.trim(ROOT.id, 4)
        assert (await store.sizes()).items == 0

    async def test_blobs_that_no_artifact_names_are_swept(self, store: Store) -> None:
        before = await a_moment_later()
        for content in (b"named", b"unnamed", b"again"):
            await store.put_blob(chunks(content), limit=10)
        named = an_artifact(ROOT, "model", blob=sha256(b"named"))
        elsewhere = an_artifact(ROOT, "data", location="/data")
        await save(store, ROOT, named, elsewhere)
        # Nobody knows yet what those that were put just now are for.
        assert await store.sweep_blobs(before) == 0
        between = await a_moment_later()
        await store.put_blob(chunks(b"again"), limit=10)
        assert await store.sweep_blobs(between) == 1
        assert await store.blob_size(sha256(b"unnamed")) is None
        with pytest.raises(NotFound):
            await read(store, sha256(b"unnamed"))
        assert await read(store, sha256(b"again")) == b"again"
        later = await a_moment_later()
        assert await store.sweep_blobs(later) == 1
        assert await store.sweep_blobs(later) == 0
        assert await read(store, sha256(b"named")) == b"named"
        # An artifact may name another blob later, and none when it was purged.
        await store.put_blob(chunks(b"newer"), limit=10)
        newer = an_artifact(ROOT, "model", blob=sha256(b"newer"))
        await store.commit(Batch(ROOT.id, entry(1), replaces=(newer,)))
        later = await a_moment_later()
        assert await store.sweep_blobs(later) == 1
        assert await store.blob_size(sha256(b"named")) is None
        await store.purge(purge_of(2, ROOT))
        assert await store.blob_size(sha256(b"newer")) == 5
        assert await store.sweep_blobs(later) == 1
        assert await store.blob_size(sha256(b"newer")) is None
        # And it can be put again.
        await store.put_blob(chunks(b"newer"), limit=10)
        assert await read(store, sha256(b"newer")) == b"newer"

    async def test_a_blob_that_is_put_while_it_is_swept_is_there(self, store: Store, place: Place) -> None:
        other = await place.open()
        for _ in range(10):
            await store.put_blob(chunks(b"content"), limit=10)
            later = await a_moment_later()
            await asyncio.gather(
                store.sweep_blobs(later),
                other.sweep_blobs(later),
                other.put_blob(chunks(b"content"), limit=10),
                store.put_blob(chunks(b"content"), limit=10),
            )
            assert await read(store, sha256(b"content")) == b"content"
        await other.close()

    async def test_a_copy_of_everything(self, store: Store, place: Place, tmp_path: Path) -> None:
        target = tmp_path / "folder" / "copy"
        if not store.capabilities.backup:
            with pytest.raises(InvalidInput):
                await store.backup(target)
            return
        log = Log(store, a_run("steps"))
        await log.begin()
        await store.commit(log.step(0))
        await grow(store, *TREE)
        await store.put_blob(chunks(b"content"), limit=10)
        await store.next_number("n")
        await store.purge(purge_of(3, CHILD, *TREE[2:]))
        await store.backup(target)
        # What comes after it is not in it.
        await store.commit(log.step(1))
        await save(store, OTHER)
        copy = await Place(place.opener, str(target)).open()
        assert copy.epoch != store.epoch
        assert await Log(copy, log.run).check(1) == 1
        assert await copy.count_runs(None) == 2
        assert await copy.tree_runs(ROOT.id) == [ROOT]
        assert await read(copy, sha256(b"content")) == b"content"
        # Both go on, each by itself.
        assert await copy.next_number("n") == await store.next_number("n") == 2
        await copy.commit(log.step(1))
        await copy.put_blob(chunks(b"of the copy"), limit=20)
        assert await store.blob_size(sha256(b"of the copy")) is None
        await store.sweep_blobs(await a_moment_later())
        assert await store.blob_size(sha256(b"content")) is None
        assert await read(copy, sha256(b"content")) == b"content"
        # What is there stays as it is.
        with pytest.raises(InvalidInput) as caught:
            await store.backup(target)
        assert caught.value.field == "target"
        assert await Log(copy, log.run).check(2) == 2
        await copy.close()

    async def test_a_copy_while_processes_write(self, store: Store, place: Place, tmp_path: Path) -> None:
        if not store.capabilities.backup:
            pytest.skip("the database's own tools do that")
        mine = Log(store, a_run("mine"))
        await mine.begin()
        steps = 0
        async with child(place, "flood", "r") as process:
            theirs = int(await line(process)) + 1

            async def write() -> None:
                nonlocal steps
                while not copying.done():
                    await store.commit(mine.step(steps))
                    steps += 1

            copies = [tmp_path / "one", tmp_path / "two"]
            for target in copies:
                least = steps
                copying = asyncio.create_task(store.backup(target))
                await asyncio.gather(copying, write())
                copy = await Place(place.opener, str(target)).open()
                assert least <= await Log(copy, a_run("mine")).check(least) <= steps
                theirs = await Log(copy, a_run("r")).check(theirs)
                await copy.close()
            process.kill()
        assert await mine.check(steps) == steps
        assert await Log(store, a_run("r")).check(theirs) >= theirs

    async def test_a_copy_that_is_given_up_leaves_nothing(
        self, store: Store, place: Place, tmp_path: Path
    ) -> None:
        if not store.capabilities.backup:
            pytest.skip("the database's own tools do that")
        log = Log(store, a_run("r"))
        await log.begin()
        await asyncio.gather(*(store.commit(log.step(n)) for n in range(300)))
        folder = tmp_path / "copies"
        folder.mkdir()
        copying = asyncio.create_task(store.backup(folder / "copy"))
        await asyncio.sleep(0)
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        left = {path.name for path in folder.iterdir()}
        # Whole if it was done already, else nothing at all.
        assert left <= {"copy", "copy.blobs"}
        if "copy" in left:
            copy = await Place(place.opener, str(folder / "copy")).open()
            await Log(copy, log.run).check(300)
            await copy.close()
        assert await read_all(store, log.metric.id)
