from __future__ import annotations

import asyncio

import pytest

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints, LogText
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.time import Micros, from_text, now, to_text
from graphql_runs.read.moments import lines_around, place_of_time, time_of_step
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

START = from_text("2026-01-31T12:00:00Z")
RUN = ids.run_id(ids.workspace_id("default"), "run")


async def metric_of(store: Store) -> Metric:
    [metric] = await store.get(Metric, [ids.metric_id(RUN, "loss")])
    assert metric is not None
    return metric


async def log_of(store: Store, path: str = "out.txt") -> LogFile:
    [log] = await store.get(LogFile, [ids.log_id(RUN, path)])
    assert log is not None
    return log


async def test_the_time_of_a_step(store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs.read.moments._POINTS", 1)
    await recorder.record("default", [DeclareRun("run", "e", "run", "test")])
    # The job restarted: steps 20 and 30 come again.
    steps = [0, 10, 20, 30, 20, 30, 40]
    for index, step in enumerate(steps):
        await recorder.record("default", [LogPoints("run", "loss", [1.0], [step], [START + index])])
    metric = await metric_of(store)
    for step, row in ((0, 0), (4, 0), (10, 1), (20, 4), (29, 5), (40, 6), (1000, 6), (-5, 0)):
        assert await time_of_step(store, metric, step) == START + row


async def test_a_step_is_the_row_where_none_was_given(store: Store, recorder: Recorder) -> None:
    await recorder.record("default", [DeclareRun("run", "e", "run", "test"), LogPoints("run", "loss", [1.0] * 5, None, [START + row for row in range(5)])])  # fmt: skip
    assert await time_of_step(store, await metric_of(store), 3) == START + 3


async def test_lines_around_a_moment_by_the_times_of_lines(store: Store, recorder: Recorder) -> None:
    text = "".join(f"{to_text(START + n * 1_000_000)} line {n}\n  more of {n}\n" for n in range(100))
    await recorder.record("default", [DeclareRun("run", "e", "run", "test"), LogText("run", "out.txt", text.encode())])  # fmt: skip
    log = await log_of(store)

    async def around(moment: Micros, before: int = 1, after: int = 2) -> tuple[list[str], bool, bool]:
        page, first = await lines_around(store, log, moment, near=None, before=before, after=after)
        texts = [line.text for line in page.lines]
        assert first == (page.lines[before].offset if len(texts) > before else None)
        return [text.removeprefix(text[:28]) if text[0] == "2" else text for text in texts], page.more_before, page.more_after  # fmt: skip

    assert await around(START + 50_000_000) == (["  more of 49", "line 50", "  more of 50"], True, True)
    assert await around(START + 49_500_000) == (["  more of 49", "line 50", "  more of 50"], True, True)
    assert await around(START + 99_000_001, 2) == (["line 99", "  more of 99"], True, False)
    page, first = await lines_around(store, log, 0, near=None, before=5, after=1)
    assert [line.number for line in page.lines] == [1]
    assert (first, page.more_before, page.more_after) == (0, False, True)


async def test_arrivals_part_a_log_without_times(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(path: str, text: bytes, times: int = 1) -> None:
        for _ in range(times):
            await recorder.record("default", [LogText("run", path, text)])

    async def places(moment: Micros) -> int:
        return await place_of_time(store, await log_of(store), moment, None)

    await recorder.record("default", [DeclareRun("run", "e", "run", "test")])
    await write("out.txt", b"one\ntwo\n")
    moment = await later()
    await write("out.txt", b"three\n")
    await write("other.txt", b"x\n", 5)
    assert await places(moment) == 8
    assert await places(0) == 0
    assert await places(await later()) == 14
    moment = await later()
    await write("other.txt", b"x\n", 5)
    await write("out.txt", b"four\n")
    assert await places(moment) == 14
    # Silent for longer than is looked for: next to what it said before.
    moment = await later()
    await write("other.txt", b"x\n", 5)
    await write("out.txt", b"five\n")
    monkeypatch.setattr("graphql_runs.read.moments._ENTRIES", 3)
    assert await places(moment) == 19


async def later() -> Micros:
    """A moment after all that was recorded, and before all that will be."""
    moment = now() + 1
    await asyncio.sleep(0.001)
    return moment
