from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows
from graphql_runs.model.points import Values
from graphql_runs.model.records import Metric, MetricKind
from graphql_runs.read.downsample import kept_rows
from graphql_runs.read.points import read_points
from graphql_runs.read.series import SeriesData, XAxis, first_values, series, steps_or_rows
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

RUN = ids.run_id(ids.workspace_id("default"), "run")
NAME = "loss"


@pytest.fixture
async def declared(recorder: Recorder) -> Recorder:
    await recorder.record("default", [DeclareRun("run", "e", "run", "test")])
    return recorder


async def log(
    recorder: Recorder, values: Values, steps: Values | None = None, at: Values | None = None
) -> None:
    await recorder.record("default", [LogPoints("run", NAME, values, steps, at)])


async def metric(store: Store, name: str = NAME) -> Metric:
    [found] = await store.get(Metric, [ids.metric_id(RUN, name)])
    assert found is not None
    return found


async def curve(store: Store, x: XAxis | str = XAxis.STEP, points: int = 1000, **options: Any) -> SeriesData:
    return await series(store, await metric(store), x, points=points, **options)


def same(found: np.ndarray[Any, Any], wanted: Sequence[float]) -> bool:
    return np.array_equal(found.astype(float), np.array(wanted, dtype=float), equal_nan=True)


async def test_few_points_come_back_as_they_are(store: Store, declared: Recorder) -> None:
    await log(declared, [3.0, 2.0], [0, 10], [1_000_000, 2_000_000])
    await log(declared, [float("nan"), float("-inf")], [20, 30], [3_000_000, 4_000_000])
    found = await curve(store)
    assert found.x.tolist() == [0, 10, 20, 30]
    assert same(found.y, [3, 2, math.nan, -math.inf])
    assert found.at.tolist() == [1_000_000, 2_000_000, 3_000_000, 4_000_000]
    assert (found.exact, found.total, found.restart_at.tolist()) == (True, 4, [])


async def test_without_steps_the_row_counts(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0])
    await log(declared, [3.0], [100])
    await log(declared, [4.0])
    found = await curve(store)
    assert found.x.tolist() == [0, 1, 3, 100]
    assert found.y.tolist() == [1.0, 2.0, 4.0, 3.0]
    assert found.restart_at.tolist() == []


async def test_a_restart_is_sorted_in_and_named(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0, 3.0], [0, 1, 2])
    await log(declared, [20.0, 30.0], [1, 2])
    found = await curve(store)
    assert found.x.tolist() == [0, 1, 1, 2, 2]
    assert found.y.tolist() == [1.0, 2.0, 20.0, 3.0, 30.0]
    assert found.restart_at.tolist() == [3]
    by_row = await curve(store, XAxis.INDEX)
    assert by_row.y.tolist() == [1.0, 2.0, 3.0, 20.0, 30.0]
    assert by_row.restart_at.tolist() == [3]


async def test_restarts_are_found_across_pieces_of_a_thinned_curve(store: Store, declared: Recorder) -> None:
    await log(declared, np.arange(50.0), np.arange(50))
    await log(declared, np.arange(50.0), np.arange(30, 80))
    found = await curve(store, XAxis.INDEX, points=8)
    assert not found.exact
    assert found.restart_at.tolist() == [50]


async def test_axes_of_time(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0, 3.0], None, [10_000_001, 12_500_000, 20_000_000])
    assert (await curve(store, XAxis.TIME)).x.tolist() == [10.000001, 12.5, 20.0]
    assert (await curve(store, XAxis.RELATIVE_TIME)).x.tolist() == [0.0, 2.499999, 9.999999]
    assert (await curve(store, XAxis.RELATIVE_TIME, origin=9_000_001)).x.tolist() == [
        1.0,
        3.499999,
        10.999999,
    ]
    # The clock of the run's start is later than its first point: time does not become negative.
    assert (await curve(store, XAxis.RELATIVE_TIME, origin=11_000_000)).x.tolist()[0] == 0.0


