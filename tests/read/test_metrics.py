from __future__ import annotations

import math

import pytest

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints
from graphql_runs.read.metrics import (
    MetricChoice,
    MetricOrder,
    count_metrics,
    metric_key,
    page_metrics,
    page_rows,
)
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

RUN = ids.run_id(ids.workspace_id("default"), "run")
NAN = math.nan


@pytest.fixture(autouse=True)
async def logged(recorder: Recorder) -> None:
    said = {"acc": [1.0], "Loss": [NAN, 1.0], "grad": [1.0, 2.0, NAN], "lr": [1.0], "val_loss": [1.0, NAN]}
    points = [
        LogPoints("run", name, values, list(range(len(values))), [1000 * (10 - index)] * len(values))
        for index, (name, values) in enumerate(said.items())
    ]
    await recorder.record("default", [DeclareRun("run", "e", "run", "test"), *points])


async def names(store: Store, choice: MetricChoice, first: int = 100) -> list[str]:
    """The names in pages of `first`, and the count, which has to be the same."""
    found: list[str] = []
    key = None
    while page := await page_metrics(store, choice, after=key, first=first):
        found += [metric.name for metric in page]
        key = metric_key(choice, page[-1])
    assert await count_metrics(store, choice) == len(found)
    return found


@pytest.mark.parametrize("first", [1, 2, 100])
@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (MetricChoice(RUN), ["Loss", "acc", "grad", "lr", "val_loss"]),
        (MetricChoice(RUN, contains="LOSS"), ["Loss", "val_loss"]),
        (MetricChoice(RUN, names=("lr", "acc", "nope", "lr")), ["acc", "lr"]),
        (MetricChoice(RUN, names=("lr", "acc"), contains="C"), ["acc"]),
        (MetricChoice(RUN, non_finite=True), ["Loss", "grad", "val_loss"]),
        (MetricChoice(RUN, non_finite=False), ["acc", "lr"]),
        (
            MetricChoice(RUN, order=MetricOrder.FIRST_NON_FINITE_STEP),
            ["Loss", "val_loss", "grad", "acc", "lr"],
        ),
        (MetricChoice(RUN, order=MetricOrder.LAST_AT), ["acc", "Loss", "grad", "lr", "val_loss"]),
        (MetricChoice("run_other"), []),
    ],
)
async def test_choices(store: Store, choice: MetricChoice, wanted: list[str], first: int) -> None:
    assert await names(store, choice, first) == wanted


async def test_a_page_of_rows(store: Store) -> None:
    [metric] = await page_metrics(store, MetricChoice(RUN, names=("grad",)), after=None, first=1)
    rows = await page_rows(store, metric, 1, 10)
    assert (rows.start, rows.columns["value"].tolist()[0], len(rows)) == (1, 2.0, 2)
    assert len(await page_rows(store, metric, 3, 10)) == 0
