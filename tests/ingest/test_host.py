from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphql_runs.ingest.api import Context, Delivery, Ingester, Limits, Tree, Unit
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.operation import Annotate, LogPoints
from graphql_runs.model.source import SourceReport, SourceState
from graphql_runs.model.status import RunStatus
from tests.ingest.plugin import Points

LIMITS = Limits(delivery_bytes=64)


def append(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come about")


def more_than(things: Sequence[object], number: int) -> Callable[[], bool]:
    return lambda: len(things) > number


def following(host: Host) -> Callable[[], bool]:
    return lambda: state(host) is SourceState.FOLLOWING


def report(host: Host, plugin: str = "points") -> SourceReport | None:
    return next((one for one in host.reports() if one.plugin == plugin), None)


def state(host: Host, plugin: str = "points") -> SourceState | None:
    found = report(host, plugin)
    return None if found is None else found.state


@asynccontextmanager
async def hosted(
    records: MemoryRecords,
    *sources: SourceConfig | Path,
    plugins: Sequence[Ingester] | None = None,
    limits: Limits = LIMITS,
    idle_seconds: float = 3600.0,
) -> AsyncIterator[Host]:
    configs = [one if isinstance(one, SourceConfig) else SourceConfig(one, "src") for one in sources]
    host = Host(records, plugins or [Points()], configs, limits, poll_seconds=0.1, idle_seconds=idle_seconds)
    await host.start()
    try:
        yield host
    finally:
        await host.close()


# Reading and following


async def test_what_is_there_is_read_and_what_comes_is_followed(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "exp/run/a.points", "loss 1", "loss 2")
    async with hosted(records, tmp_path) as host:
        await until(lambda: records.values("src/exp/run", "loss") == [1.0, 2.0])
        append(tmp_path / "exp/run/a.points", "loss 3")
        await until(lambda: records.values("src/exp/run", "loss") == [1.0, 2.0, 3.0])
        append(tmp_path / "exp/other/b.points", "loss 4")
        await until(lambda: records.values("src/exp/other", "loss") == [4.0])
        await until(lambda: state(host) is SourceState.FOLLOWING)
        found = report(host)
        assert found is not None
        assert (found.runs, found.files, found.points, found.skipped_total) == (2, 2, 4, 0)
        assert (found.uri, found.name, found.workspace) == (str(tmp_path), "src", "default")


async def test_the_run_of_a_folder_is_declared_before_its_data(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "exp/run/a.points", "loss 1")
    async with hosted(records, tmp_path):
        await until(lambda: records.values("src/exp/run", "loss"))
    run = records.runs()["src/exp/run"]
    assert (run.experiment, run.name, run.source) == ("exp", "run", "points")
    assert [one.status for one in records.statuses("src/exp/run")] == [RunStatus.RUNNING]


async def test_a_run_that_a_plugin_declares_is_left_to_it(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    (tmp_path / "run/claim").write_text("mine")
    async with hosted(records, tmp_path):
        await until(lambda: records.values("mine", "loss"))
    assert records.runs()["mine"].experiment == "claimed"
    assert records.statuses("mine") == []


async def test_a_new_folder_waits_a_moment_for_a_plugin_to_claim_it(tmp_path: Path) -> None:
    records = MemoryRecords()
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host, "folder") is SourceState.FOLLOWING)
        append(tmp_path / "run/a.points", "loss 1")
        await asyncio.sleep(0.15)
        (tmp_path / "run/claim").write_text("mine")
        await until(lambda: records.values("mine", "loss"))
    assert records.runs().keys() == {"mine"}


async def test_clusters_are_described_afresh_at_every_start(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "gpu.cluster", "gpu")
    for number in (1, 2):
        async with hosted(records, tmp_path):
            await until(more_than(records.clusters, number - 1))
    assert [cluster.name for cluster in records.clusters] == ["gpu", "gpu"]


