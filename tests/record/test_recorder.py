from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from graphql_runs.model import ids
from graphql_runs.model.change import Entry
from graphql_runs.model.errors import (
    AlreadyExists,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RunsError,
    SequenceConflict,
    SequenceGap,
)
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    DescribeCluster,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
    SetStatus,
)
from graphql_runs.model.records import (
    Artifact,
    Cluster,
    Column,
    ColumnType,
    Experiment,
    LogFile,
    Metric,
    MetricKind,
    Workspace,
)
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.read.points import read_points
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store, journal_of
from graphql_runs.store.sqlite import SqliteStore

HOME = ids.workspace_id("w")


def declare(run_id: str, parent: str | None = None, root: str | None = None, **facts: object) -> DeclareRun:
    return DeclareRun(run_id, "exp", run_id, "test", parent=parent, root=root, **facts)  # type: ignore[arg-type]  # facts of any type


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


async def run_of(store: Store, run_id: str) -> Run:
    [found] = await store.get(Run, [id_of(run_id)])
    assert found is not None
    return found


async def metric_of(store: Store, run_id: str, name: str) -> Metric:
    [found] = await store.get(Metric, [ids.metric_id(id_of(run_id), name)])
    assert found is not None
    return found


async def journal(store: Store, run_id: str) -> list[Entry]:
    return [Entry.decode(item.data) for item in await store.read(journal_of(id_of(run_id)), 0)]


async def test_a_run_comes_to_be_with_its_workspace_experiment_and_cluster(
    store: Store, recorder: Recorder
) -> None:
    done = await recorder.record("w", [declare("r", cluster="gpu", params={"lr": "0.1"})])
    assert done.runs == (id_of("r"),)
    assert (done.root, done.n, done.repeated) == (id_of("r"), 1, False)
    run = await run_of(store, "r")
    assert (run.status, run.number, run.depth, run.root) == (RunStatus.NOT_STARTED, 1, 0, run.id)
    assert run.params == {"lr": "0.1"}
    [workspace], [experiment], [cluster] = (
        await store.get(Workspace, [HOME]),
        await store.get(Experiment, [run.experiment]),
        await store.get(Cluster, [run.cluster or ""]),
    )
    assert (workspace and workspace.name, experiment and experiment.name, cluster and cluster.name) == (
        "w",
        "exp",
        "gpu",
    )


async def test_points_come_back_as_they_were_given(store: Store, recorder: Recorder) -> None:
    values = [1.5, math.nan, math.inf, -math.inf, 0.1]
    await recorder.record(
        "w", [declare("r"), LogPoints("r", "loss", values, steps=[0, 1, 2, 3, 4], at=[10, 20, 30, 40, 50])]
    )
    await recorder.record("w", [LogPoints("r", "loss", [2.5], steps=[5], at=[60])])
    metric = await metric_of(store, "r", "loss")
    points = await read_points(store, metric.id, 0, 100)
    assert np.array_equal(points.columns["value"], [*values, 2.5], equal_nan=True)
    assert points.steps is not None
    assert points.steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert points.at.tolist() == [10, 20, 30, 40, 50, 60]
    assert (metric.count, metric.min, metric.max, metric.non_finite, metric.first_non_finite_step) == (
        6,
        0.1,
        2.5,
        3,
        1,
    )


async def test_rows_keep_the_types_of_their_columns(store: Store, recorder: Recorder) -> None:
    rows = LogRows(
        "r",
        "table",
        {"name": ["a", None], "score": [1.0, 2.0], "good": [True, False], "big": [2**60, 1]},
        kind=MetricKind.TABLE,
    )
    await recorder.record("w", [declare("r"), rows])
    metric = await metric_of(store, "r", "table")
    assert metric.columns == (
        Column("name", ColumnType.TEXT),
        Column("score", ColumnType.FLOAT),
        Column("good", ColumnType.BOOL),
        Column("big", ColumnType.INT),
    )
    points = await read_points(store, metric.id, 0, 2)
    assert points.columns["name"].tolist() == ["a", None]
    assert points.columns["big"].tolist() == [2**60, 1]
    assert metric.last == 2.0
    with pytest.raises(InvalidInput, match="TEXT was given"):
        await recorder.record("w", [LogRows("r", "table", {"score": ["x"]}, kind=MetricKind.TABLE)])


