from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    RunOperation,
    SetStatus,
    TrashRun,
)
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.record.uniter import Uniter
from graphql_runs.record.uniting import Uniting
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore
from tests.record.uniting import JOB, id_of, partition, run_of, seen, write
from tests.store.mongo.opening import mongo
from tests.store.mongo.servers import Servers

ROOT = Path(__file__).parents[2]


async def test_runs_of_two_sources_with_one_identity_are_one(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("m", "mlflow", JOB, "mlflow:m"))
    await write(recorder, seen("j", "slurm", JOB, "slurm:4242"))
    await write(recorder, seen("w", "wandb", "slurm:4242"))
    await write(recorder, seen("else", "wandb", "slurm:beta/4242"))
    assert await partition(store) == {"m": None, "j": "m", "w": "m", "else": None}
    # Saying it again changes nothing.
    for name in ("m", "j", "w"):
        ends = await store.ends([f"journal_{id_of(name).removeprefix('run_')}"])
        await recorder.uniter.settle([id_of(name)])
        assert await store.ends([f"journal_{id_of(name).removeprefix('run_')}"]) == ends


async def test_another_workspace_has_other_runs(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("m", "mlflow", JOB))
    await recorder.record("other", [seen("j", "slurm", JOB)])
    assert all(entry.run.alias_of is None for entry in await store.find_runs(None, [], first=9))


async def test_an_identity_that_comes_later_unites_too(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("j", "slurm", JOB))
    await write(recorder, seen("m", "mlflow"))
    assert await partition(store) == {"j": None, "m": None}
    await write(recorder, Annotate("m", params={"SLURM_JOB_ID": "4242", "SLURM_CLUSTER_NAME": "alpha"}))
    assert await partition(store) == {"j": "m", "m": None}


async def test_a_run_with_a_lower_number_takes_over(store: Store, recorder: Recorder) -> None:
    for run in (seen("a", "wandb"), seen("b", "mlflow", JOB), seen("c", "slurm", JOB)):
        await write(recorder, run)
    assert await partition(store) == {"a": None, "b": None, "c": "b"}
    await write(recorder, Annotate("a", identities=(JOB,)))
    assert await partition(store) == {"a": None, "b": "a", "c": "a"}


async def test_a_sweep_in_one_job_stays_a_sweep(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("sweep", "mlflow"))
    for name in ("c1", "c2", "c3"):
        await write(recorder, seen(name, "mlflow", JOB, parent="sweep"))
    assert set((await partition(store)).values()) == {None}
    await write(recorder, seen("j", "slurm", JOB))
    assert await partition(store) == {"sweep": None, "c1": None, "c2": None, "c3": None, "j": "c1"}
    # What the parent turns out to carry, its children have from it.
    await write(recorder, Annotate("sweep", identities=(JOB,)))
    assert await partition(store) == {"sweep": None, "c1": None, "c2": None, "c3": None, "j": "sweep"}