@pytest.mark.parametrize("x", list(XAxis))
async def test_many_points_are_thinned_by_the_rule(store: Store, declared: Recorder, x: XAxis) -> None:
    values = np.sin(np.arange(5000.0))
    values[777] = 50
    values[1234] = np.nan
    at = np.arange(5000) * 1000
    for start in range(0, 5000, 640):
        part = slice(start, start + 640)
        await log(declared, values[part], np.arange(5000)[part], at[part])
    found = await curve(store, x, points=100)
    kept = kept_rows(values, 100)
    assert same(found.y, values[kept].tolist())
    assert found.at.tolist() == at[kept].tolist()
    assert (found.exact, found.total) == (False, 5000)
    again = await curve(store, x, points=100)
    assert [found.x.tobytes(), found.y.tobytes(), found.at.tobytes()] == [
        again.x.tobytes(),
        again.y.tobytes(),
        again.at.tobytes(),
    ]


async def test_unsorted_points_are_thinned_in_the_order_of_x(store: Store, declared: Recorder) -> None:
    steps = np.arange(400)[::-1].copy()
    await log(declared, np.arange(400.0), steps)
    found = await curve(store, points=40)
    assert found.x.tolist() == sorted(found.x.tolist())
    assert found.y.tolist() == np.arange(400.0)[::-1][kept_rows(np.arange(400.0)[::-1], 40)].tolist()
    assert found.total == 400


async def test_ranges_take_both_ends(store: Store, declared: Recorder) -> None:
    await log(declared, np.arange(10.0), np.arange(0, 100, 10))
    assert (await curve(store, from_=20, to=40)).x.tolist() == [20, 30, 40]
    assert (await curve(store, from_=85)).x.tolist() == [90]
    assert (await curve(store, to=-1)).total == 0
    assert (await curve(store, XAxis.INDEX, from_=2.5, to=4)).x.tolist() == [3, 4]
    assert (await curve(store, XAxis.INDEX, from_=-5, to=1e300)).total == 10
    assert (await curve(store, XAxis.INDEX, from_=11)).total == 0
    assert (await curve(store, XAxis.INDEX, to=-0.5)).total == 0


async def test_a_range_of_many_points_is_thinned(store: Store, declared: Recorder) -> None:
    await log(declared, np.arange(1000.0), np.arange(1000))
    found = await curve(store, points=20, from_=100, to=899)
    assert (found.total, found.exact, found.x[0], found.x[-1]) == (800, False, 100, 899)


async def test_large_steps_stay_exact(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0], [2**60, 2**60 + 1])
    assert (await curve(store)).x.tolist() == [2**60, 2**60 + 1]


async def test_steps_may_be_fractions(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0], [0, 1])
    await log(declared, [3.0], [0.5])
    found = await curve(store)
    assert found.x.tolist() == [0.0, 0.5, 1.0]
    assert found.restart_at.tolist() == [2]


async def test_columns(store: Store, declared: Recorder) -> None:
    rows = LogRows(
        "run", "pr", {"precision": [0.9, 0.5, 0.7], "recall": [0.1, 0.9, None], "note": ["a", "b", None]}
    )
    await declared.record("default", [rows])
    pr = await metric(store, "pr")
    assert pr.kind is MetricKind.ROW
    assert (await series(store, pr, points=10)).y.tolist() == [0.9, 0.5, 0.7]
    found = await series(store, pr, "precision", "recall", points=10)
    assert found.x.tolist() == [0.5, 0.7, 0.9]
    assert same(found.y, [0.9, math.nan, 0.1])
    # A row without x comes last, and is in no range.
    found = await series(store, pr, "recall", "precision", points=10)
    assert same(found.x, [0.1, 0.9, math.nan])
    assert (await series(store, pr, "recall", "precision", points=10, from_=0)).total == 2
    for x, y, field in (
        (XAxis.STEP, "note", "y"),
        (XAxis.STEP, "f1", "y"),
        ("note", None, "x"),
        ("f1", None, "x"),
    ):
        with pytest.raises(InvalidInput) as error:
            await series(store, pr, x, y, points=10)
        assert error.value.field == field