async def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "a.points", "loss 1")
    append(tmp_path / "b.points", "loss 9")
    async with hosted(records, SourceConfig(tmp_path / "a.points", "one")):
        await until(lambda: records.values("one", "loss") == [1.0])
        append(tmp_path / "a.points", "loss 2")
        await until(lambda: records.values("one", "loss") == [1.0, 2.0])


async def test_a_unit_is_read_again_when_what_it_watches_changes(tmp_path: Path) -> None:
    records, plugin = MemoryRecords(), Points()
    append(tmp_path / "run/a.points", "loss 1")
    append(tmp_path / "run/watched/x", "text")
    async with hosted(records, tmp_path, plugins=[plugin]) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
        changes: list[Callable[[], None]] = [
            lambda: append(tmp_path / "run/watched/x", "more"),
            lambda: append(tmp_path / "run/watched/deep/y", "new"),
            (tmp_path / "run/watched/x").unlink,
        ]
        for change in changes:
            before = len(plugin.reads)
            change()
            await until(more_than(plugin.reads, before))


async def test_folders_beside_the_runs_are_excluded(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "data/a.points", "loss 1")
    append(tmp_path / "run/a.points", "loss 2")
    async with hosted(records, SourceConfig(tmp_path, "src", exclude=["data"])):
        await until(lambda: records.values("src/run", "loss"))
    assert records.runs().keys() == {"src/run"}


async def test_a_plugin_gets_its_settings(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "a.points", "loss 1")
    config = SourceConfig(tmp_path, "src", config={"points": {"factor": 10}})
    async with hosted(records, config):
        await until(lambda: records.values("src", "loss") == [10.0])


async def test_many_files_are_all_read(tmp_path: Path) -> None:
    records = MemoryRecords()
    for number in range(500):
        append(tmp_path / f"run{number % 7}/{number}.points", f"loss {number}")
    async with hosted(records, tmp_path) as host:
        await until(lambda: (found := report(host)) is not None and found.points == 500)
        await until(lambda: state(host) is SourceState.FOLLOWING)


async def test_a_large_file_does_not_keep_others_waiting(tmp_path: Path) -> None:
    class Slow(Points):
        def read(
            self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
        ) -> Iterator[Delivery]:
            for delivery in super().read(unit, checkpoint, context):
                if unit.key.startswith("large"):
                    time.sleep(0.01)
                yield delivery

    records = MemoryRecords()
    for number in range(8):
        append(tmp_path / f"run/large{number}.points", *["x 1"] * 2000)
        age(tmp_path / f"run/large{number}.points", 600)
    async with hosted(records, tmp_path, plugins=[Slow()], limits=Limits(delivery_bytes=16)) as host:
        await until(lambda: (found := report(host)) is not None and found.points > 0)
        append(tmp_path / "run/small.points", "loss 1")
        await until(lambda: records.values("src/run", "loss") == [1.0])
        assert len(records.values("src/run", "x")) < 16_000


# Stopping and starting


async def test_nothing_is_lost_or_doubled_over_restarts(tmp_path: Path) -> None:
    records = MemoryRecords()
    path = tmp_path / "run/a.points"
    for start in range(0, 50, 10):
        append(path, *(f"loss {number}" for number in range(start, start + 10)))
        async with hosted(records, tmp_path, limits=Limits(delivery_bytes=16)):
            await until(lambda: records.values("src/run", "loss"))
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
        found = report(host)
        assert found is not None
        assert found.points == 50
    assert records.values("src/run", "loss") == [float(number) for number in range(50)]
    assert len([one for one in records.operations if one == records.runs()["src/run"]]) == 1


