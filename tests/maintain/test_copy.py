"""Copying between stores: everything arrives, once, also after interruptions, and what differs is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from graphql_runs.live.follow import follow_tree, tree_cursor
from graphql_runs.live.hub import Hub
from graphql_runs.maintain.check import check_store
from graphql_runs.maintain.copy import copy_store
from graphql_runs.maintain.mark import read_mark
from graphql_runs.model.change import Entry
from graphql_runs.model.errors import InvalidInput, NotFound, SequenceConflict, StoreUnavailable
from graphql_runs.model.operation import DeclareRun, LogPoints, LogText, TrashRun
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store, journal_of
from graphql_runs.store.sqlite import SqliteStore
from tests.maintain.filling import (
    HOME,
    blob_files,
    contents,
    declared,
    fill,
    grown,
    journal_end,
    metric_id,
    run_id,
)
from tests.store.mongo.opening import mongo
from tests.store.mongo.servers import KINDS, Servers
from tests.store.samples import chunks


@pytest.fixture
async def full(store: Store) -> Store:
    await fill(store)
    return store


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await SqliteStore.open(tmp_path / "copy.sqlite")
    yield opened
    await opened.close()


class Failing:
    """A store that stops working after so many commits, as if the process were killed: before the commit, or right after it."""

    def __init__(self, store: Store, commits: int, *, after: bool) -> None:
        self._store = store
        self._left = commits
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, batch: Any) -> None:
        if self._left <= 0 and not self._after:
            raise StoreUnavailable("killed")
        await self._store.commit(batch)
        self._left -= 1
        if self._left < 0:
            raise StoreUnavailable("killed")


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small store takes many commits."""
    monkeypatch.setattr("graphql_runs.maintain.draft._PARTS", 2)
    monkeypatch.setattr("graphql_runs.maintain.pieces.ITEM_ROWS", 3)
    monkeypatch.setattr("graphql_runs.maintain.pieces.ITEM_BYTES", 12)
    monkeypatch.setattr("graphql_runs.maintain.pieces.LARGEST", 900)


async def test_everything_arrives_and_is_verified(full: Store, empty: Store) -> None:
    told: list[tuple[str, int, int]] = []
    report = await copy_store(full, empty, lambda *what: told.append(what))
    assert report.complete
    assert (report.trees, report.runs, report.blobs, report.verified) == (2, 4, 1, 2)
    assert report.points == 2 * (12 + 6 + 6 + 12)
    assert await contents(empty) == await contents(full)
    assert (await check_store(empty, blobs=True)).findings == []
    assert {what for what in told if what[1] == what[2]} == {("copy", 4, 4), ("verify", 4, 4)}
    # Small pieces are joined where no value changes by it.
    assert len(await empty.read(metric_id("child-1", "loss"), 0)) == 1
    assert len(await empty.read(metric_id("child-1", "big"), 0)) == 6


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = Servers(tmp_path_factory.mktemp("mongo"))
    yield found
    found.stop()


@pytest.mark.parametrize("kind", KINDS)
async def test_it_goes_to_mongodb_and_back(full: Store, empty: Store, servers: Servers, kind: str) -> None:
    with servers.database(kind) as place:
        between = await mongo(place)
        assert (await copy_store(full, between)).complete
        assert await contents(between) == await contents(full)
        assert (await check_store(between, blobs=True)).findings == []
        assert (await copy_store(between, empty)).complete
        await between.close()
    assert await contents(empty) == await contents(full)


