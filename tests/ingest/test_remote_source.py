from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from graphql_runs.ingest.host import Host, RemoteConfig
from graphql_runs.ingest.once import read_once
from graphql_runs.ingest.testing import MemoryRecords, RemoteContract
from graphql_runs.model.source import SourceReport, SourceState
from tests.ingest.counter import Counter
from tests.ingest.hosting import until


class TestContract(RemoteContract):
    remote = Counter()

    @contextmanager
    def place(self, folder: Path) -> Iterator[str]:
        (folder / "values.json").write_text("{}")
        yield f"count:{folder / 'values.json'}"
        (folder / "values.json").unlink()

    def write(self, folder: Path, part: int) -> None:
        say(folder, {f"run-{number}": list(range(part * 2 + number + 1)) for number in range(part + 1)})


def say(folder: Path, values: dict[str, object]) -> None:
    made = folder / "values.new"
    made.write_text(json.dumps(values))
    made.rename(folder / "values.json")


def at(folder: Path, **more: object) -> RemoteConfig:
    return RemoteConfig(f"count:{folder / 'values.json'}", "src", **more)  # type: ignore[arg-type]  # a test's shorthand


@asynccontextmanager
async def asked(records: MemoryRecords, *configs: RemoteConfig, counter: Counter) -> AsyncIterator[Host]:
    host = Host(records, [], configs, remotes=[counter])
    await host.start()
    try:
        yield host
    finally:
        await host.close()


def only(host: Host) -> SourceReport:
    [report] = host.reports()
    return report


async def test_what_comes_in_later_is_read_and_nothing_else(tmp_path: Path) -> None:
    records, counter = MemoryRecords(), Counter()
    say(tmp_path, {"a": [1, 2], "b": [5], "cluster": "gpus"})
    async with asked(records, at(tmp_path), counter=counter) as host:
        [connection] = counter.connections
        await until(lambda: only(host).state is SourceState.FOLLOWING)
        assert records.values("a", "value") == [1, 2]
        assert [one.name for one in records.clusters] == ["gpus"]
        looks, reads = connection.looks, len(connection.reads)
        await until(lambda: connection.looks > looks + 3)
        assert len(connection.reads) == reads
        say(tmp_path, {"a": [1, 2, 3], "b": [5], "cluster": "gpus", "left out": True})
        await until(lambda: records.values("a", "value") == [1, 2, 3])
        assert connection.reads[reads:] == ["a:values"]
        report = only(host)
        assert (report.plugin, report.runs, report.points, report.files) == ("counter", 2, 4, 0)
        assert [one.path for one in report.skipped] == ["left"]
        assert report.last_read_at is not None
    assert connection.closed
    assert only(host).state is SourceState.STOPPED


async def test_no_answer_is_waited_for_and_a_wrong_place_is_said(tmp_path: Path) -> None:
    records, counter = MemoryRecords(), Counter()
    async with asked(records, at(tmp_path), counter=counter) as host:
        await until(lambda: only(host).state is SourceState.RETRYING)
        assert "No such file" in str(only(host).last_error)
        say(tmp_path, {"a": [1]})
        await until(lambda: only(host).state is SourceState.FOLLOWING)
        assert records.values("a", "value") == [1]
        assert only(host).last_error is None
        say(tmp_path, {"!": "unreadable"})
        await until(lambda: only(host).state is SourceState.FAILED)
        assert only(host).last_error == "it says so"


async def test_a_bug_leaves_other_sources_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records, counter = MemoryRecords(), Counter()
    (tmp_path / "other").mkdir()
    say(tmp_path, {"!": "bug"})
    say(tmp_path / "other", {"a": [1]})
    async with asked(records, at(tmp_path), at(tmp_path / "other"), counter=counter) as host:
        await until(
            lambda: {one.state for one in host.reports()} == {SourceState.FAILED, SourceState.FOLLOWING}
        )
        assert [one.last_error for one in host.reports()] == ["ZeroDivisionError: a bug", None]
    assert "a plugin failed" in caplog.text


async def test_a_unit_that_gets_no_answer_is_tried_again(tmp_path: Path) -> None:
    records, counter = MemoryRecords(), Counter()
    say(tmp_path, {"a": [1, "oserror"]})
    async with asked(records, at(tmp_path), counter=counter) as host:
        await until(lambda: only(host).state is SourceState.RETRYING)
        assert only(host).last_error == "no answer"
        say(tmp_path, {"a": [1, 2]})
        await until(lambda: records.values("a", "value") == [1, 2])


async def test_one_run_is_read_from_one_place(tmp_path: Path) -> None:
    records, counter = MemoryRecords(), Counter()
    (tmp_path / "copy").mkdir()
    say(tmp_path, {"a": [1]})
    say(tmp_path / "copy", {"a": [1]})
    async with asked(records, at(tmp_path), at(tmp_path / "copy"), counter=counter) as host:
        await until(lambda: SourceState.FAILED in {one.state for one in host.reports()})
        [error] = [one.last_error for one in host.reports() if one.last_error]
        assert error.startswith("run 'a' is read from count:")
        await until(lambda: records.values("a", "value") == [1])


async def test_it_is_read_once(tmp_path: Path) -> None:
    records, counter = MemoryRecords(), Counter()
    say(tmp_path, {"a": [1, 2], "b": [3], "left out": True})
    host = Host(records, [], [at(tmp_path)], remotes=[counter], final=True)
    loaded = await read_once(host, lambda progress: None)
    assert (loaded.runs, loaded.points, loaded.files, loaded.failures) == (2, 3, 0, [])
    assert [str(one) for one in loaded.skipped] == ["src/left: it says so"]
    (tmp_path / "values.json").unlink()
    host = Host(records, [], [at(tmp_path)], remotes=[counter], final=True)
    loaded = await read_once(host, lambda progress: None, patience=0.2)
    [failure] = loaded.failures
    assert "No such file" in failure


def test_what_cannot_be_is_known_before_the_start(tmp_path: Path) -> None:
    def wrong(config: RemoteConfig) -> str | None:
        return Host(MemoryRecords(), [], [config], remotes=[Counter()]).wrong[0].last_error

    assert wrong(RemoteConfig("nope:x", "n")) == "folder: no plugin takes addresses of nope:, only of count"
    assert wrong(RemoteConfig("count:x.txt", "n")) == "counter: x.txt is no JSON file"
    assert wrong(at(tmp_path, config={"counter": {"speed": 1}})) == (
        "counter: its settings are wrong: speed: Extra inputs are not permitted"
    )
    assert "another plugin than counter" in str(wrong(at(tmp_path, config={"text": {}})))


def test_passwords_are_not_shown() -> None:
    assert RemoteConfig("mlflow+https://me:secret@host/x?token=1", "n").uri == "mlflow+https://host/x"
    assert RemoteConfig("slurm:", "n").uri == "slurm:"