async def test_closing_is_prompt_in_the_middle_of_a_file(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", *(f"loss {number}" for number in range(20_000)))
    host = Host(
        records, [Points()], [SourceConfig(tmp_path, "src")], Limits(delivery_bytes=16), poll_seconds=0.1
    )
    await host.start()
    await until(lambda: records.values("src/run", "loss"))
    await asyncio.wait_for(host.close(), 5)
    read = len(records.values("src/run", "loss"))
    assert 0 < read < 20_000
    assert {one.state for one in host.reports()} == {SourceState.STOPPED}
    await asyncio.sleep(0.2)
    assert len(records.values("src/run", "loss")) == read
    await host.close()


async def test_closing_before_anything_was_found_is_fine(tmp_path: Path) -> None:
    host = Host(MemoryRecords(), [Points()], [SourceConfig(tmp_path, "src")])
    await host.close()
    await host.start()
    await host.close()


async def test_two_servers_on_one_folder_read_everything_once(tmp_path: Path) -> None:
    records = MemoryRecords()
    path = tmp_path / "run/a.points"
    append(path, "loss 0")
    async with hosted(records, tmp_path), hosted(records, tmp_path):
        for number in range(1, 60):
            append(path, f"loss {number}")
            await asyncio.sleep(0.01)
        await until(lambda: len(records.values("src/run", "loss")) >= 60)
        await asyncio.sleep(0.3)
    assert records.values("src/run", "loss") == [float(number) for number in range(60)]


# What goes wrong


async def test_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    away = True

    def before(number: int) -> None:
        if away:
            raise StoreUnavailable("the store is away")

    records = MemoryRecords(before=before)
    append(tmp_path / "run/a.points", "loss 1")
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host) is SourceState.RETRYING)
        found = report(host)
        assert found is not None
        assert found.last_error == "the store is away"
        away = False
        await until(lambda: state(host) is SourceState.FOLLOWING)
        assert (found := report(host)) is not None
        assert found.last_error is None
    assert records.values("src/run", "loss") == [1.0]


async def test_lost_answers_double_nothing(tmp_path: Path) -> None:
    def after(number: int) -> None:
        if number % 3 == 1:
            raise StoreUnavailable("the answer got lost")

    records = MemoryRecords(after=after)
    append(tmp_path / "run/a.points", *(f"loss {number}" for number in range(40)))
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
    assert records.values("src/run", "loss") == [float(number) for number in range(40)]


async def test_an_unreadable_unit_is_shown_with_its_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/bad.points", "loss 1", "!unreadable")
    append(tmp_path / "run/good.points", "acc 1")
    async with hosted(records, tmp_path) as host:
        await until(lambda: (found := report(host)) is not None and found.last_error is not None)
        await until(lambda: records.values("src/run", "acc") == [1.0])
        found = report(host)
        assert found is not None
        assert found.last_error == "run/bad.points:2: it says so"
        await until(lambda: state(host) is SourceState.FOLLOWING)
        (tmp_path / "run/bad.points").write_text("loss 1\nloss 2\n")
        await until(lambda: records.values("src/run", "loss") == [1.0, 2.0])
        await until(lambda: (found := report(host)) is not None and found.last_error is None)


async def test_a_source_whose_every_unit_fails_has_failed(tmp_path: Path) -> None:
    append(tmp_path / "run/bad.points", "!unreadable")
    async with hosted(MemoryRecords(), tmp_path) as host:
        await until(lambda: state(host) is SourceState.FAILED)
        assert state(host, "folder") is SourceState.FOLLOWING


async def test_a_bug_of_a_plugin_stops_its_unit_only(tmp_path: Path) -> None:
    records, plugin = MemoryRecords(), Points()
    append(tmp_path / "run/bug.points", "loss 1", "!bug")
    append(tmp_path / "run/good.points", "acc 1")
    async with hosted(records, tmp_path, plugins=[plugin]) as host:
        await until(lambda: (found := report(host)) is not None and found.last_error is not None)
        found = report(host)
        assert found is not None
        assert found.last_error == "bug.points: ZeroDivisionError: a bug"
        append(tmp_path / "run/bug.points", "loss 2")
        append(tmp_path / "run/good.points", "acc 2")
        await until(lambda: records.values("src/run", "acc") == [1.0, 2.0])
        assert plugin.reads.count("bug.points") == 1