async def test_large_items_are_split_and_small_ones_joined(
    full: Store, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    assert (await copy_store(full, empty)).complete
    assert await contents(empty) == await contents(full)
    # Two rows of the table need more than 900 bytes.
    table = await empty.read(metric_id("child-1", "table"), 0)
    assert [(item.start, item.end) for item in table] == [(row, row + 1) for row in range(12)]
    assert (await check_store(empty)).findings == []


@pytest.mark.parametrize("after", [False, True])
async def test_an_interrupted_copy_goes_on(
    full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    small_batches(monkeypatch)
    wanted = await contents(full)
    done = False
    commits = 0
    while not done:
        target = await SqliteStore.open(tmp_path / f"copy-{commits}.sqlite")
        failing = cast("Store", Failing(target, commits, after=after))
        try:
            done = (await copy_store(full, failing)).complete
        except StoreUnavailable:
            # Closing finishes the commits of other trees that were under way.
            await target.close()
            target = await SqliteStore.open(tmp_path / f"copy-{commits}.sqlite")
            # What is there so far is sound, but for being unfinished.
            for finding in (await check_store(target)).findings:
                assert "not finished" in finding.problem
            assert (await copy_store(full, target)).complete
        assert await contents(target) == wanted
        assert (await check_store(target)).findings == []
        await target.close()
        commits += 11
    assert commits > 30


async def test_a_second_copy_brings_what_came_meanwhile(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    again = await copy_store(full, empty)
    assert again.complete
    assert (again.trees, again.runs, again.points, again.text_bytes, again.blobs) == (0, 0, 0, 0, 0)
    recorder = Recorder(full)
    await recorder.record("home", grown("child-2", 6), writer="w-child-2", sequence=7)
    await recorder.record("home", declared("child-3"))
    await recorder.record("away", [DeclareRun("new", "lab", "new", "test")])
    await recorder.close()
    third = await copy_store(full, empty)
    assert third.complete
    assert (third.trees, third.runs, third.points) == (2, 2, 6)
    assert await contents(empty) == await contents(full)
    assert (await check_store(empty)).findings == []


async def test_writers_go_on_in_the_copy_where_they_were(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    recorder = Recorder(empty)
    repeated = await recorder.record("home", grown("child-1", 5), writer="w-child-1", sequence=6, note=b"5")
    assert repeated.repeated
    with pytest.raises(SequenceConflict):
        await recorder.record("home", grown("child-1", 7), writer="w-child-1", sequence=6)
    assert not (await recorder.record("home", grown("child-1", 6), writer="w-child-1", sequence=7)).repeated
    await recorder.close()
    assert (await check_store(empty)).findings == []


async def test_numbers_go_on_in_the_copy(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    recorder = Recorder(empty)
    await recorder.record("home", declared("child-3"))
    await recorder.close()
    [run] = await empty.get(Run, [run_id("child-3")])
    assert run is not None
    assert run.number == 4


async def test_a_tree_that_is_written_to_all_the_time_is_said_to_be_behind(full: Store, empty: Store) -> None:
    recorder = Recorder(full)
    written = 0

    class Busy(Failing):
        """Every look at the source's journal is followed by a write."""

        async def ends(self, streams: Any) -> list[int]:
            nonlocal written
            ends = await self._store.ends(streams)
            if streams == [journal_of(run_id("sweep"))] and written < limit:
                written += 1
                await recorder.record(
                    "home", [LogPoints("sweep", "x", [1.0]), LogText("sweep", "log", b"x\n")]
                )
            return ends

    limit = 10_000
    busy = cast("Store", Busy(full, 0, after=False))
    report = await copy_store(busy, empty)
    assert report.behind == [run_id("sweep")]
    assert not report.complete
    assert report.problems == []
    # What is there has no half records, and the lone run is complete.
    assert report.verified == 1
    assert [finding.problem for finding in (await check_store(empty)).findings] == [
        "the copy of this tree is not finished; run `store copy` again"
    ]
    # A short disturbance is waited out.
    written, limit = 0, 2
    assert (await copy_store(busy, empty)).complete
    await recorder.close()
    assert await contents(empty) == await contents(full)


async def test_journals_begin_anew_and_tell_of_everything(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    assert empty.epoch != full.epoch
    root = run_id("sweep")
    assert await journal_end(empty, root) < await journal_end(full, root)
    entries = [Entry.decode(item.data) for item in await empty.read(journal_of(root), 0)]
    created = [change.run for entry in entries for change in entry.runs if change.created]
    assert sorted(created) == sorted(run_id(name) for name in ("sweep", "child-1", "child-2"))
    metrics = await empty.scan(Metric, first=100)
    assert {(growth.id, growth.start, growth.end) for entry in entries for growth in entry.metrics} == {
        (metric.id, 0, metric.count) for metric in metrics
    }
    hints = await empty.hints(HOME, 0, first=100)
    assert {hint.run for hint in hints} == {run_id(name) for name in ("sweep", "child-1", "child-2", "lone")}


async def test_a_live_cursor_of_the_source_is_recognised_in_the_copy(full: Store, empty: Store) -> None:
    root = run_id("sweep")
    cursor = await tree_cursor(full, root)
    await copy_store(full, empty)
    hub = Hub(empty)
    async for update in follow_tree(empty, hub, root, run=root, after=cursor):
        assert update.reset
        assert update.gap is not None
        assert "restored or replaced" in update.gap.reason
        break
    await hub.close()


async def test_other_targets_are_refused(full: Store, empty: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="same store"):
        await copy_store(full, full)
    await fill(empty)
    with pytest.raises(InvalidInput, match="neither empty nor"):
        await copy_store(full, empty)
    other = await SqliteStore.open(tmp_path / "other.sqlite")
    recorder = Recorder(other)
    await recorder.create_workspace("home", "another place")
    with pytest.raises(InvalidInput, match="not empty"):
        await copy_store(full, other)
    await recorder.close()
    await other.close()


async def test_a_target_that_was_used_is_refused(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    theirs = Recorder(empty)
    await theirs.record("home", [LogPoints("sweep", "theirs", [1.0])])
    await theirs.close()
    ours = Recorder(full)
    await ours.record("home", [LogPoints("sweep", "ours", [1.0])])
    await ours.close()
    with pytest.raises(InvalidInput, match="was written to since it was copied"):
        await copy_store(full, empty)


async def test_a_difference_names_the_tree(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    root = run_id("sweep")
    mark = await read_mark(empty, root)
    assert mark is not None

    class Different(Failing):
        """Gives another value for a metric than what is there."""

        async def list_named(self, kind: Any, owner: str, **how: Any) -> Any:
            found = await self._store.list_named(kind, owner, **how)
            if kind is Metric and owner == run_id("child-1"):
                return [replace(metric, last=123.0) for metric in found]
            return found

    report = await copy_store(full, cast("Store", Different(empty, 100, after=False)))
    assert report.problems == [f"{root}: the checksums differ, although all counts agree"]
    assert not report.complete


async def test_a_missing_blob_is_said_and_brought_once_it_is_there(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    [blob] = blob_files(tmp_path)
    content = blob.read_bytes()
    blob.unlink()
    report = await copy_store(full, empty)
    assert len(report.problems) == 1
    assert "lacks its blob" in report.problems[0]
    await full.put_blob(chunks(content), limit=1000)
    assert (await copy_store(full, empty)).complete
    assert await contents(empty) == await contents(full)


async def test_two_copies_into_one_target_do_not_mix(full: Store, tmp_path: Path) -> None:
    targets = [await SqliteStore.open(tmp_path / "both.sqlite") for _ in range(2)]
    results = await asyncio.gather(*(copy_store(full, target) for target in targets), return_exceptions=True)
    assert all(isinstance(result, InvalidInput) or getattr(result, "complete", False) for result in results)
    for target in targets:
        await target.close()
    target = await SqliteStore.open(tmp_path / "both.sqlite")
    assert (await copy_store(full, target)).complete
    assert await contents(target) == await contents(full)
    await target.close()


async def purge(recorder: Recorder, run: str) -> None:
    await recorder.record("home", [TrashRun(run)])
    await recorder.purge(run_id(run))


async def test_what_was_purged_stays_away(full: Store, empty: Store, tmp_path: Path) -> None:
    recorder = Recorder(full)
    await copy_store(full, empty)
    await purge(recorder, "child-2")
    await purge(recorder, "lone")
    fresh = await SqliteStore.open(tmp_path / "fresh.sqlite")
    for target in (empty, fresh):
        assert (await copy_store(full, target)).complete
        assert await contents(target) == await contents(full)
        assert (await check_store(target)).findings == []
        # A source that still has its files is told so, in the copy as in the original.
        theirs = Recorder(target)
        with pytest.raises(NotFound, match="was purged"):
            await theirs.position("home", "lone", "w")
        await theirs.close()
        assert (await copy_store(full, target)).complete
    # Its name is free again.
    await recorder.record(
        "home", [DeclareRun("lone", "other", "again", "test"), LogPoints("lone", "m", [1.0])]
    )
    await recorder.close()
    for target in (empty, fresh):
        assert (await copy_store(full, target)).complete
        assert await contents(target) == await contents(full)
        assert (await check_store(target)).findings == []
    await fresh.close()


@pytest.mark.parametrize("run", ["child-2", "lone"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_copy_that_ends_amid_a_purge_goes_on(
    full: Store, empty: Store, run: str, after: bool
) -> None:
    recorder = Recorder(full)
    await copy_store(full, empty)
    await purge(recorder, run)
    await recorder.close()

    class NoPurge(Failing):
        async def purge(self, purge: Any) -> None:
            if after:
                await self._store.purge(purge)
            raise StoreUnavailable("killed")

    with pytest.raises(StoreUnavailable):
        await copy_store(full, cast("Store", NoPurge(empty, 100, after=False)))
    assert (await copy_store(full, empty)).complete
    assert await contents(empty) == await contents(full)


async def test_a_run_that_was_made_anew_is_not_mixed_with_the_old_one(full: Store, empty: Store) -> None:
    await copy_store(full, empty)
    recorder = Recorder(full)
    await purge(recorder, "child-2")
    await recorder.record("home", [*declared("child-2"), *grown("child-2", 0)])
    await recorder.close()
    with pytest.raises(InvalidInput, match="made anew"):
        await copy_store(full, empty)
