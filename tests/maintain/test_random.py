"""Random small stores: a copy is equal, whatever was recorded and however it was merged; a check finds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.maintain.check import check_store
from graphql_runs.maintain.copy import copy_store
from graphql_runs.maintain.digest import sum_tree
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
    SetStatus,
)
from graphql_runs.model.records import MetricKind
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.record.compaction import Compactor, Merging
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.sqlite import SqliteStore
from tests.maintain.filling import contents, every

RUNS = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(["m", "größe", "x.$y"])
NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def points(run: str, name: str, values: list[float], stepped: bool) -> LogPoints:
    steps = np.arange(len(values)) * 0.5 if stepped else None
    return LogPoints(run, name, values, steps=steps)


OPERATIONS = st.one_of(
    st.builds(points, RUNS, NAMES, st.lists(NUMBERS, min_size=1, max_size=5), st.booleans()),
    st.builds(
        lambda run, texts: LogRows(run, "rows", {"t": texts, "n": [1.5] * len(texts)}, kind=MetricKind.ROW),
        RUNS,
        st.lists(TEXTS | st.none(), min_size=1, max_size=4),
    ),
    st.builds(LogText, RUNS, st.sampled_from(["out", "err"]), st.binary(max_size=20)),
    st.builds(
        lambda run, tags: Annotate(run, tags=tags),
        RUNS,
        st.dictionaries(st.sampled_from("kl"), TEXTS, max_size=2),
    ),
    st.builds(lambda run, status: SetStatus(run, status, "test"), RUNS, st.sampled_from(RunStatus)),
)


async def record(store: SqliteStore, calls: Sequence[RunOperation], parent: bool) -> None:
    recorder = Recorder(store)
    for run in ("a", "b", "c"):
        above = "a" if parent and run != "a" else None
        await recorder.record("home", [DeclareRun(run, "lab", run, "test", parent=above)])
    for sequence, call in enumerate(calls):
        await recorder.record(
            "home", [call], writer=f"w{call.run_id}{sequence}", sequence=0, note=b"%d" % sequence
        )
    await recorder.close()


@given(st.lists(OPERATIONS, max_size=12), st.booleans(), st.booleans())
@settings(max_examples=15, deadline=None)
async def test_a_copy_of_anything_is_equal(calls: list[RunOperation], parent: bool, merge: bool) -> None:
    with TemporaryDirectory() as folder:
        source = await SqliteStore.open(Path(folder) / "source.sqlite")
        target = await SqliteStore.open(Path(folder) / "target.sqlite")
        await record(source, calls, parent)
        sums = [await sum_tree(source, run.root) for run in await every(source, Run)]
        if merge:
            await Compactor(source, Merging(items=2, pause=0)).round()
            # How rows lie in items is no part of what a tree holds.
            assert [await sum_tree(source, run.root) for run in await every(source, Run)] == sums
        assert (await check_store(source)).findings == []
        assert (await copy_store(source, target)).complete
        assert await contents(target) == await contents(source)
        assert (await check_store(target)).findings == []
        await source.close()
        await target.close()
