"""Stores filled through the Recorder, in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.server import address_of
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.opening import open_store

WORKSPACE = "bench"
EXPERIMENT = "bench"
RUN = "run-0"
METRIC = "loss"
_BATCH = 1000
_AT_ONCE = 512


def curve(points: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Steps, values and microseconds of a noisy falling curve, with one spike up and one down; shapes (points,)."""
    steps = np.arange(points, dtype=np.int64)
    values = 1 / (1 + steps / points * 20) + np.random.default_rng(points).normal(0, 0.02, points)
    values[points // 3], values[points // 2] = 7.5, -7.5
    return steps, values, 1_700_000_000_000_000 + steps * 250_001


async def fill_curve(store_at: Path | str, points: int, advance: Callable[[int], None]) -> None:
    """A store with one run whose metric holds `curve(points)`, logged in batches of 1000."""
    store = await open_store(address_of(store_at))
    recorder = Recorder(store)
    try:
        await recorder.record(WORKSPACE, [DeclareRun(RUN, EXPERIMENT, RUN, "benchmark")])
        steps, values, at = curve(points)
        for first in range(0, points, _BATCH):
            part = slice(first, first + _BATCH)
            await recorder.record(WORKSPACE, [LogPoints(RUN, METRIC, values[part], steps[part], at[part])])
            advance(_BATCH)
    finally:
        await recorder.close()
        await store.close()


async def fill_runs(store_at: Path | str, runs: RunTraits, advance: Callable[[int], None]) -> None:
    """A store with finished runs that have these traits, each with three metrics and four params."""
    store = await open_store(address_of(store_at))
    recorder = Recorder(store)
    try:
        await recorder.create_experiment(WORKSPACE, EXPERIMENT)
        for first in range(0, len(runs), _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, len(runs)))
            await asyncio.gather(*(recorder.record(WORKSPACE, runs.operations(index)) for index in some))
            advance(len(some))
    finally:
        await recorder.close()
        await store.close()


class RunTraits:
    """The losses and optimizers of many runs, from which any page can be told beforehand.

    loss: shape (n,), float64, all different. optimizer: shape (n,), texts; three of five are adam.
    """

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(count)
        self.loss: NDArray[np.float64] = random.permutation(count) / count + random.random(count) / (
            2 * count
        )
        self.optimizer: NDArray[Any] = np.array(["adam", "adam", "adam", "sgd", "lion"])[
            random.integers(0, 5, count)
        ]

    def __len__(self) -> int:
        return len(self.loss)

    def operations(self, index: int) -> list[RunOperation]:
        """What the job of one run says."""
        run, loss = f"run-{index}", float(self.loss[index])
        created = 1_700_000_000_000_000 + index * 1_000_000
        params = {
            "optimizer": str(self.optimizer[index]),
            "lr": str(10.0 ** -(1 + index % 5)),
            "layers": str(2 + index % 7),
            "seed": str(index),
        }
        step = [100]
        return [
            DeclareRun(run, EXPERIMENT, f"training {index}", "benchmark", created_at=created, params=params),
            LogPoints(run, METRIC, [loss], step, [created]),
            LogPoints(run, "accuracy", [1 - loss / 2], step, [created]),
            LogPoints(run, "epoch", [index % 100], step, [created]),
            SetStatus(run, RunStatus.COMPLETED, "benchmark", at=created + 900_000),
        ]

    def matching(self, below: float, optimizer: str) -> list[int]:
        """The runs with a loss below and this optimizer, by ascending loss."""
        found = np.flatnonzero((self.loss < below) & (self.optimizer == optimizer))
        return [int(index) for index in found[np.argsort(self.loss[found])]]
