from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from graphql_runs.live.hub import Hub
from graphql_runs.model import ids
from graphql_runs.model.errors import Conflict, StoreUnavailable
from graphql_runs.model.operation import (
    AddArtifact,
    DeclareRun,
    LogPoints,
    RestoreRun,
    RunOperation,
    SetStatus,
    TrashRun,
)
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros, now
from graphql_runs.record import recorder as recorders
from graphql_runs.record.recorder import Recorder
from graphql_runs.record.retention import Keeping, Retention, Round
from graphql_runs.store.port import Store, journal_of

HOME = ids.workspace_id("w")
DAY = 86_400_000_000


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


def ended(run_id: str, at: Micros, parent: str | None = None) -> list[RunOperation]:
    return [
        DeclareRun(run_id, "exp", run_id, "test", parent=parent, created_at=at - 1),
        SetStatus(run_id, RunStatus.COMPLETED, "test", at),
    ]


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


async def there(store: Store, *run_ids: str) -> list[bool]:
    return [run is not None for run in await store.get(Run, [id_of(run_id) for run_id in run_ids])]


async def in_trash(store: Store, *run_ids: str) -> list[bool]:
    runs = await store.get(Run, [id_of(run_id) for run_id in run_ids])
    return [run is not None and run.trashed_at is not None for run in runs]