async def test_a_column_that_comes_later_is_missing_before(store: Store, declared: Recorder) -> None:
    await declared.record("default", [LogRows("run", "t", {"a": [1.0]})])
    await declared.record("default", [LogRows("run", "t", {"a": [2.0], "b": [True]})])
    found = await series(store, await metric(store, "t"), column="b", points=10)
    assert same(found.y, [math.nan, 1.0])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"points": 3}, "points"),
        ({"points": 10, "from_": 2.0, "to": 1.0}, "from"),
        ({"points": 10, "from_": math.nan, "to": 1.0}, "from"),
    ],
)
async def test_bad_questions_name_the_argument(
    store: Store, declared: Recorder, options: dict[str, Any], field: str
) -> None:
    await log(declared, [1.0])
    with pytest.raises(InvalidInput) as error:
        await curve(store, **options)
    assert error.value.field == field


async def test_a_metric_without_points_is_an_empty_curve(store: Store) -> None:
    metric = Metric("metric_x", RUN, RUN, "w", "e", "nothing")
    found = await series(store, metric, points=10)
    assert (len(found.x), len(found.y), len(found.at), found.exact, found.total) == (0, 0, 0, True, 0)


async def test_what_followers_are_shown(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0])
    found = await metric(store)
    points = await read_points(store, found.id, 0, 2)
    assert steps_or_rows(points).tolist() == [0, 1]
    assert first_values(found, points).tolist() == [1.0, 2.0]
    later = await read_points(store, found.id, 1, 9)
    assert (later.start, steps_or_rows(later).tolist()) == (1, [1])


async def other(store: Store, recorder: Recorder, values: Values, steps: Values | None = None) -> Metric:
    await recorder.record("default", [LogPoints("run", "other", values, steps)])
    return await metric(store, "other")


async def test_over_another_metric_points_are_joined_by_step(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3])
    x = await other(store, declared, [50.0, 30.0, 10.0, 20.0], [0, 2, 1, 2])
    found = await series(store, await metric(store), x, points=100)
    assert found.x.tolist() == [10.0, 20.0, 50.0]
    assert found.y.tolist() == [2.0, 3.0, 1.0]
    assert (found.exact, found.total) == (True, 3)
    part = await series(store, await metric(store), x, points=100, from_=15, to=20)
    assert part.y.tolist() == [3.0]


async def test_over_another_metric_steps_of_either_type_meet(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0], [0.5, 1.0])
    x = await other(store, declared, [7.0, math.nan], [1, 2])
    found = await series(store, await metric(store), x, points=100)
    assert (found.x.tolist(), found.y.tolist()) == ([7.0], [2.0])


async def test_without_steps_rows_meet(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0, 3.0])
    found = await series(store, await metric(store), await other(store, declared, [5.0, 4.0]), points=100)
    assert (found.x.tolist(), found.y.tolist()) == ([4.0, 5.0], [2.0, 1.0])


async def test_over_another_metric_an_x_that_is_nan_comes_last(store: Store, declared: Recorder) -> None:
    await log(declared, [1.0, 2.0], [0, 1])
    found = await series(
        store, await metric(store), await other(store, declared, [math.nan, 3.0], [0, 1]), points=9
    )
    assert same(found.x, [3.0, math.nan])


async def test_many_points_over_another_metric_are_thinned(store: Store, declared: Recorder) -> None:
    values = [float(place % 13) for place in range(1000)]
    await log(declared, values)
    found = await series(
        store, await metric(store), await other(store, declared, list(range(1000))), points=40
    )
    assert (found.exact, found.total, found.y.max()) == (False, 1000, 12.0)


@pytest.mark.parametrize(
    ("from_", "to", "x"),
    [
        (15, 25, [10, 20, 30, 30]),
        (10, 10, [0, 10, 20]),
        (None, 5, [0, 10]),
        (35, None, [30, 40]),
        (41, 99, [40]),
        (-5, -1, [0]),
    ],
)
async def test_a_range_with_what_is_around_it(
    store: Store, declared: Recorder, from_: float | None, to: float | None, x: list[int]
) -> None:
    await log(declared, [0.0, 1.0, 2.0, 3.0, 3.5, 4.0], [0, 10, 20, 30, 30, 40])
    assert (await curve(store, from_=from_, to=to, around=True)).x.tolist() == x


async def test_a_range_of_rows_with_what_is_around_it(store: Store, declared: Recorder) -> None:
    await log(declared, [0.0, 1.0, 2.0, 3.0])
    assert (await curve(store, XAxis.INDEX, from_=2, to=2, around=True)).x.tolist() == [1, 2, 3]
