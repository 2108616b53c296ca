"""The host, the plugins of this repository, the recorder and the embedded store together."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import threading
from asyncio.subprocess import Process
from pathlib import Path

import numpy as np

from graphql_runs.ingest.api import Limits
from graphql_runs.ingest.host import Host, SourceConfig, load_plugins
from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogRows
from graphql_runs.model.records import LogFile, Metric, MetricKind
from graphql_runs.model.run import Run
from graphql_runs.model.source import SourceState
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.store import segment
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore

LINES = 4000
RUN = ids.run_id(ids.workspace_id("default"), "src/exp/run")


class Job(threading.Thread):
    """Writes what a job writes: a log that is rotated on the way, and JSON lines."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.log = b""
        self.stopped = threading.Event()

    def run(self) -> None:
        noise = random.Random(1)
        for step in range(LINES):
            line = f"step {step} ".encode() + noise.randbytes(4) + (b"\r" if step % 7 else b"\n")
            self.log += line
            with (self.folder / "train.log").open("ab") as file:
                file.write(line)
            with (self.folder / "metrics.jsonl").open("a") as lines:
                lines.write(json.dumps({"step": step, "time": 1.7e9 + step, "loss": 1 / (step + 1)}) + "\n")
            if step % 1000 == 500:
                self._rotate()
            if step % 20 == 0:
                self.stopped.wait(0.01)

    def _rotate(self) -> None:
        for number in range(9, 0, -1):
            newer = self.folder / (f"train.log.{number - 1}" if number > 1 else "train.log")
            if newer.exists():
                newer.replace(self.folder / f"train.log.{number}")


async def start(folder: Path, store: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ingest.serving", str(folder), str(store), stdout=asyncio.subprocess.PIPE
    )


async def values(store: Store, name: str) -> tuple[list[float], list[int]]:
    """Everything of a metric: values and steps."""
    id = ids.metric_id(RUN, name)
    points = [segment.decode(item.start, item.data) for item in await store.read(id, 0)]
    joined = segment.concat(points)
    assert joined.steps is not None
    return joined.columns["value"].tolist(), joined.steps.tolist()


async def log_bytes(store: Store, path: str) -> bytes:
    return b"".join(item.data for item in await store.read(ids.log_id(RUN, path), 0))


async def test_a_host_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "source/exp/run"
    folder.mkdir(parents=True)
    path = tmp_path / "runs.sqlite"
    job = Job(folder)
    chance = random.Random(3)
    job.start()
    try:
        for _ in range(4):
            process = await start(tmp_path / "source", path)
            assert process.stdout is not None
            assert await process.stdout.readline() == b"following\n"
            await asyncio.sleep(0.1 + chance.random() * 0.5)
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL
    finally:
        await asyncio.to_thread(job.join)
    store = await SqliteStore.open(path)
    recorder = Recorder(store)
    host = Host(recorder, load_plugins(), [SourceConfig(tmp_path / "source", "src")], poll_seconds=0.2)
    await host.start()
    try:
        await until_read(host)
        found, steps = await values(store, "loss")
        assert steps == list(range(LINES))
        assert np.array_equal(found, 1 / np.arange(1, LINES + 1))
        assert await log_bytes(store, "train.log") == job.log
        [log] = await store.get(LogFile, [ids.log_id(RUN, "train.log")])
        assert log is not None
        assert (log.size, log.lines) == (len(job.log), job.log.count(b"\n"))
        [run] = await store.get(Run, [RUN])
        assert run is not None
        assert (run.run_id, run.status) == ("src/exp/run", RunStatus.RUNNING)
        reports = {report.plugin: report for report in host.reports()}
        assert reports["text"].lines == job.log.count(b"\n")
        assert reports["tabular"].points == LINES
        assert [report.skipped for report in reports.values()] == [(), (), ()]
    finally:
        await host.close()
        await recorder.close()
        await store.close()


async def until_read(host: Host) -> None:
    for _ in range(600):
        reports = host.reports()
        if len(reports) > 1 and all(report.state is SourceState.FOLLOWING for report in reports):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it does not catch up: {host.reports()}")


async def test_bad_input_is_located_and_everything_else_goes_on(
    tmp_path: Path, store: Store, recorder: Recorder
) -> None:
    folder = tmp_path / "source/exp/run"
    folder.mkdir(parents=True)
    long = "m" * 10_000
    (folder / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 1}\n{"step": 2, "los\n'
        + json.dumps({"step": 3, long: 1, "loss": 3})
        + '\n{"step": 4, "lo'
    )
    os.utime(folder / "metrics.jsonl", (1.7e9, 1.7e9))
    junk = bytes(range(256)) * 10
    (folder / "train.log").write_bytes(b"fine\n" + junk)
    (folder / "broken.csv").symlink_to("/nowhere")
    host = Host(
        recorder, load_plugins(), [SourceConfig(tmp_path / "source", "src")], Limits(), poll_seconds=0.2
    )
    await host.start()
    try:
        await until_read(host)
        assert await values(store, "loss") == ([1.0, 3.0], [1, 3])
        assert await log_bytes(store, "train.log") == b"fine\n" + junk
        reports = {report.plugin: report for report in host.reports()}
        skipped = [(one.path, one.line) for one in reports["tabular"].skipped]
        assert skipped == [("exp/run/metrics.jsonl", line) for line in (2, 3, 4)]
        assert "10000 bytes" in reports["tabular"].skipped[1].reason
        assert "cut off" in reports["tabular"].skipped[2].reason
        assert [one.path for one in reports["folder"].skipped] == ["exp/run/broken.csv"]
        [metric] = await store.get(Metric, [ids.metric_id(RUN, "loss")])
        assert metric is not None
        assert metric.count == 2
    finally:
        await host.close()


async def test_an_operation_that_only_the_recorder_can_refuse_is_isolated(
    tmp_path: Path, store: Store, recorder: Recorder
) -> None:
    """Another producer has made `loss` and `lr` texts before."""
    folder = tmp_path / "source/exp/run"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"step": 1, "acc": 1, "loss": 1, "lr": 1}\n')
    await recorder.record(
        "default",
        [
            DeclareRun("src/exp/run", "exp", "run", "api"),
            LogRows("src/exp/run", "loss", {"text": ["high"]}, kind=MetricKind.TEXT),
            LogRows("src/exp/run", "lr", {"text": ["low"]}, kind=MetricKind.TEXT),
        ],
    )
    host = Host(recorder, load_plugins(), [SourceConfig(tmp_path / "source", "src")], poll_seconds=0.2)
    await host.start()
    try:
        await until_read(host)
        assert (await values(store, "acc"))[0] == [1.0]
        [report] = [report for report in host.reports() if report.plugin == "tabular"]
        assert report.points == 1
        assert [(one.path, "LogPoints was refused" in one.reason) for one in report.skipped] == [
            ("exp/run/metrics.jsonl", True),
            ("exp/run/metrics.jsonl", True),
        ]
    finally:
        await host.close()
