"""Records by id, owner and name; the records that stand alone; numbers, hints and what a store says of itself."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from graphql_runs.model import ids
from graphql_runs.model.change import Hint
from graphql_runs.model.errors import Conflict, StoreUnavailable
from graphql_runs.model.records import (
    Artifact,
    Cluster,
    ClusterNode,
    Column,
    ColumnType,
    Experiment,
    LogFile,
    LogStream,
    Metric,
    Workspace,
)
from graphql_runs.model.run import Goal, Queueing, Run, RunFailure, RunWarning, StatusEvidence
from graphql_runs.model.status import RunStatus
from graphql_runs.store.port import Batch, Store
from tests.store.samples import HOME, LAB, Place, a_log, a_metric, a_run, entry, save
from tests.store.suite.base import Suite

WORDS = ["a", "B", "b", "a%b", "a_b", "aXb", "ab", "é", "日本", "𝄞", "[z]", "*", "?", "A\\b", "zz"]


def workspace(name: str = "home", **fields: object) -> Workspace:
    return replace(Workspace(ids.workspace_id(name), name, 1), **fields)  # type: ignore[arg-type] # any of its fields


def full_run() -> Run:
    return a_run(
        "full",
        parent=None,
        display_name="Display ü",
        description="two\nlines",
        kind="sweep",
        cluster=ids.cluster_id(HOME, "gpu"),
        target="node",
        submitted_by="ada",
        original_status="Running",
        evidence=(StatusEvidence(RunStatus.QUEUED, 5, False, "log:3", "Queued", "why"),),
        error=RunFailure("it broke", "E1", None),
        warnings=(RunWarning("careful", "azureml"),),
        queueing=Queueing("NoNodes", "wait", 7, 3),
        started_at=2**53 + 1,
        ended_at=2**53 + 2,
        heartbeat_seconds=0.1,
        exit_code=-9,
        primary_metric="loss",
        primary_metric_goal=Goal.MINIMIZE,
        placeholder=True,
        tags={"a.b": "1", "$set": "x", "": "empty key"},
        params={"lr": "1e-3", "日本": ""},
        properties={"p" * 300: "v" * 5000},
    )


class Records(Suite):
    """See the module."""

    async def test_records_come_back_as_they_were(self, store: Store) -> None:
        run = full_run()
        metric = a_metric(
            run,
            "loss",
            columns=(Column("value", ColumnType.FLOAT), Column("label", ColumnType.TEXT)),
            count=3,
            finite=2,
            total=1e300,
            last=math.inf,
            last_at=9,
            min=-0.5,
            min_step=0.5,
            max_step=2**53 + 1,
            first_non_finite_step=2**60 + 1,
            non_finite=1,
        )
        log = a_log(run, "logs/out.txt", stream=LogStream.STDERR, rank=0, size=2**40, lines=7, ends_open=True)
        artifact = Artifact(ids.artifact_id(run.id, "m.pt"), run.id, run.root, "m.pt", 5, 1, blob="ab" * 32)
        await save(store, run, metric, log, artifact)
        assert await store.get(Run, [run.id]) == [run]
        assert await store.get(Metric, [metric.id]) == [metric]
        assert await store.get(LogFile, [log.id]) == [log]
        assert await store.get(Artifact, [artifact.id]) == [artifact]

    async def test_not_a_number_survives(self, store: Store) -> None:
        run = a_run("r")
        metric = a_metric(run, "loss", last=math.nan, min=-math.inf, total=-math.inf)
        await save(store, run, metric)
        [found] = await store.get(Metric, [metric.id])
        assert found is not None
        assert found.last is not None
        assert math.isnan(found.last)
        assert replace(found, last=None) == replace(metric, last=None)

    async def test_get_keeps_the_order_asked_for(self, store: Store) -> None:
        one, two = a_run("1"), a_run("2")
        await save(store, one)
        await save(store, two)
        assert await store.get(Run, [two.id, "run_unknown", one.id, two.id]) == [two, None, one, two]
        assert await store.get(Run, []) == []
        assert await store.get(Metric, [one.id]) == [None]

    async def test_upsert_writes_only_over_what_was_read(self, store: Store) -> None:
        first, second = workspace(), workspace(description="second")
        await store.upsert(first, None)
        with pytest.raises(Conflict):
            await store.upsert(second, None)
        with pytest.raises(Conflict):
            await store.upsert(second, replace(first, created_at=2))
        assert await store.get(Workspace, [first.id]) == [first]
        await store.upsert(second, first)
        with pytest.raises(Conflict):
            await store.upsert(workspace("unseen"), workspace("unseen"))
        assert await store.get(Workspace, [first.id, ids.workspace_id("unseen")]) == [second, None]
        assert await store.list_named(Workspace, "", first=10) == [second]

    async def test_upsert_of_every_kind(self, store: Store) -> None:
        cluster = Cluster(
            ids.cluster_id(HOME, "gpu"),
            HOME,
            "gpu",
            1,
            node_states={"idle": 2},
            nodes=(ClusterNode("n0", "idle"),),
        )
        experiment = Experiment(LAB, HOME, "lab", 1, tags={"team.a": "x"})
        await store.upsert(cluster, None)
        await store.upsert(experiment, None)
        grown = replace(cluster, current_nodes=4)
        await store.upsert(grown, cluster)
        assert await store.list_named(Cluster, HOME, first=5) == [grown]
        assert await store.list_named(Experiment, HOME, first=5) == [experiment]

    async def test_one_of_many_upserts_at_once_wins(self, store: Store) -> None:
        await store.upsert(workspace(), None)
        results = await asyncio.gather(
            *(store.upsert(workspace(description=str(i)), workspace()) for i in range(20)),
            return_exceptions=True,
        )
        assert results.count(None) == 1
        assert all(result is None or isinstance(result, Conflict) for result in results)
        assert await store.get(Workspace, [HOME]) == [workspace(description=str(results.index(None)))]

    async def test_lists_are_in_code_point_order_by_pages(self, store: Store) -> None:
        run, other = a_run("r"), a_run("other")
        await save(store, run, *(a_metric(run, word) for word in WORDS))
        await save(store, other, a_metric(other, "elsewhere"))
        for descending in (False, True):
            expected = sorted(WORDS, reverse=descending)
            names: list[str] = []
            while page := await store.list_named(
                Metric, run.id, after=names[-1] if names else None, first=4, descending=descending
            ):
                assert len(page) <= 4
                names += [metric.name for metric in page]
            assert names == expected
        assert await store.count(Metric, run.id) == len(WORDS)
        assert await store.list_named(Metric, "run_unknown", first=4) == []
        assert await store.list_named(Metric, run.id, first=0) == []

    @pytest.mark.parametrize(
        "text", ["b", "A", "%", "_", "a%", "*", "?", "[", "é", "É", "\\", "", "zzz", "日"]
    )
    async def test_lists_by_part_of_the_name(self, store: Store, text: str) -> None:
        run = a_run("r")
        await save(store, run, *(a_log(run, word) for word in WORDS))
        # str.lower would fold É too.
        folded = text.encode().lower()
        containing = sorted(word for word in WORDS if folded in word.encode().lower())
        starting = sorted(word for word in WORDS if word.startswith(text))
        assert [
            log.path for log in await store.list_named(LogFile, run.id, first=99, contains=text)
        ] == containing
        assert [
            log.path for log in await store.list_named(LogFile, run.id, first=99, prefix=text)
        ] == starting
        assert await store.count(LogFile, run.id, contains=text) == len(containing)
        assert await store.count(LogFile, run.id, prefix=text) == len(starting)
        both = [word for word in containing if word.startswith("a")]
        found = await store.list_named(LogFile, run.id, first=99, contains=text, prefix="a", after="aX")
        assert [log.path for log in found] == [word for word in both if word > "aX"]

    async def test_runs_of_a_tree(self, store: Store) -> None:
        root = a_run("root")
        children = [a_run(f"c{i}", root=root.id, parent=root.id, depth=1) for i in range(4)]
        grandchild = a_run("g", root=root.id, parent=children[0].id, depth=2)
        await save(store, root, grandchild, *children)
        await save(store, a_run("other"))
        assert await store.tree_runs(root.id) == [root, *sorted(children, key=lambda run: run.id), grandchild]
        assert await store.tree_runs("run_unknown") == []

    async def test_numbers_never_repeat(self, store: Store) -> None:
        drawn = await asyncio.gather(*(store.next_number("a") for _ in range(30)))
        assert len(set(drawn)) == 30
        assert min(drawn) >= 1
        assert await store.next_number("b") == 1
        assert await store.next_number("a") > max(drawn)

    async def test_hints_are_numbered_for_each_workspace(self, store: Store) -> None:
        away = ids.workspace_id("away")
        one, two, far = a_run("1"), a_run("2"), a_run("3", workspace=away)
        for n, (run, home) in enumerate([(one, HOME), (two, HOME), (far, away), (one, HOME)]):
            [end] = await store.ends([f"journal_{run.root.removeprefix('run_')}"])
            await store.commit(Batch(run.root, entry(end), hints=(Hint(home, run.id, run.root, at=n, n=77),)))
        assert await store.hint_end(HOME) == 3
        assert await store.hint_end(away) == 1
        assert await store.hint_end("workspace_unknown") == 0
        hints = await store.hints(HOME, 0, first=10)
        # The older one of the first run may be gone.
        assert hints[-2:] == [Hint(HOME, two.id, two.root, 1, n=2), Hint(HOME, one.id, one.root, 3, n=3)]
        assert [hint.n for hint in hints] in ([2, 3], [1, 2, 3])
        assert await store.hints(HOME, 2, first=10) == [Hint(HOME, one.id, one.root, 3, n=3)]
        assert await store.hints(HOME, 1, first=1) == [Hint(HOME, two.id, two.root, 1, n=2)]
        assert await store.hints(HOME, 3, first=10) == []
        assert await store.hints(away, 0, first=10) == [Hint(away, far.id, far.root, 2, n=1)]

    async def test_it_says_what_it_is(self, store: Store) -> None:
        await store.check()
        assert store.capabilities.name
        assert store.capabilities.version

    async def test_the_epoch_stays_when_it_is_opened_again(self, store: Store, place: Place) -> None:
        again = await place.open()
        assert again.epoch == store.epoch
        await again.close()
        await store.close()
        later = await place.open()
        assert later.epoch == store.epoch != ""
        await later.close()

    async def test_everything_is_there_when_it_is_opened_again(self, store: Store, place: Place) -> None:
        run, metric = full_run(), a_metric(full_run(), "loss", last=0.5)
        await save(store, run, metric, hints=(Hint(HOME, run.id, run.root, 5),))
        await store.upsert(workspace(), None)
        number = await store.next_number("runs")
        await store.close()
        again = await place.open()
        assert await again.get(Run, [run.id]) == [run]
        assert await again.get(Metric, [metric.id]) == [metric]
        assert await again.get(Workspace, [HOME]) == [workspace()]
        assert await again.hint_end(HOME) == 1
        assert await again.next_number("runs") > number
        await again.close()

    async def test_closing_twice_and_using_it_closed(self, store: Store) -> None:
        await asyncio.gather(store.close(), store.close())
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.check()
        with pytest.raises(StoreUnavailable):
            await store.next_number("a")
        with pytest.raises(StoreUnavailable):
            await anext(store.wakes())

    async def test_closing_finishes_what_was_taken(self, store: Store, place: Place) -> None:
        runs = [a_run(f"r{i}") for i in range(50)]
        saving = [
            asyncio.create_task(store.commit(Batch(run.root, entry(0), creates=(run,)))) for run in runs
        ]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*saving)
        again = await place.open()
        assert await again.get(Run, [run.id for run in runs]) == runs
        await again.close()