async def test_a_file_system_in_trouble_is_retried(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "!oserror")
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host) is SourceState.RETRYING)
        (tmp_path / "run/a.points").write_text("loss 1\n")
        await until(lambda: records.values("src/run", "loss") == [1.0])
        await until(lambda: state(host) is SourceState.FOLLOWING)


async def test_skipped_input_is_shown_and_counted_over_restarts(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1", "what is this", "loss 2")
    for _ in range(2):
        async with hosted(records, tmp_path) as host:
            await until(following(host))
            found = report(host)
            assert found is not None
            assert [str(one) for one in found.skipped] == ["run/a.points:2: not a point: what is this"]
            assert found.skipped_total == 1
    assert records.values("src/run", "loss") == [1.0, 2.0]


async def test_a_metric_that_the_recorder_refuses_is_left_out_and_shown(tmp_path: Path) -> None:
    records = MemoryRecords()
    long = "x" * 10_000
    append(tmp_path / "run/a.points", "loss 1", f"{long} 2", "loss 3")
    async with hosted(records, tmp_path, limits=Limits()) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
        found = report(host)
        assert found is not None
        assert found.skipped_total == 1
        assert found.skipped[0].path == "run/a.points"
        assert "refused" in found.skipped[0].reason
        assert found.points == 2
    assert records.values("src/run", "loss") == [1.0, 3.0]


async def test_a_source_that_is_missing_is_read_once_it_is_there(tmp_path: Path) -> None:
    records = MemoryRecords()
    async with hosted(records, tmp_path / "later") as host:
        await until(lambda: state(host, "folder") is SourceState.FAILED)
        found = report(host, "folder")
        assert found is not None
        assert found.last_error == f"{tmp_path / 'later'}: No such file or directory"
        append(tmp_path / "later/run/a.points", "loss 1")
        await until(lambda: records.values("src/run", "loss") == [1.0])
        await until(lambda: state(host, "folder") is SourceState.FOLLOWING)


async def test_a_source_that_went_away_keeps_what_was_read(tmp_path: Path) -> None:
    records = MemoryRecords()
    source = tmp_path / "source"
    append(source / "run/a.points", "loss 1")
    async with hosted(records, source) as host:
        await until(lambda: records.values("src/run", "loss") == [1.0])
        source.rename(tmp_path / "elsewhere")
        await until(lambda: state(host, "folder") is SourceState.FAILED)
        (tmp_path / "elsewhere").rename(source)
        append(source / "run/a.points", "loss 2")
        await until(lambda: records.values("src/run", "loss") == [1.0, 2.0])


async def test_a_folder_without_rights_is_shown_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = MemoryRecords()
    append(tmp_path / "closed/a.points", "loss 1")
    append(tmp_path / "open/a.points", "loss 2")
    scan = os.scandir

    def refuse(path: Path) -> object:
        # Root may read everything, so rights cannot be taken away for real.
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    async with hosted(records, tmp_path) as host:
        await until(lambda: records.values("src/open", "loss") == [2.0])
        found = report(host, "folder")
        assert found is not None
        assert [(one.path, one.reason) for one in found.skipped] == [
            ("closed", "the folder cannot be read: Permission denied")
        ]


async def test_a_plugin_that_cannot_choose_is_shown_and_others_go_on(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    append(tmp_path / "run/break-units", "")
    append(tmp_path / "run/b.other", "acc 1")

    class Calm(Points):
        def units(self, tree: Tree) -> Iterator[Unit]:
            yield from (
                Unit(file.path.name, tree.owner(file.path), (file.path,))
                for file in tree.files
                if file.path.suffix == ".other"
            )

    async with hosted(records, tmp_path, plugins=[Points(), Calm("calm")]) as host:
        await until(lambda: records.values("src/run", "acc") == [1.0])
        found = report(host)
        assert found is not None
        assert (found.state, found.last_error) == (SourceState.FAILED, "RuntimeError: units broke")
        assert state(host, "calm") is SourceState.FOLLOWING


async def test_the_same_run_from_two_sources_is_an_error_of_the_second(tmp_path: Path) -> None:
    records = MemoryRecords()
    for side in ("one", "two"):
        append(tmp_path / side / "run/a.points", f"loss {len(side)}")
    first, second = (SourceConfig(tmp_path / side, "same") for side in ("one", "two"))
    async with hosted(records, first) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
    async with hosted(records, first, second) as host:
        await until(lambda: any(one.state is SourceState.FAILED for one in host.reports()))
        [failed] = [one for one in host.reports() if one.state is SourceState.FAILED]
        assert failed.last_error is not None
        assert "run 'same/run' is read from" in failed.last_error
        assert "another name" in failed.last_error
    assert len(records.values("same/run", "loss")) == 1


async def test_wrong_settings_keep_a_plugin_away_visibly(tmp_path: Path) -> None:
    append(tmp_path / "a.points", "loss 1")
    config = SourceConfig(tmp_path, "src", config={"points": {"factor": "many"}, "unknown": {}})
    async with hosted(MemoryRecords(), config) as host:
        errors = {
            one.plugin: one.last_error or "" for one in host.reports() if one.state is SourceState.FAILED
        }
        assert "factor" in errors["points"]
        assert "no plugin of this name" in errors["unknown"]


async def test_only_allowed_plugins_read_a_source(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    append(tmp_path / "run/a.other", "acc 1")
    plugins = [Points(), Points("other", suffix=".other")]
    async with hosted(records, SourceConfig(tmp_path, "src", plugins=["other"]), plugins=plugins) as host:
        await until(lambda: records.values("src/run", "acc") == [1.0])
        assert report(host) is None
    assert records.values("src/run", "loss") == []


# Status


async def test_an_exit_code_ends_a_run_and_growth_alone_does_not(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
        append(tmp_path / "run/exit_code", "2")
        await until(lambda: len(records.statuses("src/run")) == 2)
        assert [one.status for one in records.statuses("src/run")] == [RunStatus.RUNNING, RunStatus.FAILED]


async def test_a_wrong_exit_code_is_shown(tmp_path: Path) -> None:
    append(tmp_path / "run/a.points", "loss 1")
    append(tmp_path / "run/exit_code", "fine")
    async with hosted(MemoryRecords(), tmp_path) as host:
        await until(lambda: (found := report(host, "folder")) is not None and found.skipped)
        found = report(host, "folder")
        assert found is not None
        assert found.skipped[0].path == "run/exit_code"


async def test_a_run_that_falls_silent_becomes_unknown(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    async with hosted(records, tmp_path, idle_seconds=1.5):
        await until(lambda: len(records.statuses("src/run")) == 2)
        assert records.statuses("src/run")[1].status is RunStatus.UNKNOWN
        append(tmp_path / "run/a.points", "loss 2")
        await until(lambda: len(records.statuses("src/run")) == 3)
        assert records.statuses("src/run")[2].status is RunStatus.RUNNING


async def test_old_data_is_no_sign_that_its_run_is_alive(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    age(tmp_path / "run/a.points", 7200)
    async with hosted(records, tmp_path):
        await until(lambda: records.values("src/run", "loss"))
    data = next(place for place, one in enumerate(records.operations) if isinstance(one, LogPoints))
    sign = records.operations[data + 1]
    assert isinstance(sign, Annotate)
    assert sign.heartbeat_at is not None
    assert abs(sign.heartbeat_at / 1e6 - (time.time() - 7200)) < 60
    assert [one.status for one in records.statuses("src/run")] == [RunStatus.UNKNOWN]


def test_reports_name_what_is_installed() -> None:
    host = Host(MemoryRecords(), [Points()], [])
    assert [(one.name, one.stability) for one in host.plugins] == [("points", "EXPERIMENTAL")]
    assert host.reports() == []
