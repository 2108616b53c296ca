from __future__ import annotations

import asyncio

import numpy as np

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints, LogText
from graphql_runs.read.points import read_points
from graphql_runs.record.compaction import Compactor, Merging, tail
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Item, Store

RUN = ids.run_id(ids.workspace_id("w"), "r")


def items(*sizes: int) -> list[Item]:
    found, at = [], 0
    for size in sizes:
        found.append(Item(at, at + size, b""))
        at += size
    return found


def test_the_tail_takes_older_pieces_while_they_are_not_much_larger() -> None:
    def sizes(*given: int) -> list[int]:
        return [item.end - item.start for item in tail(items(*given), 100) or ()]

    assert tail([], 100) is None
    assert sizes(50, 1, 1, 1) == [1, 1, 1]
    assert sizes(4, 2, 1, 1) == [4, 2, 1, 1]
    assert sizes(60, 30, 20) == [30, 20]
    assert sizes(200) == [200]


async def test_merging_moves_no_row_while_somebody_reads(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [DeclareRun("r", "e", "r", "test")])
    metric, log = ids.metric_id(RUN, "m"), ids.log_id(RUN, "out")
    text = b""
    compactor = Compactor(store, Merging(items=8, pause=0))
    reading = True

    async def read() -> None:
        while reading:
            [end] = await store.ends([metric])
            if end:
                points = await read_points(store, metric, 0, end)
                assert np.array_equal(points.columns["value"], np.arange(end))

    reader = asyncio.create_task(read())
    merged = 0
    for i in range(120):
        line = f"line {i}\n".encode()
        text += line
        await recorder.record("w", [LogPoints("r", "m", [float(i)]), LogText("r", "out", line)])
        if i % 10 == 9:
            merged += await compactor.round()
    reading = False
    await reader
    assert merged
    points, lines = await store.read(metric, 0), await store.read(log, 0)
    assert len(points) < 20
    assert b"".join(item.data for item in lines) == text
    assert [item.mark for item in lines] == [text[: item.start].count(b"\n") for item in lines]


async def test_pieces_of_different_types_stay_apart(store: Store, recorder: Recorder) -> None:
    await recorder.record("w", [DeclareRun("r", "e", "r", "test")])
    for i in range(20):
        await recorder.record("w", [LogPoints("r", "m", [2**60 + 1 if i % 2 else 0.5])])
    compactor = Compactor(store, Merging(items=16, pause=0))
    assert await compactor.round() == 1
    # They were looked at once; there is nothing left to do.
    assert await compactor.round() == 0
    metric = ids.metric_id(RUN, "m")
    assert (await read_points(store, metric, 1, 2)).columns["value"].tolist() == [2**60 + 1]
    assert (await read_points(store, metric, 2, 3)).columns["value"].tolist() == [0.5]
