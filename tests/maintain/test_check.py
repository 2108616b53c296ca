"""Checking a store: a sound one is found sound, every damage is found with its id, and what can be repaired is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.live.follow import follow_tree, tree_cursor
from graphql_runs.live.hub import Hub
from graphql_runs.maintain.check import check_store
from graphql_runs.maintain.findings import CheckReport
from graphql_runs.model.change import Entry, Growth
from graphql_runs.model.cursor import TreeCursor
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.operation import LogPoints, LogText, TrashRun
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.record.compaction import Compactor, Merging
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Batch, Item, Store, journal_of
from tests.maintain import damage
from tests.maintain.filling import (
    blob_files,
    contents,
    declared,
    every,
    fill,
    grown,
    journal_end,
    log_id,
    metric_id,
    run_id,
)

LOSS = metric_id("child-1", "loss")
TEXT = log_id("child-1", "logs/out.txt")
SWEEP = run_id("sweep")
CHILD = run_id("child-1")


@pytest.fixture
async def full(store: Store) -> Store:
    await fill(store)
    return store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


def ids(report: CheckReport) -> list[str]:
    return [finding.id for finding in report.findings]


async def test_a_sound_store_is_found_sound(full: Store) -> None:
    before = await contents(full)
    assert before[run_id("lone")].alias_of == CHILD
    end = await journal_end(full, SWEEP)
    for mend in (False, True):
        report = await check_store(full, mend=mend, blobs=True)
        assert report.sound
        assert report.findings == []
        assert report.counts == {
            "workspaces": 2, "clusters": 1, "experiments": 2, "runs": 4, "metrics": 8, "log files": 3, "artifacts": 2,
            "trees": 2, "streams": 12,
        }  # fmt: skip
    await Compactor(full, Merging(items=2, pause=0)).round()
    assert (await check_store(full)).findings == []
    assert await journal_end(full, SWEEP) == end
    assert await contents(full) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 3), ("count", 300), ("finite", 0), ("total", 1e9), ("last", 7.5), ("last", "NaN"), ("last_at", 1),
        ("min", -1.0), ("min_step", 7), ("max", None), ("max_step", 2.5), ("first_step", None), ("last_step", 99),
        ("non_finite", 0), ("first_non_finite_step", None), ("columns", []),
    ],
)  # fmt: skip
async def test_a_wrong_summary_is_found_and_repaired(full: Store, file: Path, name: str, value: Any) -> None:
    before = await contents(full)
    damage.change_record(file, "metric", LOSS, lambda document: document.update({name: value}))
    report = await check_store(full)
    assert not report.sound
    assert LOSS in ids(report)
    assert f"{name} is " in next(str(finding) for finding in report.findings if finding.id == LOSS)
    report = await check_store(full, mend=True)
    assert report.sound
    assert report.findings
    assert (await check_store(full)).findings == []
    after = await contents(full)
    assert after[LOSS].total == pytest.approx(before[LOSS].total)
    assert {**after, LOSS: None} == {**before, LOSS: None}
    assert {**_fields(after[LOSS]), "total": 0} == {**_fields(before[LOSS]), "total": 0}


def _fields(metric: Metric) -> dict[str, Any]:
    return {name: repr(getattr(metric, name)) for name in Metric.__slots__}


@pytest.mark.parametrize(
    ("name", "value"), [("size", 10), ("size", 10_000), ("lines", 0), ("ends_open", False)]
)
async def test_a_wrong_log_is_found_and_repaired(full: Store, file: Path, name: str, value: Any) -> None:
    before = await contents(full)
    damage.change_record(file, "log", TEXT, lambda document: document.update({name: value}))
    assert TEXT in ids(await check_store(full))
    assert (await check_store(full, mend=True)).sound
    assert (await check_store(full)).findings == []
    assert await contents(full) == before


async def test_a_repair_is_told_to_followers(full: Store, file: Path) -> None:
    cursor = await tree_cursor(full, SWEEP)
    damage.change_record(file, "metric", LOSS, lambda document: document.update(last=7.5))
    await check_store(full, mend=True)
    hub = Hub(full)
    async for update in follow_tree(full, hub, SWEEP, run=SWEEP, after=cursor):
        assert [(delta.metric.id, delta.metric.last) for delta in update.metrics] == [(LOSS, 0.5)]
        break
    await hub.close()


@pytest.mark.parametrize("fitting", [False, True])
async def test_garbage_in_a_segment_is_found_and_left_alone(full: Store, file: Path, fitting: bool) -> None:
    damage.change_item(file, LOSS, 4, b"garbage", fitting=fitting)
    for _ in range(2):
        report = await check_store(full, mend=True)
        assert ids(report) == [LOSS]
        assert "4" in report.findings[0].problem
        assert not report.sound


async def test_missing_rows_are_found(full: Store, file: Path) -> None:
    damage.delete_item(file, LOSS, 4)
    damage.delete_item(file, TEXT, 0)
    report = await check_store(full, mend=True)
    assert ids(report) == [LOSS, TEXT]
    assert not report.sound
    assert all("missing" in finding.problem or "lacks rows" in finding.problem for finding in report.findings)


async def test_a_segment_of_other_rows_is_found(full: Store, file: Path) -> None:
    [first, *_] = await full.read(metric_id("child-1", "big"), 0)
    damage.change_item(file, LOSS, 4, first.data, fitting=True)
    report = await check_store(full)
    assert ids(report) == [LOSS]
    assert "1 points for rows [4, 6)" in report.findings[0].problem


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": 7}, "depth is 7"),
        ({"parent": run_id("nobody")}, f"parent {run_id('nobody')} does not exist"),
        ({"workspace": "workspace_x"}, "workspace workspace_x does not exist"),
        ({"experiment": "experiment_x"}, "experiment experiment_x does not exist"),
        ({"cluster": "cluster_x"}, "cluster cluster_x does not exist"),
        ({"alias_of": "run_x"}, "it is an alias of run_x, which does not exist"),
        ({"alias_of": run_id("lone")}, f"which is one of {CHILD}"),
        ({"root": run_id("lone")}, f"root is {run_id('lone')}"),
    ],
)
async def test_a_run_at_the_wrong_place_is_found(
    full: Store, file: Path, change: dict[str, Any], words: str
) -> None:
    damage.change_record(file, "run", CHILD, _set(**change))
    report = await check_store(full, mend=True)
    assert not report.sound
    assert any(words in finding.problem for finding in report.findings if finding.id == CHILD)


async def test_records_without_a_run_and_streams_without_a_record_are_found(full: Store, file: Path) -> None:
    damage.delete_record(file, "run", CHILD)
    lost = [metric for metric in await every(full, Metric) if metric.run == CHILD]
    damage.delete_record(file, "metric", LOSS)
    report = await check_store(full)
    assert not report.sound
    assert {metric.id for metric in lost} <= set(ids(report))
    assert any(
        finding.id == LOSS and "no record belongs to" in finding.problem for finding in report.findings
    )


async def test_blobs_are_checked(full: Store, file: Path) -> None:
    [blob] = blob_files(file.parent)
    content = blob.read_bytes()
    blob.write_bytes(content.upper())
    assert (await check_store(full)).findings == []
    [finding] = (await check_store(full, blobs=True)).findings
    assert finding.id.startswith("artifact_")
    assert "SHA-256" in finding.problem
    blob.write_bytes(content + b"!")
    assert "its size is 18" in (await check_store(full)).findings[0].problem
    blob.unlink()
    assert "does not exist" in (await check_store(full)).findings[0].problem


async def test_a_damaged_journal_is_found_and_followers_begin_anew(full: Store, file: Path) -> None:
    cursor = TreeCursor(full.epoch, SWEEP, 2).encode()
    end = await journal_end(full, SWEEP)
    damage.change_item(file, journal_of(SWEEP), 3, b"garbage", fitting=True)
    report = await check_store(full)
    assert ids(report) == [SWEEP]
    assert "entry 3" in report.findings[0].problem
    assert (await check_store(full, mend=True)).sound
    assert (await check_store(full)).findings == []
    assert await journal_end(full, SWEEP) == end + 1
    hub = Hub(full)
    async for update in follow_tree(full, hub, SWEEP, run=SWEEP, after=cursor):
        assert update.gap is not None
        break
    await hub.close()


@pytest.mark.parametrize("fitting", [False, True])
async def test_missing_entries_of_a_journal_are_found(full: Store, file: Path, fitting: bool) -> None:
    if fitting:
        damage.delete_item(file, journal_of(SWEEP), 3)
    else:
        damage.change_item(file, journal_of(SWEEP), 3, b"garbage", fitting=False)
    assert ids(await check_store(full)) == [SWEEP]
    assert (await check_store(full, mend=True)).sound
    assert (await check_store(full)).findings == []


async def test_a_journal_that_tells_of_other_rows_is_found(full: Store) -> None:
    n = await journal_end(full, SWEEP)
    wrong = Entry(1, metrics=(Growth(LOSS, 12, 50),), logs=(Growth(TEXT, 0, 5),))
    await full.commit(Batch(SWEEP, Item(n, n + 1, wrong.encode())))
    report = await check_store(full)
    assert [finding.id for finding in report.findings] == [SWEEP, SWEEP]
    assert {"tells of 50 rows", "tells of 5 rows"} <= {
        finding.problem[12:28] for finding in report.findings
    } | {finding.problem[12:27] for finding in report.findings}
    assert (await check_store(full, mend=True)).sound
    assert (await check_store(full)).findings == []


@pytest.mark.parametrize(
    ("table", "id", "kind"), [("metric", LOSS, Metric), ("log", TEXT, LogFile), ("run", CHILD, Run)]
)
async def test_a_record_that_cannot_be_read_is_named_and_passed(
    full: Store, file: Path, table: str, id: str, kind: Any
) -> None:
    damage.garble_record(file, table, id)
    report = await check_store(full, mend=True)
    assert not report.sound
    assert id in ids(report)
    [others] = [count for name, count in report.counts.items() if name.startswith(table)]
    assert others == {"metric": 7, "log": 2, "run": 3}[table]


async def test_a_store_that_cannot_answer_is_no_finding(full: Store) -> None:
    class Gone:
        def __getattr__(self, name: str) -> Any:
            async def fail(*_: object, **__: object) -> None:
                raise StoreUnavailable("gone")

            return fail

    gone: Any = Gone()
    with pytest.raises(StoreUnavailable, match="gone"):
        await check_store(gone)


async def test_a_store_in_use_gives_no_false_alarm(full: Store, file: Path) -> None:
    damage.change_record(file, "metric", metric_id("child-2", "loss"), _set(last=7.5))
    recorder = Recorder(full)
    compactor = Compactor(full, Merging(items=4, pause=0))
    stop = asyncio.Event()

    async def write() -> None:
        step = 0
        while not stop.is_set():
            await recorder.record(
                "home", [LogPoints("child-1", "loss", [1.0] * 5), LogText("child-1", "logs/out.txt", b"x\n")]
            )
            step += 1
            if step % 10 == 0:
                await compactor.round()

    writer = asyncio.create_task(write())
    for _ in range(3):
        assert ids(await check_store(full)) == [metric_id("child-2", "loss")]
    report = await check_store(full, mend=True)
    assert report.sound
    assert ids(report) == [metric_id("child-2", "loss")]
    stop.set()
    await writer
    await recorder.close()
    assert (await check_store(full)).findings == []


async def test_what_was_purged_trimmed_and_made_anew_is_sound(full: Store) -> None:
    recorder = Recorder(full)
    for run in ("child-2", "lone"):
        await recorder.record("home", [TrashRun(run)])
        await recorder.purge(run_id(run))
        assert (await check_store(full)).findings == []
    await recorder.record("home", [*declared("child-2"), *grown("child-2", 0)])
    assert (await check_store(full)).findings == []
    await full.trim(SWEEP, await journal_end(full, SWEEP) - 1)
    assert (await check_store(full)).findings == []
    await recorder.close()


async def test_a_journal_without_a_tree_is_found(full: Store, file: Path) -> None:
    damage.delete_record(file, "run", run_id("lone"))
    assert journal_of(run_id("lone")) in ids(await check_store(full))
