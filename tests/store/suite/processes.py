"""Several processes on one store, and one that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from graphql_runs.model import ids
from graphql_runs.model.records import Metric
from graphql_runs.store.port import Item, Store, journal_of
from tests.store.samples import (
    Log,
    Place,
    a_metric,
    a_run,
    eventually,
    purge_and_make,
    read_all,
    save,
    share,
    write_and_follow,
)
from tests.store.suite.base import Suite
from tests.store.suite.wakes import listening

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def child(place: Place, *deed: str) -> AsyncIterator[Process]:
    """A process that has opened the store and begins its deed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.child", place.opener, place.target, *deed, cwd=ROOT, stdout=PIPE
    )
    try:
        assert await line(process) == "ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


async def finished(process: Process) -> list[str]:
    """What it said until its end, which has to be a good one."""
    assert process.stdout is not None
    said = (await asyncio.wait_for(process.stdout.read(), 60)).decode().split()
    assert await process.wait() == 0
    assert said[-1:] == ["done"]
    return said[:-1]


class Processes(Suite):
    """See the module."""

    async def test_nothing_acknowledged_is_lost_by_a_kill(self, place: Place) -> None:
        acknowledged = 0
        for times, until in enumerate((3, 40, 120)):
            run_id = f"r{times}"
            async with child(place, "flood", run_id) as process:
                for _ in range(until):
                    acknowledged = int(await line(process)) + 1
                process.send_signal(signal.SIGKILL)
                assert process.stdout is not None
                for said in (await process.stdout.read()).decode().splitlines(keepends=True):
                    if said.endswith("\n"):
                        acknowledged = int(said) + 1
                assert await process.wait() == -signal.SIGKILL
            store = await place.open()
            log = Log(store, a_run(run_id))
            n = await log.check(acknowledged)
            # Whoever comes after goes on where it ended.
            await store.commit(log.step(n))
            await log.check(n + 1)
            await store.close()

    async def test_three_processes_write_to_one_tree(self, store: Store, place: Place) -> None:
        run, times = a_run("r"), 40
        await save(store, run)
        async with (
            child(place, "shared", "r", "a", str(times)) as one,
            child(place, "shared", "r", "b", str(times)) as two,
        ):
            await asyncio.gather(share(store, run, "c", times), finished(one), finished(two))
        items = await read_all(store, ids.metric_id(run.id, "shared"))
        written = [item.data.decode().split() for item in items]
        assert [item.start for item in items] == list(range(3 * times))
        for writer in "abc":
            # Each once, and in the order written.
            assert [int(n) for name, n in written if name == writer] == list(range(times))
        assert await store.ends([journal_of(run.root)]) == [3 * times + 1]
        positions = await store.positions(run.root, ["a", "b", "c"])
        assert [position and position.sequence for position in positions] == [times - 1] * 3

    async def test_three_processes_write_to_trees_of_their_own(self, store: Store, place: Place) -> None:
        times = 60
        async with child(place, "own", "a", str(times)) as one, child(place, "own", "b", str(times)) as two:
            log = Log(store, a_run("c"))
            await log.begin()
            for n in range(times):
                await store.commit(log.step(n))
            await asyncio.gather(finished(one), finished(two))
        for run_id in "abc":
            [points, entries] = await store.ends(
                [ids.metric_id(a_run(run_id).id, "loss"), journal_of(a_run(run_id).root)]
            )
            assert (points, entries) == (times, times + 1)
        # Every hint has a number of its own, and the newest of each run is there.
        hints = await store.hints(a_run("a").workspace, 0, first=10_000)
        assert {hint.run for hint in hints} == {a_run(run_id).id for run_id in "abc"}
        assert max(Counter(hint.n for hint in hints).values()) == 1
        # A commit that a process takes long to apply may be applied by another one too, whose hint has a number of its own.
        assert await store.hint_end(a_run("a").workspace) >= 3 * times

    async def test_three_processes_write_and_follow(self, store: Store, place: Place) -> None:
        names, times = ["a", "b", "c"], 40
        arguments = [",".join(names), str(times)]
        async with (
            child(place, "trio", "a", *arguments) as one,
            child(place, "trio", "b", *arguments) as two,
        ):
            told = await asyncio.gather(
                write_and_follow(store, "c", names, times), finished(one), finished(two)
            )
        # Each saw everything of everybody, once and in order.
        for seen in told:
            for name in names:
                mine = [entry for entry in seen if entry.startswith(f"{name}:")]
                assert mine == [f"{name}:{n}" for n in range(times)]
            assert len(seen) == 3 * times

    async def test_three_processes_purge_and_make_the_same_tree(self, store: Store, place: Place) -> None:
        run, times = a_run("r"), 25
        async with (
            child(place, "remake", "r", str(times)) as one,
            child(place, "remake", "r", str(times)) as two,
        ):
            mine, *others = await asyncio.gather(
                purge_and_make(store, run, times), finished(one), finished(two)
            )
        purges = mine + sum(int(said) for [said] in others)
        [end] = await store.ends([journal_of(run.root)])
        assert 0 < purges <= end <= 2 * purges
        # The last one to make it or to purge it had its way, whole.
        made = await store.tree_runs(run.root)
        points = await read_all(store, a_metric(run, "loss").id)
        metrics = await store.count(Metric, run.id)
        assert (len(made), metrics, len(points)) in ((0, 0, 0), (1, 1, 1))
        assert await store.count_runs(None) == len(made)
        journal = await read_all(store, journal_of(run.root))
        assert [item.end for item in journal] == ([end - 1, end] if made else [end])
        if made:
            assert points == [Item(0, 1, b"%d" % (end - 2))]

    async def test_a_tree_is_whole_or_gone_after_a_kill(self, store: Store, place: Place) -> None:
        run = a_run("r")
        for until in (1, 5, 20):
            [before] = await store.ends([journal_of(run.root)])
            async with child(place, "remake", "r", "100000") as process:

                async def grown(least: int = before + 2 * until) -> bool:
                    return (await store.ends([journal_of(run.root)]))[0] >= least

                await eventually(grown)
                process.send_signal(signal.SIGKILL)
                await process.wait()

            async def whole_or_gone() -> bool:
                made = await store.tree_runs(run.root)
                points = await read_all(store, a_metric(run, "loss").id)
                return (len(made), len(points)) in ((0, 0), (1, 1)) and await store.count_runs(None) == len(
                    made
                )

            # What was cut off in the middle may have to be finished by somebody else first.
            await eventually(whole_or_gone)
            [end] = await store.ends([journal_of(run.root)])
            # And it can be purged and made once more.
            assert await eventually(lambda: purge_and_make(store, run, 1)) == 1
            [after] = await store.ends([journal_of(run.root)])
            assert end + 2 <= after <= end + 3  # with the one that was cut off
            assert [len(await store.tree_runs(run.root)), await store.count(Metric, run.id)] == [1, 1]
            assert await store.tree_runs(run.root) == [run]

    async def test_processes_draw_different_numbers(self, store: Store, place: Place) -> None:
        async with child(place, "count", "n", "50") as one, child(place, "count", "n", "50") as two:
            mine = [await store.next_number("n") for _ in range(50)]
            others = [int(n) for said in await asyncio.gather(finished(one), finished(two)) for n in said]
        assert len(set(mine + others)) == 150

    async def test_another_process_is_told_and_tells(self, store: Store, place: Place) -> None:
        async with listening(store) as heard, child(place, "own", "there", "3") as process:
            await heard.of(a_run("there").root)
            await finished(process)
        stream = ids.metric_id(a_run("here").id, "loss")
        async with child(place, "follow", stream, "0") as process:
            log = Log(store, a_run("here"))
            await log.begin()
            await store.commit(log.step(0))
            await finished(process)

    async def test_a_process_that_is_killed_does_not_hold_up_others(self, store: Store, place: Place) -> None:
        async with child(place, "flood", "r") as process:
            await line(process)
            # Stopped wherever it is, perhaps in the middle of a commit, and then killed.
            process.send_signal(signal.SIGSTOP)
            waiting = asyncio.create_task(save(store, a_run("mine")))
            await asyncio.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            await asyncio.wait_for(waiting, 20)

        async def there() -> bool:
            return (await store.ends([journal_of(a_run("mine").root)])) == [1]

        assert os.getpid() != process.pid
        await eventually(there)
