from __future__ import annotations

import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.operation import Annotate, DeclareRun, SetStatus
from graphql_runs.model.records import Cluster
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.read.waits import RECENT, StatusTime, queue_wait, recent_runs, status_times
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

SECOND = 1_000_000
DAY = 24 * 3600 * SECOND
NOW = 100 * DAY


@pytest.fixture
async def runs(recorder: Recorder, store: Store) -> list[Run]:
    """Runs of a cluster that waited 10, 20, 30 and 40 s, one that still waits, one with a start and no word of a queue, and an old one."""
    for number in range(1, 5):
        await submit(recorder, f"r{number}", NOW - DAY, wait=10 * number)
    await submit(recorder, "waits", NOW - 50 * SECOND)
    await recorder.record(
        "default", [DeclareRun("direct", "e", "r", "t", created_at=NOW - DAY, cluster="gpu")]
    )
    await recorder.record(
        "default",
        [
            SetStatus("direct", RunStatus.RUNNING, "t", at=NOW - DAY + 50 * SECOND),
            Annotate("direct", started_at=NOW - DAY + 50 * SECOND),
        ],
    )
    await submit(recorder, "old", NOW - RECENT - 1, wait=1000)
    return await recent(store)


async def submit(recorder: Recorder, id: str, at: int, wait: int | None = None) -> None:
    said: list[SetStatus] = [SetStatus(id, RunStatus.QUEUED, "t", at=at)]
    if wait is not None:
        began = at + wait * SECOND
        said += [
            SetStatus(id, RunStatus.RUNNING, "t", at=began),
            SetStatus(id, RunStatus.COMPLETED, "t", at=began + 5 * SECOND),
        ]
    await recorder.record("default", [DeclareRun(id, "e", "r", "t", created_at=at, cluster="gpu"), *said])


async def recent(store: Store, since: int | None = None, limit: int = 100) -> list[Run]:
    [cluster] = await store.get(Cluster, [ids.cluster_id(ids.workspace_id("default"), "gpu")])
    assert cluster is not None
    return await recent_runs(store, cluster, since, NOW, limit=limit, field="queueWait")


async def test_quantiles_of_the_time_waited(runs: list[Run]) -> None:
    assert queue_wait(runs, [0, 0.5, 0.625, 1], NOW) == [10.0, 30.0, 35.0, 50.0]


async def test_none_waited(runs: list[Run], store: Store) -> None:
    assert queue_wait([], [0.5], NOW) is None
    assert queue_wait(await recent(store, NOW - 60 * SECOND), [0.5], NOW) is None


async def test_since_when(runs: list[Run], store: Store) -> None:
    assert len(runs) == 6
    assert len(await recent(store, 0)) == 7


async def test_time_in_each_status(runs: list[Run]) -> None:
    found = {one.status: one for one in status_times(runs, NOW)}
    assert found[RunStatus.QUEUED] == StatusTime(RunStatus.QUEUED, 5, 150.0)
    assert found[RunStatus.RUNNING] == StatusTime(RunStatus.RUNNING, 5, 20.0 + 24 * 3600 - 50)


async def test_too_many_runs(runs: list[Run], store: Store) -> None:
    with pytest.raises(LimitExceeded, match="more than 3 runs"):
        await recent(store, limit=3)


@pytest.mark.parametrize("quantiles", [[-0.1], [1.1], [0.5] * 101])
async def test_what_is_no_quantile(runs: list[Run], quantiles: list[float]) -> None:
    with pytest.raises(InvalidInput, match="between 0 and 1") as error:
        queue_wait(runs, quantiles, NOW)
    assert error.value.field == "quantiles"