class Clock:
    """The time that the recorder takes for now."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> Micros:
        self.at += 1
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(recorders, "now", made)
    return made


KEEPING = Keeping(pause=0)


async def test_what_was_long_in_the_trash_is_purged(store: Store, recorder: Recorder, clock: Clock) -> None:
    clock.at -= 31 * DAY
    await write(recorder, *ended("old", clock.at), *ended("below", clock.at, "old"), TrashRun("old"))
    await write(recorder, *ended("kept", clock.at))
    clock.at += 2 * DAY
    await write(recorder, *ended("new", clock.at), TrashRun("new"))
    retention = Retention(store, recorder, KEEPING)
    assert await retention.round() == Round(purged=2)
    assert await there(store, "old", "below", "kept", "new") == [False, False, True, True]
    assert await retention.round() == Round()
    assert await Retention(store, recorder, replace(KEEPING, trash_days=0)).round() == Round()
    assert await Retention(store, recorder, replace(KEEPING, trash_days=28)).round() == Round(purged=1)


async def test_a_round_is_bounded_and_the_next_one_goes_on(
    store: Store, recorder: Recorder, clock: Clock
) -> None:
    clock.at -= 40 * DAY
    names = [f"r{i}" for i in range(7)]
    for name in names:
        await write(recorder, *ended(name, clock.at), TrashRun(name))
    # Several processes do no harm, and one that begins anew goes on where the last one stopped.
    purged = 0
    for _ in range(4):
        keeping = replace(KEEPING, runs=2)
        done = await asyncio.gather(*(Retention(store, recorder, keeping).round() for _ in range(2)))
        assert sum(one.purged for one in done) <= 2
        purged += sum(one.purged for one in done)
    assert purged == 7
    assert not any(await there(store, *names))


async def test_old_ended_roots_go_to_the_trash(store: Store, recorder: Recorder, clock: Clock) -> None:
    old, new = clock.at - 10 * DAY, clock.at - 5 * DAY
    await write(recorder, *ended("old", old), DeclareRun("below", "exp", "below", "test", parent="old"))
    await write(recorder, *ended("new", new), *ended("child", old, "new"))
    await write(recorder, DeclareRun("runs", "exp", "runs", "test", created_at=old))
    assert await Retention(store, recorder, KEEPING).round() == Round()
    retention = Retention(store, recorder, replace(KEEPING, retain_days=7))
    assert await retention.round() == Round(trashed=1)
    names = ("old", "below", "new", "child", "runs")
    assert await in_trash(store, *names) == [True, True, False, False, False]
    assert await retention.round() == Round()
    # One that somebody brings back is kept as if it had ended then.
    await write(recorder, RestoreRun("old"))
    assert await retention.round() == Round()
    assert await in_trash(store, *names) == [False] * 5


async def test_old_entries_of_journals_are_trimmed(store: Store, recorder: Recorder, clock: Clock) -> None:
    clock.at -= 3 * DAY
    for root in ("r", "s"):
        await write(recorder, *ended(root, clock.at))
        for i in range(29):
            await write(recorder, LogPoints(root, "m", [float(i)]))
    clock.at += 3 * DAY
    for i in range(10):
        await write(recorder, LogPoints("r", "m", [float(i)]))
    # Of r 10 entries are new, of s the 5 newest stay; nothing of a third, which is short.
    await write(recorder, *ended("t", clock.at - 5 * DAY))
    retention = Retention(store, recorder, replace(KEEPING, journal_entries=5))
    assert await retention.round() == Round(trimmed=30 + 25)
    left = {extent.stream: (extent.start, extent.end) for extent in await store.streams(first=100)}
    assert left[journal_of(id_of("r"))] == (30, 40)
    assert left[journal_of(id_of("s"))] == (25, 30)
    assert left[journal_of(id_of("t"))] == (0, 1)
    assert await retention.round() == Round()
    await write(recorder, LogPoints("s", "m", [1.0]))
    assert len(await store.read(journal_of(id_of("s")), 0)) == 6


async def test_journals_are_looked_at_in_turns(store: Store, recorder: Recorder, clock: Clock) -> None:
    clock.at -= 3 * DAY
    names = [f"r{i}" for i in range(5)]
    for name in names:
        for i in range(6):
            await write(recorder, *ended(name, clock.at), LogPoints(name, "m", [float(i)]))
    retention = Retention(store, recorder, replace(KEEPING, journal_entries=1, journals=2))
    assert [(await retention.round()).trimmed for _ in range(4)] == [10, 10, 5, 0]
    for name in names:
        await write(recorder, LogPoints(name, "m", [6.0, 7.0]))
        await write(recorder, LogPoints(name, "m", [8.0]))
    # A long journal is trimmed over several rounds.
    retention = Retention(store, recorder, replace(KEEPING, journal_entries=1, journal_days=0, trims=3))
    assert [(await retention.round()).trimmed for _ in range(5)] == [3, 3, 3, 1, 0]


async def test_blobs_without_an_output_are_deleted(store: Store, recorder: Recorder) -> None:
    async def once(data: bytes) -> AsyncIterator[bytes]:
        yield data

    named, _ = await store.put_blob(once(b"named"), limit=100)
    lost, _ = await store.put_blob(once(b"lost"), limit=100)
    await write(
        recorder, DeclareRun("r", "exp", "r", "test"), AddArtifact("r", "model", 5, sha256=named, blob=named)
    )
    assert await Retention(store, recorder, KEEPING).round() == Round()
    assert await Retention(store, recorder, replace(KEEPING, blob_days=-1)).round() == Round(blobs=1)
    assert [await store.blob_size(blob) for blob in (named, lost)] == [5, None]
    # With its run the other one loses its output.
    await write(recorder, TrashRun("r"))
    await recorder.purge(id_of("r"))
    assert await Retention(store, recorder, replace(KEEPING, blob_days=-1)).round() == Round(blobs=1)
    assert await store.blob_size(named) is None


async def test_a_run_that_cannot_be_purged_does_not_hinder_the_others(
    store: Store,
    recorder: Recorder,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock.at -= 40 * DAY
    for name in ("a", "b", "c"):
        await write(recorder, *ended(name, clock.at), TrashRun(name))
    purge = recorder.purge

    async def sometimes(run: str, *, trashed_before: Micros | None = None) -> object:
        if run == id_of("a"):
            raise Conflict("written by too many")
        return await purge(run, trashed_before=trashed_before)

    monkeypatch.setattr(recorder, "purge", sometimes)
    retention = Retention(store, recorder, replace(KEEPING, runs=1))
    with caplog.at_level(logging.WARNING):
        assert [(await retention.round()).purged for _ in range(4)] == [0, 1, 1, 0]
    assert "written by too many" in caplog.text
    assert await there(store, "a", "b", "c") == [True, False, False]


async def test_the_background_task_goes_on_after_a_failure(
    store: Store,
    recorder: Recorder,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock.at -= 40 * DAY
    await write(recorder, *ended("old", clock.at), TrashRun("old"))
    find, calls = store.find_runs, 0

    async def failing(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise StoreUnavailable("away") if calls == 1 else KeyError("a bug")
        return await find(*args, **options)  # type: ignore[arg-type]  # as they were given

    monkeypatch.setattr(store, "find_runs", failing)
    retention, hub = Retention(store, recorder, replace(KEEPING, pause=0.001)), Hub(store)
    with caplog.at_level(logging.INFO):
        retention.start()
        retention.start()
        async with asyncio.timeout(10), hub.watch(id_of("old")) as signal:
            while await there(store, "old") != [False]:
                await signal.wait()
        async with asyncio.timeout(10):
            while "purged from the trash" not in caplog.text:  # noqa: ASYNC110 - a line of a log is waited for
                await asyncio.sleep(0.005)
        await retention.close()
    await retention.close()
    await hub.close()
    assert "away" in caplog.text
    assert "a bug" in caplog.text


async def test_a_pause_of_0_turns_it_off(store: Store, recorder: Recorder) -> None:
    retention = Retention(store, recorder, KEEPING)
    retention.start()
    await retention.close()
    assert await retention.round() == Round()
