from __future__ import annotations

from pathlib import Path

import pytest

from graphql_runs.model import ids
from graphql_runs.model.change import Entry
from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.operation import (
    DeclareRun,
    LogPoints,
    RestoreRun,
    RunOperation,
    SetStatus,
    TrashRun,
)
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs.record.recorder import Recorder
from graphql_runs.record.trash import RESTORED_AT
from graphql_runs.store.port import Store, journal_of
from graphql_runs.store.sqlite import SqliteStore

HOME = ids.workspace_id("w")


def declare(run_id: str, parent: str | None = None) -> DeclareRun:
    return DeclareRun(run_id, "exp", run_id, "test", parent=parent)


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


async def trashed(store: Store) -> dict[str, Micros]:
    """The trashed runs of the tree of `r`."""
    return {
        run.run_id: run.trashed_at for run in await store.tree_runs(id_of("r")) if run.trashed_at is not None
    }


@pytest.fixture
async def tree(recorder: Recorder) -> None:
    """A tree: r above a and b, a above aa and ab."""
    await write(
        recorder, declare("r"), declare("a", "r"), declare("b", "r"), declare("aa", "a"), declare("ab", "a")
    )


@pytest.mark.usefixtures("tree")
async def test_a_run_goes_with_everything_below_it_and_comes_back_with_it(
    store: Store, recorder: Recorder
) -> None:
    before = await store.tree_runs(id_of("r"))
    await write(recorder, TrashRun("a"))
    found = await trashed(store)
    assert found.keys() == {"a", "aa", "ab"}
    assert len(set(found.values())) == 1
    await write(recorder, TrashRun("a"))
    assert await trashed(store) == found
    await write(recorder, RestoreRun("a"))
    assert await store.tree_runs(id_of("r")) == before
    await write(recorder, RestoreRun("a"))
    assert await store.tree_runs(id_of("r")) == before


@pytest.mark.usefixtures("tree")
async def test_what_had_been_trashed_before_stays_in_the_trash(store: Store, recorder: Recorder) -> None:
    # In one call, too, the two trashings are told apart.
    await write(recorder, TrashRun("aa"), TrashRun("r"))
    found = await trashed(store)
    assert found.keys() == {"r", "a", "b", "aa", "ab"}
    assert found["aa"] not in {found["r"], found["a"]}
    await write(recorder, RestoreRun("r"))
    assert (await trashed(store)).keys() == {"aa"}
    await write(recorder, RestoreRun("aa"))
    assert await trashed(store) == {}
    [root] = await store.get(Run, [id_of("r")])
    assert root is not None
    assert RESTORED_AT in root.properties


@pytest.mark.usefixtures("tree")
async def test_a_run_below_a_trashed_one_cannot_come_back_alone(store: Store, recorder: Recorder) -> None:
    await write(recorder, TrashRun("r"))
    before = await trashed(store)
    with pytest.raises(InvalidInput, match="'aa' lies below 'a', which is in the trash") as caught:
        await write(recorder, RestoreRun("aa"))
    assert caught.value.field == "run"
    assert await trashed(store) == before


@pytest.mark.usefixtures("tree")
async def test_jobs_go_on_writing_to_the_trash(store: Store, recorder: Recorder) -> None:
    await write(recorder, TrashRun("a"))
    await write(
        recorder,
        LogPoints("aa", "loss", [1.0]),
        SetStatus("aa", RunStatus.RUNNING, "t"),
        declare("new", "aa"),
        DeclareRun("deep", "exp", "deep", "test", parent="between", root="r"),
        DeclareRun("below", "exp", "below", "test", parent="new"),
    )
    [metric] = await store.get(Metric, [ids.metric_id(id_of("aa"), "loss")])
    assert metric is not None
    assert metric.count == 1
    # What comes to be below a trashed run is in the trash, and comes back with it.
    assert (await trashed(store)).keys() == {"a", "aa", "ab", "new", "below"}
    await write(recorder, RestoreRun("a"))
    assert await trashed(store) == {}


@pytest.mark.usefixtures("tree")
async def test_followers_and_lists_are_told(store: Store, recorder: Recorder) -> None:
    seen = await store.hint_end(HOME)
    [before] = await store.ends([journal_of(id_of("r"))])
    await write(recorder, TrashRun("a"))
    [item] = await store.read(journal_of(id_of("r")), before)
    assert {change.run for change in Entry.decode(item.data).runs} == {id_of("a"), id_of("aa"), id_of("ab")}
    assert {hint.run for hint in await store.hints(HOME, seen, first=10)} == {
        id_of("a"),
        id_of("aa"),
        id_of("ab"),
    }


async def test_an_unknown_run_is_not_found(recorder: Recorder) -> None:
    for operation in (TrashRun("nothing"), RestoreRun("nothing")):
        with pytest.raises(NotFound):
            await write(recorder, operation)


async def test_what_another_process_did_is_seen(tmp_path: Path) -> None:
    one, two = await SqliteStore.open(tmp_path / "s.sqlite"), await SqliteStore.open(tmp_path / "s.sqlite")
    first, second = Recorder(one), Recorder(two)
    await write(first, declare("r"), declare("a", "r"))
    await write(first, TrashRun("r"))
    await write(second, RestoreRun("r"))
    assert await trashed(one) == {}
    # The first remembers a trashed run, so for it there is nothing to do; it has to look again before it says so.
    await write(first, TrashRun("r"))
    assert (await trashed(one)).keys() == {"r", "a"}
    await write(second, declare("b", "r"))
    await write(first, RestoreRun("r"))
    assert await trashed(one) == {}
    for recorder in (first, second):
        await recorder.close()
    await one.close()
    await two.close()