async def test_the_journal_names_exactly_what_changed(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [declare("r")])
    await recorder.record("w", [LogPoints("r", "loss", [1.0, 2.0]), LogText("r", "out.log", b"hello\nwor")])
    await recorder.record("w", [LogText("r", "out.log", b"ld\n"), SetStatus("r", RunStatus.RUNNING, "api")])
    created, first, second = await journal(store, "r")
    assert [(c.created, c.status_to) for c in created.runs] == [(True, RunStatus.NOT_STARTED)]
    assert [(g.start, g.end) for g in first.metrics] == [(0, 2)]
    assert [(g.start, g.end) for g in first.logs] == [(0, 9)]
    assert [(g.start, g.end) for g in second.logs] == [(9, 12)]
    assert [(c.status_from, c.status_to) for c in second.runs] == [(RunStatus.NOT_STARTED, RunStatus.RUNNING)]
    [log] = await store.get(LogFile, [ids.log_id(id_of("r"), "out.log")])
    assert log is not None
    assert (log.size, log.lines, log.ends_open) == (12, 2, False)
    assert [item.mark for item in await store.read(log.id, 0)] == [0, 1]


async def test_a_retry_is_written_once_and_a_gap_or_another_content_is_refused(
    store: Store, recorder: Recorder
) -> None:
    ops: Sequence[RunOperation] = [declare("r"), LogPoints("r", "loss", [1.0])]
    first = await recorder.record("w", ops, writer="p", sequence=0)
    again = await recorder.record("w", ops, writer="p", sequence=0)
    assert (first.repeated, again.repeated, again.n) == (False, True, first.n)
    with pytest.raises(SequenceConflict):
        await recorder.record("w", [LogPoints("r", "loss", [2.0])], writer="p", sequence=0)
    with pytest.raises(SequenceGap) as caught:
        await recorder.record("w", [LogPoints("r", "loss", [2.0])], writer="p", sequence=2)
    assert caught.value.extensions["expected"] == 1
    await recorder.record("w", [LogPoints("r", "loss", [2.0])], writer="p", sequence=1)
    # An older one with any content counts as acknowledged before.
    assert (await recorder.record("w", [LogPoints("r", "loss", [9.0])], writer="p", sequence=0)).repeated
    assert (await metric_of(store, "r", "loss")).count == 2


async def test_the_writers_position_keeps_its_note(recorder: Recorder) -> None:
    await recorder.record("w", [declare("r")], writer="p", sequence=0, note=b"here")
    place = await recorder.position("w", "r", "p")
    assert place is not None
    assert (place.sequence, place.note) == (0, b"here")
    assert await recorder.position("w", "r", "q") is None


async def test_a_refused_call_leaves_nothing_behind(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [declare("r"), LogPoints("r", "loss", [1.0])])
    with pytest.raises(InvalidInput, match="LIST was given"):
        await recorder.record(
            "w",
            [
                LogText("r", "out", b"x"),
                LogPoints("r", "acc", [1.0]),
                LogPoints("r", "loss", [1.0], kind=MetricKind.LIST),
            ],
        )
    assert await store.get(LogFile, [ids.log_id(id_of("r"), "out")]) == [None]
    assert await store.get(Metric, [ids.metric_id(id_of("r"), "acc")]) == [None]
    assert len(await journal(store, "r")) == 1


async def test_calls_that_queue_together_fail_alone(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [declare("r")])
    calls: list[list[RunOperation]] = [[LogPoints("r", "m", [float(i)])] for i in range(20)]
    calls[7] = [LogPoints("r", "m", [1.0], kind=MetricKind.LIST)]
    done = await asyncio.gather(*(recorder.record("w", ops) for ops in calls), return_exceptions=True)
    assert [i for i, result in enumerate(done) if isinstance(result, RunsError)] == [7]
    assert (await metric_of(store, "r", "m")).count == 19
    assert len(await journal(store, "r")) < 20


