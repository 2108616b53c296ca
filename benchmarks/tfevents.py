"""W10 and W11: taking in TensorBoard event files, one and twenty, beside TensorBoard's own readers on the same files."""

from __future__ import annotations

import asyncio
import logging
import shutil
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench, timed
from benchmarks.figure import Beside, Figure, Wrong
from graphql_runs.ingest.api import Limits
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.plugins import load_plugins
from graphql_runs.model import ids
from graphql_runs.model.records import Metric
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.opening import open_store

TAGS = 5
RUNS = 20
Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def tfevents(bench: Bench) -> list[Figure]:
    """W10."""
    steps = bench.size(40_000, 2_000)
    points = steps * TAGS
    folder = bench.store().parent / "logs"
    values = _write(folder / "run", steps)
    wanted = [("run", values)]
    ours: list[float] = []
    loader: list[float] = []
    sampled: list[float] = []
    for _ in bench.rounds(f"W10: {points:,} scalars of an event file"):
        store = bench.store()
        ours.append(points / timed(lambda store=store: asyncio.run(_take_in(store, folder, wanted))))  # type: ignore[misc] # a lambda's default has no type
        loader.append(points / timed(lambda: _load(folder / "run", points)))
        sampled.append(points / timed(lambda: _accumulate(folder / "run")))
    return [
        Figure(
            "W10",
            f"{points:,} scalars of a TensorBoard event file, until they are durable in the store",
            "pts/s",
            tuple(ours),
            True,
            "the count and the last value of every metric",
            beside=(
                Beside("TensorBoard's EventFileLoader, events alone", tuple(loader)),
                Beside("TensorBoard's EventAccumulator, keeping 10,000 a tag", tuple(sampled)),
            ),
        )
    ]


def logdir(bench: Bench) -> list[Figure]:
    """W11."""
    steps = bench.size(10_000, 500)
    points = RUNS * steps * TAGS
    # Where the peer looks for them too.
    folder = bench.folder / "logdir"
    values = _write(folder / "run-00", steps)
    wanted = [(f"run-{index:02}", values) for index in range(RUNS)]
    for name, _ in wanted[1:]:
        shutil.copytree(folder / "run-00", folder / name)
    ours: list[float] = []
    for _ in bench.rounds(f"W11: {points:,} scalars of {RUNS} event files"):
        store = bench.store()
        ours.append(points / timed(lambda store=store: asyncio.run(_take_in(store, folder, wanted))))  # type: ignore[misc] # a lambda's default has no type
    beside = [
        replace(one, name=f"{one.name}: {what}")
        for what in ("EventFileLoader, events alone", "data server, all points in its memory")
        for one in bench.beside("W11", what)
    ]
    return [
        Figure(
            "W11",
            f"{points:,} scalars of {RUNS} runs of a TensorBoard log folder, until they are durable in the store",
            "pts/s",
            tuple(ours),
            True,
            "the count and the last value of every metric",
            beside=tuple(beside),
        )
    ]


def _write(folder: Path, steps: int) -> Values:
    from tensorboardX import SummaryWriter

    values = np.random.default_rng(10).random((TAGS, steps))
    writer = SummaryWriter(str(folder), max_queue=1000)
    for step in range(steps):
        for tag in range(TAGS):
            writer.add_scalar(f"metric-{tag}", values[tag, step], step)
    writer.close()
    return values


async def _take_in(path: Path, folder: Path, wanted: Sequence[tuple[str, Values]]) -> None:
    """Into a new store at `path`, the runs of a log folder with the values that they have to have."""
    store = await open_store(f"sqlite:///{path}")
    recorder = Recorder(store)
    host = Host(recorder, load_plugins(None), [SourceConfig(folder, "logs")], Limits(), poll_seconds=0.2)
    try:
        await host.start()
        for name, values in wanted:
            run = ids.run_id(ids.workspace_id("default"), f"logs/{name}")
            metrics = [ids.metric_id(run, f"metric-{tag}") for tag in range(TAGS)]
            while True:
                found = await store.get(Metric, metrics)
                if all(metric is not None and metric.count == values.shape[1] for metric in found):
                    break
                await asyncio.sleep(0.005)
            for metric, column in zip(found, values, strict=True):
                assert metric is not None
                (last,) = struct.unpack("<f", struct.pack("<f", column[-1]))
                if metric.last != last:
                    raise Wrong(f"{metric.name} of {name} ends with {metric.last}, not {last}")
    finally:
        await host.close()
        await recorder.close()
        await store.close()


def _load(folder: Path, points: int) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    [path] = folder.iterdir()
    found = sum(len(event.summary.value) for event in EventFileLoader(str(path)).Load())
    if found != points:
        raise Wrong(f"W10: TensorBoard reads {found} points")


def _accumulate(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    EventAccumulator(str(folder)).Reload()