async def test_many_runs_of_one_job_are_looked_at_once(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(60):
        await write(recorder, seen(f"c{i}", "mlflow", JOB))
    asked = 0
    find = store.find_runs

    async def counted(*args: object, **named: object) -> object:
        nonlocal asked
        asked += 1
        return await find(*args, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(store, "find_runs", counted)
    for i in range(60, 70):
        await write(recorder, seen(f"c{i}", "mlflow", JOB))
    assert asked == 10  # whether they have aliases
    await write(recorder, seen("j", "slurm", JOB))
    found = await partition(store)
    assert found["j"] == "c0"
    assert sum(of is not None for of in found.values()) == 1


async def test_a_placeholder_is_nobody_until_it_is_declared(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("child", "slurm", parent="top"))
    await write(recorder, Annotate("top", identities=(JOB,)))
    await write(recorder, seen("m", "mlflow", JOB))
    assert set((await partition(store)).values()) == {None}
    await write(recorder, seen("top", "slurm"))
    assert await partition(store) == {"child": None, "top": "m", "m": None}


async def test_a_purge_frees_the_aliases(store: Store, recorder: Recorder) -> None:
    for name in ("m", "j", "w"):
        await write(recorder, seen(name, name, JOB))
    await write(recorder, TrashRun("m"))
    assert await partition(store) == {"m": None, "j": "m", "w": "m"}
    await recorder.purge(id_of("m"))
    assert await partition(store) == {"j": None, "w": "j"}
    # The next of a source steps in for one that is gone.
    await write(recorder, seen("w2", "w", JOB))
    await write(recorder, TrashRun("w"))
    await recorder.purge(id_of("w"))
    assert await partition(store) == {"j": None, "w2": "j"}


async def test_what_a_crash_left_is_mended(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    uniting = Uniting(store, recorder.uniter, pause=0)

    async def crash(self: Uniter, runs: object, *, anew: bool = False) -> None:
        raise StoreUnavailable("crashed")

    with monkeypatch.context() as patch:
        patch.setattr(Uniter, "settle", crash)
        for name in ("m", "j", "w"):
            await write(recorder, seen(name, name, JOB))
        await write(recorder, SetStatus("j", RunStatus.FAILED, "sacct"))
        assert set((await partition(store)).values()) == {None}
        await write(recorder, seen("else", "x"))
        assert await uniting_raises(uniting)
    assert await uniting.round() >= 4
    assert await partition(store) == {"m": None, "j": "m", "w": "m", "else": None}
    assert (await run_of(store, "m")).status is RunStatus.FAILED
    await write(recorder, TrashRun("m"))
    with monkeypatch.context() as patch:
        patch.setattr(Uniter, "settle", crash)
        await recorder.purge(id_of("m"))
    assert (await run_of(store, "j")).alias_of == id_of("m")
    await uniting.round()
    assert await partition(store) == {"j": None, "w": "j", "else": None}
    while await uniting.round():
        pass
    assert await uniting.round() == 0
    monkeypatch.setattr("graphql_runs.record.uniting._WALK_SECONDS", -1.0)
    assert await uniting.round() > 0


async def uniting_raises(uniting: Uniting) -> bool:
    with pytest.raises(StoreUnavailable):
        await uniting.round()
    return True


async def test_the_background_does_rounds(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Uniter, "settle", lambda *_: asyncio.sleep(0))
        await write(recorder, seen("m", "mlflow", JOB))
        await write(recorder, seen("j", "slurm", JOB))
    uniting = Uniting(store, recorder.uniter, pause=0.01)
    uniting.start()
    async with asyncio.timeout(20):
        while (await run_of(store, "j")).alias_of is None:  # noqa: ASYNC110  # a store has no event to wait for
            await asyncio.sleep(0.01)
    await uniting.close()


# In any order, by anybody


SOURCES = ("one", "two", "three")
SHARED = ("slurm:7", "slurm:a/7", "slurm:b/7", "x:1", "y:1")


@st.composite
def tales(draw: st.DrawFn) -> list[list[RunOperation]]:
    """Calls, each on one tree, that end in the same runs in whichever order the trees come."""
    trees: list[list[RunOperation]] = []
    for i in range(draw(st.integers(2, 4))):
        calls: list[RunOperation] = []
        for j in range(draw(st.integers(1, 3))):
            name = f"r{i}{j}"
            found = draw(st.sets(st.sampled_from(SHARED), max_size=3))
            source = draw(st.sampled_from(SOURCES))
            calls.append(seen(name, source, *sorted(found), parent=f"r{i}0" if j else None))
            if draw(st.booleans()):
                later = draw(st.sampled_from(SHARED))
                calls.append(Annotate(name, identities=(later,)))
        trees.append(calls)
    return trees


@settings(max_examples=12, deadline=None)
@given(tales(), st.randoms(use_true_random=False))
def test_any_order_and_two_recorders_end_in_the_same(
    trees: list[list[RunOperation]], chance: random.Random
) -> None:
    async def tell(folder: str) -> None:
        path = Path(folder) / "runs.sqlite"
        stores = [await SqliteStore.open(path) for _ in range(2)]
        recorders = [Recorder(store) for store in stores]
        # Numbers are drawn in the order in which runs come, so they are drawn beforehand.
        for calls in trees:
            for call in calls:
                if isinstance(call, DeclareRun):
                    await recorders[0].record("w", [seen(call.run_id, call.source, parent=call.parent)])
        await asyncio.gather(*(told(calls, chance.choice(recorders)) for calls in trees))
        found = await partition(stores[0])
        names = {of for of in found.values() if of is not None}
        assert all(found[name] is None for name in names), "an alias of an alias"
        # Once everything is said, who looks again at anything finds nothing to do, in whatever order.
        ends = await journals(stores[0], found)
        order = [id_of(name) for name in found]
        chance.shuffle(order)
        for id in order:
            await recorders[1].uniter.settle([id], anew=True)
        assert await journals(stores[0], found) == ends
        # Told one after the other, it ends in the same.
        alone = await SqliteStore.open(Path(folder) / "alone.sqlite")
        recorder = Recorder(alone)
        for calls in trees:
            for call in calls:
                if isinstance(call, DeclareRun):
                    await recorder.record("w", [seen(call.run_id, call.source, parent=call.parent)])
        for calls in reversed(trees):
            await told(calls, recorder)
        assert await partition(alone) == found
        for one in (*recorders, recorder):
            await one.close()
        for store in (*stores, alone):
            await store.close()

    async def told(calls: Sequence[RunOperation], recorder: Recorder) -> None:
        for call in calls:
            await recorder.record("w", [call])
            await asyncio.sleep(0)

    with TemporaryDirectory() as folder:
        asyncio.run(tell(folder))


async def test_processes_at_the_same_moment_end_with_one_principal(tmp_path: Path) -> None:
    path, runs, sources = tmp_path / "runs.sqlite", 12, ("one", "two", "three")
    store = await SqliteStore.open(path)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.record.uniting", str(path), source, str(runs), cwd=ROOT, stdin=PIPE
        )
        for source in sources
    ]
    codes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert len(codes) == 3
    assert {process.returncode for process in processes} == {0}
    found = await partition(store)
    assert len(found) == runs * len(sources)
    for i in range(runs):
        views = [f"{source}{i}" for source in sources]
        [principal] = [name for name in views if found[name] is None]
        assert [found[name] for name in views].count(principal) == 2
        told = [one.origin for one in (await run_of(store, principal)).evidence if one.origin]
        assert sorted(told) == sorted(id_of(name) for name in views if name != principal)
    await store.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = Servers(tmp_path_factory.mktemp("mongo"))
    yield found
    found.stop()


@pytest.mark.parametrize("kind", ["mongomock", "mongodb"])
async def test_at_the_same_moment_on_mongodb(servers: Servers, kind: str) -> None:
    with servers.database(kind) as place:
        stores = [await mongo(place) for _ in range(2)]
        recorders = [Recorder(store) for store in stores]
        names = ("a", "b", "c", "d")
        for round in range(3):
            job = f"slurm:alpha/{round}"
            await asyncio.gather(
                *(
                    write(
                        recorders[index % 2],
                        seen(f"{name}{round}", name, job),
                        SetStatus(f"{name}{round}", RunStatus.RUNNING, "x", at=index),
                    )
                    for index, name in enumerate(names)
                )
            )
            found = await partition(stores[0])
            [principal] = [name for name in found if name.endswith(str(round)) and found[name] is None]
            assert [of for name, of in found.items() if name.endswith(str(round))].count(principal) == 3
            told = [one.origin for one in (await run_of(stores[0], principal)).evidence if one.origin]
            assert len(told) == len(set(told)) == 3
        for recorder, store in zip(recorders, stores, strict=True):
            await recorder.close()
            await store.close()


async def journals(store: Store, names: dict[str, str | None]) -> list[int]:
    runs = [await run_of(store, name) for name in names]
    return await store.ends([f"journal_{run.root.removeprefix('run_')}" for run in runs])