async def test_children_share_the_tree_and_an_unseen_parent_is_a_placeholder(
    store: Store, recorder: Recorder
) -> None:
    done = await recorder.record("w", [declare("leaf", parent="middle", root="top")])
    assert done.root == id_of("top")
    leaf, middle, top = await run_of(store, "leaf"), await run_of(store, "middle"), await run_of(store, "top")
    assert (leaf.parent, middle.parent, top.parent) == (middle.id, top.id, None)
    assert [run.depth for run in (top, middle, leaf)] == [0, 1, 2]
    assert (middle.placeholder, middle.status) == (True, RunStatus.UNKNOWN)
    await recorder.record("w", [declare("middle", parent="top", display_name="Middle")])
    middle = await run_of(store, "middle")
    assert (middle.placeholder, middle.display_name, middle.source) == (False, "Middle", "test")
    with pytest.raises(InvalidInput, match=r"parent .* is fixed"):
        await recorder.record("w", [declare("middle", parent="leaf")])


async def test_one_call_writes_to_one_tree(recorder: Recorder) -> None:
    with pytest.raises(InvalidInput, match="different run trees"):
        await recorder.record("w", [declare("a"), declare("b")])


async def test_a_later_declaration_fills_and_merges(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [declare("r", tags={"a": "1"}, created_at=100)])
    await recorder.record("w", [declare("r", tags={"b": "2"}, description="more")])
    await recorder.record("w", [Annotate("r", tags={"a": "3"}, remove_tags=["b"], exit_code=1)])
    run = await run_of(store, "r")
    assert (run.tags, run.description, run.exit_code, run.created_at, run.number) == (
        {"a": "3"},
        "more",
        1,
        100,
        1,
    )


async def test_times_in_the_future_are_those_of_arrival(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [declare("r"), SetStatus("r", RunStatus.RUNNING, "api", at=2**52)])
    await recorder.record("w", [SetStatus("r", RunStatus.COMPLETED, "api")])
    assert (await run_of(store, "r")).status is RunStatus.COMPLETED


async def test_an_artifact_is_journaled_when_it_changes(store: Store, recorder: Recorder) -> None:
    there = AddArtifact("r", "model.pt", 5, location="/somewhere/model.pt", created_at=1)
    await recorder.record("w", [declare("r"), there])
    await recorder.record("w", [there, AddArtifact("r", "other.pt", 6, location="/somewhere/other.pt")])
    entries = await journal(store, "r")
    assert [len(entry.artifacts) for entry in entries] == [1, 1]
    assert [a.path for a in await store.list_named(Artifact, id_of("r"), first=10)] == [
        "model.pt",
        "other.pt",
    ]


