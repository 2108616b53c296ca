from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded, NotFound
from graphql_runs.model.filter import Bag, BagField
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows
from graphql_runs.model.run import Run
from graphql_runs.read import compare as module
from graphql_runs.read.align import Aggregate
from graphql_runs.read.compare import Compared, Comparison, OtherMetric, compare, named_runs
from graphql_runs.read.groups import Grouping
from graphql_runs.read.series import XAxis
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

BY_LR = Grouping((BagField(Bag.PARAM, "lr"),))
NAN, INF = math.nan, math.inf


async def log(
    recorder: Recorder,
    id: str,
    lr: str,
    values: Sequence[float],
    steps: Sequence[int] | None = None,
    at: int = 0,
) -> None:
    times = [at + 1_000_000 * place for place in range(len(values))]
    await recorder.record(
        "default",
        [
            DeclareRun(id, "e", id, "test", created_at=at, params={"lr": lr, "seed": id}),
            LogPoints(id, "loss", values, steps, times),
        ],
    )


async def asked(store: Store, names: Sequence[str], **options: Any) -> list[Compared]:
    given: dict[str, Any] = {
        "metrics": ("loss",),
        "x": XAxis.STEP,
        "points": 100,
        "rows": 10**6,
        "most": 10**6,
        **options,
    }
    return await compare(store, await named_runs(store, names), Comparison(**given), 0)


def curve(found: Compared, of: Aggregate | None = None) -> list[Any]:
    [y] = [one.y for one in found.curves if one.of is of]
    return list(y) if isinstance(y, list) else y.tolist()


def server_id(name: str) -> str:
    return ids.run_id(ids.workspace_id("default"), name)


async def test_every_run_has_its_own_curve(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "1", [1.0, NAN, INF], [0, 5, 10])
    await log(recorder, "b", "1", [2.0], [3])
    one, other = await asked(store, ["a", "b"])
    assert (one.metric, one.ids, one.group, one.x.tolist()) == ("loss", [server_id("a")], [], [0, 5, 10])
    assert np.array_equal(curve(one), [1.0, NAN, INF], equal_nan=True)
    assert (one.exact, one.total) == (True, 3)
    assert curve(other) == [2.0]


async def test_metrics_come_as_asked_and_runs_without_one_are_left_out(
    store: Store, recorder: Recorder
) -> None:
    await log(recorder, "a", "1", [1.0])
    await log(recorder, "b", "1", [2.0])
    await recorder.record("default", [LogPoints("b", "acc", [0.5])])
    found = await asked(store, ["a", "b"], metrics=("acc", "loss", "acc", "nothing"))
    assert [(one.metric, one.ids) for one in found] == [
        ("acc", [server_id("b")]),
        ("loss", [server_id("a")]),
        ("loss", [server_id("b")]),
    ]


async def test_a_group_has_every_x_of_its_runs(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "0.1", [0.0, 4.0], [0, 4])
    await log(recorder, "b", "0.10", [2.0, NAN, 8.0], [0, 2, 6])
    await log(recorder, "c", "3", [7.0], [1])
    group, single = await asked(store, ["a", "b", "c"], grouping=BY_LR, aggregates=tuple(Aggregate))
    assert (group.ids, group.group) == ([server_id("a"), server_id("b")], [("lr", "0.1")])
    assert group.x.tolist() == [0, 2, 4, 6]
    assert curve(group, Aggregate.MEAN) == [1.0, 2.0, 4.0, 8.0]
    assert curve(group, Aggregate.MEDIAN) == [1.0, 2.0, 4.0, 8.0]
    assert curve(group, Aggregate.MIN) == [0.0, 2.0, 4.0, 8.0]
    assert curve(group, Aggregate.MAX) == [2.0, 2.0, 4.0, 8.0]
    assert curve(group, Aggregate.COUNT) == [2.0, 1.0, 1.0, 1.0]
    assert curve(group, Aggregate.STD) == [math.sqrt(2), None, None, None]
    assert (group.exact, group.total) == (True, 4)
    assert (single.group, curve(single, Aggregate.MEAN)) == ([("lr", "3")], [7.0])


async def test_where_no_run_is_finite_the_group_is_nan(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "1", [1.0, NAN])
    await log(recorder, "b", "1", [1.0, INF])
    [group] = await asked(
        store, ["a", "b"], grouping=BY_LR, aggregates=(Aggregate.MEAN, Aggregate.STD, Aggregate.COUNT)
    )
    assert np.array_equal(curve(group, Aggregate.MEAN), [1.0, NAN], equal_nan=True)
    assert np.array_equal(curve(group, Aggregate.STD), [0.0, NAN], equal_nan=True)
    assert curve(group, Aggregate.COUNT) == [2.0, 0.0]


async def test_groups_by_all_params_but_the_seed(store: Store, recorder: Recorder) -> None:
    for name, lr in (("a", "1"), ("b", "2"), ("c", "1")):
        await log(recorder, name, lr, [float(ord(name))])
    found = await asked(store, ["a", "b", "c"], grouping=Grouping(params_except=("seed",)))
    assert [(len(one.ids), one.group) for one in found] == [(2, [("lr", "1")]), (1, [("lr", "2")])]


