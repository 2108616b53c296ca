from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphql_runs.model import ids
from graphql_runs.model.change import Entry
from graphql_runs.model.errors import InvalidInput, NotFound, RunsError, SequenceGap
from graphql_runs.model.operation import (
    AddArtifact,
    DeclareRun,
    LogPoints,
    LogText,
    RestoreRun,
    RunOperation,
    TrashRun,
)
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import now
from graphql_runs.read.points import read_points
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store, journal_of
from graphql_runs.store.sqlite import SqliteStore

HOME = ids.workspace_id("w")


def declare(run_id: str, parent: str | None = None) -> DeclareRun:
    return DeclareRun(run_id, "exp", run_id, "test", parent=parent)


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


async def there(store: Store, *run_ids: str) -> list[bool]:
    return [run is not None for run in await store.get(Run, [id_of(run_id) for run_id in run_ids])]


async def values(store: Store, run_id: str, metric: str = "m") -> list[float]:
    id = ids.metric_id(id_of(run_id), metric)
    [found] = await store.get(Metric, [id])
    if found is None:
        return []
    points = await read_points(store, id, 0, found.count)
    return [float(value) for value in points.columns["value"]]


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[list[tuple[Store, Recorder]]]:
    """Two recorders on two openings of a store, which see each other as two processes do."""
    stores = [await SqliteStore.open(tmp_path / "s.sqlite") for _ in range(2)]
    recorders = [Recorder(store) for store in stores]
    yield list(zip(stores, recorders, strict=True))
    for recorder in recorders:
        await recorder.close()
    for store in stores:
        await store.close()


async def test_a_run_goes_for_good_with_everything_below_it(store: Store, recorder: Recorder) -> None:
    await write(recorder, declare("r"), declare("a", "r"), declare("aa", "a"), declare("b", "r"))
    await write(
        recorder,
        LogPoints("aa", "m", [1.0]),
        LogText("aa", "out", b"text"),
        AddArtifact("aa", "model", 1, location="/x"),
        LogPoints("b", "m", [5.0]),
        TrashRun("a"),
    )
    seen = await store.hint_end(HOME)
    purged = await recorder.purge(id_of("a"))
    assert (purged.root, purged.runs, purged.n) == (id_of("r"), (id_of("a"), id_of("aa")), 3)
    assert await there(store, "r", "a", "aa", "b") == [True, False, False, True]
    run = id_of("aa")
    assert await store.get(Metric, [ids.metric_id(run, "m")]) == [None]
    assert await store.get(LogFile, [ids.log_id(run, "out")]) == [None]
    assert await store.get(Artifact, [ids.artifact_id(run, "model")]) == [None]
    assert await values(store, "b") == [5.0]
    [item] = await store.read(journal_of(id_of("r")), 2)
    assert Entry.decode(item.data).purged == purged.runs
    assert {hint.run for hint in await store.hints(HOME, seen, first=10)} == set(purged.runs)
    with pytest.raises(NotFound):
        await recorder.purge(id_of("a"))
    with pytest.raises(NotFound):
        await write(recorder, LogPoints("aa", "m", [2.0]))
    await write(recorder, LogPoints("b", "m", [6.0]))
    assert await values(store, "b") == [5.0, 6.0]


async def test_only_what_is_in_the_trash_can_be_purged(store: Store, recorder: Recorder) -> None:
    await write(recorder, declare("r"), declare("a", "r"))
    with pytest.raises(InvalidInput, match="'r' is not in the trash"):
        await recorder.purge(id_of("r"))
    before = now()
    await write(recorder, TrashRun("r"))
    with pytest.raises(InvalidInput, match="not been in the trash for so long"):
        await recorder.purge(id_of("r"), trashed_before=before)
    assert await there(store, "r", "a") == [True, True]
    assert len((await recorder.purge(id_of("r"), trashed_before=now() + 1)).runs) == 2
    with pytest.raises(NotFound):
        await recorder.purge(id_of("nothing"))


async def test_a_name_can_be_used_again_and_writers_begin_at_0(store: Store, recorder: Recorder) -> None:
    for turn in range(3):
        for sequence in range(2):
            done = await recorder.record(
                "w", [declare("r"), LogPoints("r", "m", [turn, sequence])], writer="job", sequence=sequence
            )
            assert not done.repeated
        assert await values(store, "r") == [turn, 0, turn, 1]
        position = await recorder.position("w", "r", "job")
        assert position is not None
        assert position.sequence == 1
        await write(recorder, TrashRun("r"))
        await recorder.purge(id_of("r"))
        with pytest.raises(NotFound, match="purged"):
            await recorder.position("w", "r", "job")
    with pytest.raises(SequenceGap) as caught:
        await recorder.record("w", [declare("r")], writer="job", sequence=2)
    assert caught.value.expected == 0
    assert await recorder.position("w", "never", "job") is None


