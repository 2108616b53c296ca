"""Going away: purges, trims, and what is made again under the same names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from graphql_runs.model import ids
from graphql_runs.model.change import Entry, Hint
from graphql_runs.model.errors import Conflict, InvalidInput
from graphql_runs.model.filter import (
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    MetricField,
    Op,
    Order,
)
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.store.port import (
    Append,
    Batch,
    Item,
    Position,
    Purge,
    Store,
    journal_of,
)
from tests.store.samples import HOME, Place, a_log, a_metric, a_run, entry, extents, read_all, save
from tests.store.suite.histories import Histories
from tests.store.suite.wakes import listening

ROOT = a_run("root", tags={"team": "a"}, params={"lr": "1"})
CHILD = a_run("child", root=ROOT.id, parent=ROOT.id, depth=1, tags={"team": "a"})
GRANDCHILD = a_run("grandchild", root=ROOT.id, parent=CHILD.id, depth=2)
OTHER = a_run("other", tags={"team": "a"}, params={"lr": "1"})
TREE = (ROOT, CHILD, GRANDCHILD)
EVERY_RUN = (*TREE, OTHER)


def an_artifact(run: Run, path: str, **fields: Any) -> Artifact:
    """An output of a run."""
    return Artifact(
        ids.artifact_id(run.id, path), run=run.id, root=run.root, path=path, size=3, created_at=1, **fields
    )


def purge_of(n: int, *runs: Run) -> Purge:
    """The purge of runs of one tree, at row n of its journal."""
    gone = tuple(run.id for run in runs)
    said = Item(n, n + 1, Entry(at=n, purged=gone).encode())
    return Purge(runs[0].root, said, gone, tuple(Hint(run.workspace, run.id, run.root, n) for run in runs))


def belongings(run: Run) -> tuple[Metric, LogFile, Artifact]:
    return a_metric(run, "loss", last=1.0, count=2), a_log(run, "out"), an_artifact(run, "model")


async def grow(store: Store, *runs: Run, n: int = 0) -> None:
    """One batch for each run, which makes it with everything that a run can have."""
    for row, run in enumerate(runs, start=n):
        metric, log, artifact = belongings(run)
        await store.commit(
            Batch(
                run.root,
                entry(row, run.id),
                creates=(run, metric, log, artifact),
                appends=(
                    Append(metric.id, Item(0, 2, f"points of {run.run_id}".encode())),
                    Append(log.id, Item(0, 5, b"text\n")),
                ),
                positions=(Position(f"writer {run.run_id}", 7, b"digest", b"note"),),
                hints=(Hint(run.workspace, run.id, run.root, at=row),),
            )
        )


async def all_about(store: Store, runs: Sequence[Run], root: str) -> list[object]:
    """Everything that can be asked about some runs of a tree."""
    found: list[object] = [await store.get(Run, [run.id for run in runs])]
    for run in runs:
        metric, log, artifact = belongings(run)
        found += [
            await store.get(Metric, [metric.id]),
            await store.get(LogFile, [log.id]),
            await store.get(Artifact, [artifact.id]),
            await store.list_named(Metric, run.id, first=5),
            await store.list_named(LogFile, run.id, first=5),
            await store.list_named(Artifact, run.id, first=5),
            await store.count(Metric, run.id),
            await store.ends([metric.id, log.id]),
            await read_all(store, metric.id),
            await store.read_back(log.id, 5, limit=10),
        ]
    journal = journal_of(root)
    found += [
        await store.tree_runs(root),
        await store.all_positions(root, first=10),
        await store.ends([journal]),
        await read_all(store, journal),
        await store.hints(HOME, 0, first=10),
        await store.hint_end(HOME),
    ]
    return found


class Removal(Histories):
    """See the module."""

    async def test_a_tree_goes_away_with_everything_and_nothing_else_does(
        self, store: Store, place: Place
    ) -> None:
        await grow(store, *TREE)
        await grow(store, OTHER)
        others = await all_about(store, [OTHER], OTHER.root)
        hints = await store.hint_end(HOME)
        purge = purge_of(3, *TREE)
        await store.purge(purge)
        again = await place.open()
        for opened in (store, again):
            assert await opened.get(Run, [run.id for run in EVERY_RUN]) == [None, None, None, OTHER]
            for run in TREE:
                metric, log, artifact = belongings(run)
                assert await opened.get(Metric, [metric.id]) == [None]
                assert await opened.get(LogFile, [log.id]) == [None]
                assert await opened.get(Artifact, [artifact.id]) == [None]
                assert await opened.list_named(Metric, run.id, first=5) == []
                assert await opened.count(LogFile, run.id) == 0
                assert await opened.count(Artifact, run.id) == 0
                assert await opened.ends([metric.id, log.id]) == [0, 0]
                assert await opened.read(metric.id, 0) == []
                assert await opened.read_back(log.id, 5, limit=10) == []
            assert await opened.tree_runs(ROOT.id) == []
            assert await opened.all_positions(ROOT.id, first=10) == []
            assert await opened.positions(ROOT.id, ["writer root"]) == [None]
            # The journal goes on, with nothing before the entry that says so.
            journal = journal_of(ROOT.id)
            assert await opened.ends([journal]) == [4]
            for start in range(4):
                assert await opened.read(journal, start) == [purge.entry]
            assert await opened.read(journal, 0, end=3) == []
            assert await opened.read_back(journal, 4, limit=100) == [purge.entry]
            assert await opened.read_back(journal, 3, limit=100) == []
            metric, log, _ = belongings(OTHER)
            assert await extents(opened) == {
                journal: (3, 4),
                journal_of(OTHER.id): (0, 1),
                metric.id: (0, 2),
                log.id: (0, 5),
            }
            assert await opened.fragmented(items=1, first=9) == sorted([metric.id, log.id])
            assert (await all_about(opened, [OTHER], OTHER.root))[:-2] == others[:-2]
            # Lists are told of each of them.
            told = await opened.hints(HOME, hints, first=10)
            assert {(hint.run, hint.root) for hint in told} == {(run.id, ROOT.id) for run in TREE}
            assert [hint.n for hint in told] == [hints + 1, hints + 2, hints + 3]
        await again.close()

    async def test_what_went_away_is_not_found(self, store: Store) -> None:
        await grow(store, *TREE)
        await grow(store, OTHER)
        await store.purge(purge_of(3, *TREE))
        assert await store.count_runs(None) == 1
        for where in (
            None,
            Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, HOME),
            Compare(BagField(Bag.TAG, "team"), Op.EQ, "a"),
            Compare(MetricField("loss"), Op.LT, 2.0),
            Compare(AttributeField(Attribute.DEPTH), Op.GTE, 0),
        ):
            assert await store.count_runs(where) == 1
            assert sum((await store.count_statuses(where)).values()) == 1
            for order in (
                [],
                [Order(MetricField("loss"))],
                [Order(BagField(Bag.PARAM, "lr"))],
                [Order(AttributeField(Attribute.CREATED_AT), descending=True)],
            ):
                assert [one.run for one in await store.find_runs(where, order, first=9)] == [OTHER]

    async def test_a_part_of_a_tree_goes_away(self, store: Store) -> None:
        await grow(store, *TREE)
        before = await all_about(store, [ROOT], ROOT.id)
        positions = await store.all_positions(ROOT.id, first=10)
        purge = purge_of(3, CHILD, GRANDCHILD)
        await store.purge(purge)
        after = await all_about(store, [ROOT], ROOT.id)
        assert after[:11] == before[:11]
        assert await store.get(Run, [run.id for run in TREE]) == [ROOT, None, None]
        assert await store.tree_runs(ROOT.id) == [ROOT]
        assert await store.count_runs(None) == 1
        # Positions are of the tree, and its journal is whole.
        assert len(positions) == 3
        assert await store.all_positions(ROOT.id, first=10) == positions
        assert await read_all(store, journal_of(ROOT.id)) == [
            *(entry(n, run.id) for n, run in enumerate(TREE)),
            purge.entry,
        ]
        assert {stream for stream, _ in (await extents(store)).items()} == {
            journal_of(ROOT.id),
            *(record.id for record in belongings(ROOT)[:2]),
        }

    async def test_what_is_not_there_is_passed_over(self, store: Store) -> None:
        await grow(store, ROOT, CHILD)
        await store.purge(purge_of(2, CHILD, GRANDCHILD))
        await store.purge(purge_of(3, CHILD))
        assert await store.count_runs(None) == 1
        assert await store.tree_runs(ROOT.id) == [ROOT]
        # A run of another tree is not there either.
        await grow(store, a_run("another"))
        await store.purge(replace(purge_of(4, ROOT), runs=(a_run("another").id,)))
        assert await store.tree_runs(a_run("another").id) == [a_run("another")]
        await store.purge(purge_of(1, a_run("another")))
        # A tree that never was gets a journal that says so.
        await store.purge(purge_of(0, OTHER))
        assert await store.ends([journal_of(ROOT.id), journal_of(OTHER.id)]) == [5, 1]
        assert await store.count_runs(None) == 1

    async def test_with_the_root_everything_goes(self, store: Store) -> None:
        await grow(store, *TREE)
        await store.purge(purge_of(3, ROOT))
        assert await store.tree_runs(ROOT.id) == []
        assert await store.count_runs(None) == 0
        assert await store.count(Metric, CHILD.id) == 0
        assert list(await extents(store)) == [journal_of(ROOT.id)]

    async def test_a_purge_names_a_run(self, store: Store) -> None:
        await grow(store, ROOT)
        with pytest.raises(InvalidInput) as caught:
            await store.purge(replace(purge_of(1, ROOT), runs=()))
        assert caught.value.field == "runs"
        assert await store.ends([journal_of(ROOT.id)]) == [1]

    @pytest.mark.parametrize("n", [0, 2, 4, 99])
    async def test_a_purge_that_comes_too_late_changes_nothing(self, store: Store, n: int) -> None:
        await grow(store, *TREE)
        before = await all_about(store, TREE, ROOT.id)
        with pytest.raises(Conflict):
            await store.purge(purge_of(n, *TREE))
        assert await all_about(store, TREE, ROOT.id) == before
        assert await store.count_runs(None) == 3
        await store.purge(purge_of(3, *TREE))
        assert await store.count_runs(None) == 0

    async def test_the_same_names_begin_anew(self, store: Store, place: Place) -> None:
        n = 0
        for _ in range(3):
            await grow(store, *TREE, n=n)
            await store.purge(purge_of(n + 3, *TREE))
            n += 4
        other = await place.open()
        changed = replace(ROOT, tags={"team": "b"}, number=9)
        await grow(other, changed, CHILD, n=n)
        for opened in (store, other):
            assert await opened.tree_runs(ROOT.id) == [changed, CHILD]
            metric, log, artifact = belongings(changed)
            assert await opened.get(Metric, [metric.id]) == [metric]
            assert await opened.get(Artifact, [artifact.id]) == [artifact]
            assert await opened.ends([metric.id, log.id, journal_of(ROOT.id)]) == [2, 5, n + 2]
            assert await read_all(opened, metric.id) == [Item(0, 2, b"points of root")]
            assert await read_all(opened, belongings(GRANDCHILD)[0].id) == []
            assert [item.start for item in await read_all(opened, journal_of(ROOT.id))] == [n - 1, n, n + 1]
            assert [one.writer for one in await opened.all_positions(ROOT.id, first=9)] == [
                "writer child",
                "writer root",
            ]
            for tag, expected in (("a", [CHILD]), ("b", [changed])):
                found = await opened.find_runs(
                    Compare(BagField(Bag.TAG, "team"), Op.EQ, tag), [Order(MetricField("loss"))], first=9
                )
                assert [one.run for one in found] == expected
        # Rows that others had are merged as if they had never been.
        metric = belongings(changed)[0]
        await other.commit(
            Batch(ROOT.id, entry(n + 2), appends=(Append(metric.id, Item(2, 3, b" and more")),))
        )
        assert await store.compact(metric.id, Item(0, 3, b"merged"), await read_all(store, metric.id))
        assert await read_all(other, metric.id) == [Item(0, 3, b"merged")]
        await other.close()

    async def test_a_purge_or_a_commit_wins(self, store: Store, place: Place) -> None:
        other = await place.open()
        n = 0
        winners = set()
        for round_ in range(12):
            await grow(store, ROOT, n=n)
            purge = store.purge(purge_of(n + 1, ROOT))
            commit = other.commit(
                Batch(ROOT.id, entry(n + 1), replaces=(replace(ROOT, number=round_),), creates=(CHILD,))
            )
            first, second = (purge, commit) if round_ % 2 else (commit, purge)
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert [type(result) for result in results if result is not None] == [Conflict]
            purged = (results[0] is None) == bool(round_ % 2)
            winners.add(purged)
            assert await store.tree_runs(ROOT.id) == ([] if purged else [replace(ROOT, number=round_), CHILD])
            n += 2
            if not purged:
                await other.purge(purge_of(n, ROOT, CHILD))
                n += 1
            assert await other.ends([journal_of(ROOT.id)]) == [n]
        await other.close()

    async def test_a_purge_wakes_those_who_follow(self, store: Store, place: Place) -> None:
        other = await place.open()
        await grow(store, ROOT, CHILD)
        async with listening(store) as here, listening(other) as there:
            await store.purge(purge_of(2, ROOT, CHILD))
            await here.of(ROOT.id)
            await there.of(ROOT.id)
            # Whatever is cleaned up afterwards, they are told of the next one too.
            for n in range(5):
                here.clear()
                there.clear()
                await save(store, a_run(f"next {n}"))
                await here.of(a_run(f"next {n}").id)
                await there.of(a_run(f"next {n}").id)
        await other.close()

    async def test_readers_never_fail_while_things_go_away(self, store: Store, place: Place) -> None:
        other = await place.open()
        metric = a_metric(ROOT, "long")
        writing = True

        async def write() -> None:
            nonlocal writing
            n = 0
            for _ in range(6):
                await save(store, ROOT, metric)
                n += 1
                for row in range(12):
                    item = Item(row, row + 1, b"row %d" % row)
                    await store.commit(Batch(ROOT.id, entry(n), appends=(Append(metric.id, item),)))
                    n += 1
                await store.trim(ROOT.id, n - 3)
                await store.purge(purge_of(n, ROOT))
                n += 1
            writing = False

        async def read(opened: Store) -> None:
            while writing:
                items = await opened.read(metric.id, 0)
                assert items == [Item(row, row + 1, b"row %d" % row) for row in range(len(items))]
                journal = await opened.read(journal_of(ROOT.id), 0)
                starts = [item.start for item in journal]
                assert starts == list(range(starts[0], starts[0] + len(starts))) if starts else True
                for found in await opened.find_runs(None, [Order(MetricField("long"))], first=5):
                    assert found.run == ROOT

        await asyncio.gather(write(), read(store), read(other), read(other))
        assert await other.count_runs(None) == 0
        await other.close()

    async def test_a_trim_forgets_the_old_entries(self, store: Store, place: Place) -> None:
        await grow(store, *TREE)
        journal = journal_of(ROOT.id)
        entries = await read_all(store, journal)
        untouched = await store.tree_runs(ROOT.id)
        for before, left in ((0, 0), (1, 1), (0, 1), (2, 2), (2, 2)):
            await store.trim(ROOT.id, before)
            assert await store.ends([journal]) == [3]
            for start in range(-1, 4):
                assert await store.read(journal, start) == entries[max(start, left) :]
                assert await store.read(journal, 0, end=max(0, start)) == entries[left : max(0, start)]
            assert await store.read_back(journal, 3, limit=10**6) == entries[left:]
            assert await store.read_back(journal, left, limit=10**6) == []
            assert (await extents(store))[journal] == (left, 3)
        await store.trim(ROOT.id, 99)
        assert await store.read(journal, 0) == []
        assert (await extents(store))[journal] == (3, 3)
        await store.commit(Batch(ROOT.id, entry(3)))
        again = await place.open()
        assert await read_all(again, journal) == [entry(3)]
        assert (await extents(again))[journal] == (3, 4)
        assert await again.tree_runs(ROOT.id) == untouched
        assert len(await again.all_positions(ROOT.id, first=9)) == 3
        await again.close()
        # A tree that never was has nothing to forget.
        await store.trim(OTHER.id, 5)
        assert await store.ends([journal_of(OTHER.id)]) == [0]

    async def test_trims_and_commits_at_once(self, store: Store, place: Place) -> None:
        other = await place.open()
        await save(store, ROOT)
        journal = journal_of(ROOT.id)

        async def commit() -> None:
            for n in range(1, 60):
                await store.commit(Batch(ROOT.id, entry(n)))

        async def trim() -> None:
            while not committing.done():
                [end] = await other.ends([journal])
                await other.trim(ROOT.id, end - 2)
                left = await other.read(journal, 0)
                assert left[0].start >= end - 2

        committing = asyncio.create_task(commit())
        await asyncio.gather(committing, trim())
        assert (await read_all(other, journal))[-1] == entry(59)
        await other.close()
