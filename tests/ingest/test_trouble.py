"""What a host does when something goes wrong, and what it says of runs that say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from graphql_runs.ingest.api import Context, Delivery, Limits, Tree, Unit
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.operation import Annotate, LogPoints
from graphql_runs.model.source import SourceState
from graphql_runs.model.status import RunStatus
from tests.ingest.hosting import age, append, following, hosted, report, state, until
from tests.ingest.plugin import Points

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


async def test_a_run_whose_folder_is_removed_falls_silent_like_others(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    async with hosted(records, tmp_path, idle_seconds=2):
        await until(lambda: records.statuses("src/run"))
        (tmp_path / "run/a.points").unlink()
        (tmp_path / "run").rmdir()
        await until(lambda: len(records.statuses("src/run")) == 2)
    running, unknown = records.statuses("src/run")
    assert unknown.status is RunStatus.UNKNOWN
    assert unknown.at is not None
    assert running.at is not None
    assert unknown.at > running.at


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


async def test_a_file_system_that_does_not_answer_holds_up_its_source_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphql_runs.ingest.report._SILENT_SECONDS", 0.2)
    answers = threading.Event()

    class Stuck(Points):
        def read(
            self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
        ) -> Iterator[Delivery]:
            if context.tree.name == "away":
                answers.wait(60)
            return super().read(unit, checkpoint, context)

    for number in range(20):
        append(tmp_path / f"away/run-{number}/a.points", "loss 1")
    append(tmp_path / "there/run/a.points", "loss 2")
    records = MemoryRecords()
    sources = [SourceConfig(tmp_path / name, name) for name in ("away", "there")]
    async with hosted(records, *sources, plugins=[Stuck()]) as host:
        await until(lambda: records.values("there/run", "loss") == [2.0])
        append(tmp_path / "there/run/a.points", "loss 3")
        await until(lambda: records.values("there/run", "loss") == [2.0, 3.0])

        def stuck() -> bool:
            return any(
                one.state is SourceState.RETRYING and "nothing has come for" in str(one.last_error)
                for one in host.reports()
            )

        await until(stuck)
        began = time.monotonic()
    # Closing does not wait for it either: the other threads have a minute to go.
    assert time.monotonic() - began < 30
    answers.set()


def test_a_process_ends_although_a_thread_does_not() -> None:
    code = "import time; from graphql_runs.ingest.threads import Threads; Threads(1, 'x').submit(time.sleep, 3600)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