async def test_what_is_recorded_while_a_run_is_purged_is_there_or_refused(
    store: Store, recorder: Recorder
) -> None:
    await write(recorder, declare("r"), declare("a", "r"), TrashRun("a"))

    async def point(number: int) -> bool:
        try:
            await write(recorder, LogPoints("a", "m", [float(number)]), LogPoints("r", "m", [float(number)]))
        except NotFound:
            return False
        return True

    done = await asyncio.gather(
        *(point(i) for i in range(20)), recorder.purge(id_of("a")), *(point(i) for i in range(20, 40))
    )
    written = [answer for answer in done if isinstance(answer, bool)]
    # Those that had their turn before the purge are whole, the others left no trace.
    assert sorted(await values(store, "r")) == [float(i) for i, taken in enumerate(written) if taken]
    assert await values(store, "a") == []


async def test_what_another_process_purged_is_gone_here_too(two: list[tuple[Store, Recorder]]) -> None:
    (store, first), (_, second) = two
    await write(first, declare("r"), declare("a", "r"), LogPoints("a", "m", [1.0]))
    await write(second, TrashRun("a"))
    await second.purge(id_of("a"))
    with pytest.raises(NotFound):
        await write(first, LogPoints("a", "m", [2.0]))
    await write(first, declare("a", "r"), LogPoints("a", "m", [3.0]))
    assert await values(store, "a") == [3.0]


@pytest.mark.parametrize("made_anew", ["here", "there"])
async def test_a_run_that_is_made_anew_in_another_tree_is_written_there(
    two: list[tuple[Store, Recorder]], made_anew: str
) -> None:
    (store, first), (_, second) = two
    await write(first, declare("r"), declare("a", "r"), declare("aa", "a"), LogPoints("aa", "m", [1.0]))
    await write(first, declare("s"))
    await write(second, TrashRun("a"))
    await second.purge(id_of("a"))
    maker = first if made_anew == "here" else second
    # The first still remembers that all of these lie in the tree of r.
    await write(maker, declare("a"))
    await write(maker, declare("aa", "s"))
    await write(first, LogPoints("a", "m", [2.0]))
    await write(first, LogPoints("aa", "m", [3.0]), declare("below", "aa"))
    runs = await store.get(Run, [id_of(name) for name in ("r", "a", "aa", "below")])
    assert [run and run.root for run in runs] == [id_of("r"), id_of("a"), id_of("s"), id_of("s")]
    assert [run and run.depth for run in runs] == [0, 0, 1, 2]
    assert (await values(store, "a"), await values(store, "aa")) == ([2.0], [3.0])
    # Each lies in the journal of its own tree.
    for root, names in (("a", {"a"}), ("s", {"s", "aa", "below"})):
        entries = [Entry.decode(item.data) for item in await store.read(journal_of(id_of(root)), 0)]
        assert {change.run for entry in entries for change in entry.runs} == {id_of(name) for name in names}


async def test_a_tree_becomes_part_of_another_one_after_a_purge(two: list[tuple[Store, Recorder]]) -> None:
    (store, first), (_, second) = two
    await write(first, declare("a"), LogPoints("a", "m", [1.0]))
    await write(first, declare("r"))
    await write(second, TrashRun("a"))
    await second.purge(id_of("a"))
    await write(second, declare("a", "r"))
    await write(first, LogPoints("a", "m", [2.0]))
    [run] = await store.get(Run, [id_of("a")])
    assert run is not None
    assert (run.root, await values(store, "a")) == (id_of("r"), [2.0])


async def test_a_parent_that_is_gone_becomes_a_placeholder(store: Store, recorder: Recorder) -> None:
    await write(recorder, declare("r"), declare("a", "r"))
    await write(recorder, TrashRun("a"))
    await recorder.purge(id_of("a"))
    await write(recorder, declare("new", "a"))
    [parent, run] = await store.get(Run, [id_of("a"), id_of("new")])
    assert parent is not None
    assert run is not None
    assert (parent.placeholder, parent.root, run.root, run.depth) == (True, parent.id, parent.id, 1)


async def test_two_purge_and_restore_at_once(two: list[tuple[Store, Recorder]]) -> None:
    (store, first), (_, second) = two
    for _ in range(10):
        await write(first, declare("r"), declare("a", "r"), LogPoints("a", "m", [1.0]), TrashRun("r"))
        done = await asyncio.gather(
            first.purge(id_of("r")),
            second.purge(id_of("r")),
            second.record("w", [RestoreRun("r")]),
            return_exceptions=True,
        )
        errors = [answer for answer in done if isinstance(answer, BaseException)]
        assert all(isinstance(error, NotFound | InvalidInput) for error in errors), errors
        purges = [answer for answer in done[:2] if not isinstance(answer, BaseException)]
        restored = not isinstance(done[2], BaseException)
        assert len(purges) == (0 if restored and await there(store, "r") == [True] else 1)
        assert await there(store, "r", "a") == [restored and not purges] * 2
        if not purges:
            await write(first, TrashRun("r"))
            await first.purge(id_of("r"))


async def test_a_closed_recorder_purges_nothing(store: Store) -> None:
    recorder = Recorder(store)
    await write(recorder, declare("r"), TrashRun("r"))
    await recorder.close()
    with pytest.raises(RunsError, match="closed"):
        await recorder.purge(id_of("r"))