@pytest.mark.parametrize(
    ("operation", "error", "field"),
    [
        (LogPoints("r", "x" * 10_000, [1.0]), LimitExceeded, "operations[0].metric"),
        (LogPoints("r", "", [1.0]), InvalidInput, "operations[0].metric"),
        (LogPoints("r", "a\x00b", [1.0]), InvalidInput, "operations[0].metric"),
        (LogPoints("r", "m", [1.0, 2.0], steps=[1]), InvalidInput, "operations[0].steps"),
        (LogRows("r", "m", {"a": [1.0], "b": [1.0, 2.0]}), InvalidInput, "operations[0].columns"),
        (LogText("r", "../secret", b"x"), InvalidInput, "operations[0].path"),
        (LogText("r", "/etc/passwd", b"x"), InvalidInput, "operations[0].path"),
        (LogText("r", "out", b"x" * 2000), LimitExceeded, "logs"),
        (LogPoints("r", "m", [1.0] * 200), LimitExceeded, "points"),
        (DeclareRun(id_of("r"), "e", "n", "s"), InvalidInput, "operations[0].runId"),
        (DeclareRun("r", "e", "n", "s", parent="r"), InvalidInput, "operations[0].parent"),
        (Annotate("r", tags={"k": "v" * 70_000}), LimitExceeded, "operations[0].tags['k']"),
        (Annotate("nobody"), NotFound, "run"),
        (LogPoints("r", "\ud800", [1.0]), InvalidInput, "operations[0].metric"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | type) else str(value)[:24],
)
async def test_bad_input_names_its_field(
    store: Store, operation: RunOperation, error: type[RunsError], field: str
) -> None:
    recorder = Recorder(store, RecordLimits(text_bytes=1000, points=100))
    await recorder.record("w", [declare("r")])
    with pytest.raises(error) as caught:
        await recorder.record("w", [operation])
    assert caught.value.field == field
    assert len(await journal(store, "r")) == 1


async def test_workspaces_and_experiments_are_made_once(recorder: Recorder) -> None:
    first = await recorder.create_workspace("team", "ours")
    assert await recorder.create_workspace("team") == first
    with pytest.raises(AlreadyExists):
        await recorder.create_workspace("team", "theirs")
    experiment = await recorder.create_experiment("team", "e", tags={"a": "b"})
    assert await recorder.create_experiment("team", "e") == experiment
    with pytest.raises(NotFound, match="no workspace"):
        await recorder.record("nowhere", [declare("r")], create=False)


async def test_a_cluster_keeps_what_is_not_said(store: Store, recorder: Recorder) -> None:
    await recorder.describe_cluster("w", DescribeCluster("gpu", vm_size="big", node_states={"idle": 2}))
    await asyncio.gather(
        *(recorder.describe_cluster("w", DescribeCluster("gpu", current_nodes=i)) for i in range(5))
    )
    cluster = await recorder.describe_cluster("w", DescribeCluster("gpu", state="steady"))
    assert (cluster.vm_size, cluster.state, cluster.node_states) == ("big", "steady", {"idle": 2})
    assert cluster.current_nodes in range(5)


async def test_two_processes_write_one_tree(tmp_path: Path) -> None:
    """Two recorders on two openings of the store see each other as two processes do."""
    one, two = await SqliteStore.open(tmp_path / "s.sqlite"), await SqliteStore.open(tmp_path / "s.sqlite")
    recorders = [Recorder(one), Recorder(two)]
    await recorders[0].record("w", [declare("r")])

    async def write(recorder: Recorder, writer: str) -> None:
        for i in range(40):
            await recorder.record(
                "w",
                [LogPoints("r", "shared", [1.0]), LogPoints("r", writer, [float(i)])],
                writer=writer,
                sequence=i,
            )

    await asyncio.gather(
        *(write(recorder, f"writer {i}") for i, recorder in enumerate([*recorders, *recorders]))
    )
    assert (await metric_of(one, "r", "shared")).count == 160
    for i in range(4):
        metric = await metric_of(two, "r", f"writer {i}")
        points = await read_points(two, metric.id, 0, 100)
        assert points.columns["value"].tolist() == [float(k) for k in range(40)]
    # A stale memory of a writer's position is noticed before a refusal.
    await recorders[0].record("w", [LogPoints("r", "m", [1.0])], writer="moves", sequence=0)
    await recorders[1].record("w", [LogPoints("r", "m", [1.0])], writer="moves", sequence=1)
    assert not (
        await recorders[0].record("w", [LogPoints("r", "m", [1.0])], writer="moves", sequence=2)
    ).repeated
    for recorder in recorders:
        await recorder.close()
    await one.close()
    await two.close()


async def test_integers_beyond_doubles_and_fractions_share_a_metric(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [declare("r")])
    await asyncio.gather(
        *(recorder.record("w", [LogPoints("r", "m", [value])]) for value in (1.5, 2**60 + 1, 2.5))
    )
    metric = await metric_of(store, "r", "m")
    assert metric.count == 3
    items = [await read_points(store, metric.id, i, i + 1) for i in range(3)]
    assert [item.columns["value"].item() for item in items] == [1.5, 2**60 + 1, 2.5]