async def test_a_range_changes_no_value(store: Store, recorder: Recorder) -> None:
    rng = np.random.default_rng(3)
    for name in "abc":
        steps = np.sort(rng.choice(100, 30, replace=False))
        await log(recorder, name, "1", rng.normal(size=30).tolist(), steps.tolist())
    names = ["a", "b", "c"]
    [whole] = await asked(store, names, grouping=BY_LR, points=1000)
    [part] = await asked(store, names, grouping=BY_LR, points=1000, from_=20, to=61.5)
    inside = (whole.x >= 20) & (whole.x <= 61.5)
    assert part.x.tolist() == whole.x[inside].tolist()
    assert curve(part, Aggregate.MEAN) == np.array(curve(whole, Aggregate.MEAN))[inside].tolist()
    assert part.total == inside.sum()


async def test_extrema_of_every_aggregate_survive(store: Store, recorder: Recorder) -> None:
    rng = np.random.default_rng(4)
    for name in "ab":
        await log(recorder, name, "1", rng.normal(size=500).tolist())
    options = {"grouping": BY_LR, "aggregates": (Aggregate.MEAN, Aggregate.STD)}
    [whole] = await asked(store, ["a", "b"], points=1000, **options)
    [thin] = await asked(store, ["a", "b"], points=40, **options)
    [again] = await asked(store, ["a", "b"], points=40, **options)
    assert (whole.exact, thin.exact, thin.total) == (True, False, 500)
    assert len(thin.x) <= 40
    for of in (Aggregate.MEAN, Aggregate.STD):
        assert {min(curve(whole, of)), max(curve(whole, of))} <= set(curve(thin, of))
        assert curve(again, of) == curve(thin, of)


async def test_long_runs_are_held_thinned(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP_POINTS", 40)
    for name in "ab":
        await log(recorder, name, "1", [float(place % 17) for place in range(400)])
    [found] = await asked(store, ["a", "b"], grouping=BY_LR, points=30, aggregates=(Aggregate.MAX,))
    assert not found.exact
    assert max(curve(found, Aggregate.MAX)) == 16.0


async def test_x_by_another_metric(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "1", [5.0, 6.0, 7.0], [0, 1, 2])
    await log(recorder, "b", "1", [1.0])
    await recorder.record("default", [LogPoints("a", "seen", [100.0, 300.0], [0, 2])])
    [found] = await asked(store, ["a", "b"], x=OtherMetric("seen"))
    assert (found.x.tolist(), curve(found)) == ([100.0, 300.0], [5.0, 7.0])
    with pytest.raises(InvalidInput) as error:
        await asked(store, ["b"], x=OtherMetric("seen"))
    assert error.value.field == "x"


async def test_x_by_a_column(store: Store, recorder: Recorder) -> None:
    rows = LogRows("r", "pr", {"precision": [0.9, 0.5], "recall": [0.2, 0.8]})
    await recorder.record("default", [DeclareRun("r", "e", "r", "test"), rows])
    await recorder.record("default", [DeclareRun("s", "e", "s", "test"), LogPoints("s", "pr", [1.0])])
    [found] = await asked(store, ["r", "s"], metrics=("pr",), x="recall")
    assert (found.x.tolist(), curve(found)) == ([0.2, 0.8], [0.9, 0.5])
    with pytest.raises(InvalidInput, match="none of the runs"):
        await asked(store, ["r", "s"], metrics=("pr",), x="depth")


async def test_relative_time_begins_with_each_run(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "1", [1.0, 2.0], at=5_000_000)
    await log(recorder, "b", "1", [3.0, 4.0], at=90_000_000)
    [found] = await asked(store, ["a", "b"], x=XAxis.RELATIVE_TIME, grouping=BY_LR)
    assert (found.x.tolist(), curve(found, Aggregate.MEAN)) == ([0.0, 1.0], [2.0, 3.0])


async def test_what_is_too_much(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "1", [1.0, 2.0, 3.0])
    with pytest.raises(LimitExceeded, match="3 points would be read, the limit is 2") as error:
        await asked(store, ["a"], rows=2)
    assert error.value.field == "metrics"
    with pytest.raises(LimitExceeded, match="3 points could come back, the limit is 2") as error:
        await asked(store, ["a"], most=2)
    assert error.value.field == "points"
    with pytest.raises(LimitExceeded, match="6 points could come back"):
        await asked(store, ["a"], most=5, grouping=BY_LR, aggregates=(Aggregate.MIN, Aggregate.MAX))
    with pytest.raises(InvalidInput, match="at least 4 for every aggregate"):
        await asked(store, ["a"], points=7, grouping=BY_LR, aggregates=(Aggregate.MEAN, Aggregate.STD))
    with pytest.raises(InvalidInput, match="greater than to"):
        await asked(store, ["a"], from_=2.0, to=1.0)


async def test_runs_by_either_id_each_once(store: Store, recorder: Recorder) -> None:
    await log(recorder, "a", "1", [1.0])
    found = await named_runs(store, ["a", server_id("a")])
    assert [run.run_id for run in found] == ["a"]
    assert isinstance(found[0], Run)
    with pytest.raises(NotFound, match="'b'") as error:
        await named_runs(store, ["a", "b"])
    assert error.value.field == "runs"
