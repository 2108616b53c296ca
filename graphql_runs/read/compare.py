"""Many runs beside each other: a curve for each, or one for each group on an x that its runs share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.errors import InvalidInput, LimitExceeded, NotFound
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.read.align import Aggregate, Line, aggregated, union
from graphql_runs.read.downsample import kept_rows
from graphql_runs.read.groups import Grouping, Groups, grouped
from graphql_runs.read.merge import in_turns
from graphql_runs.read.records import find_run
from graphql_runs.read.series import LEAST_POINTS, SeriesData, XAxis, origin_of, series
from graphql_runs.read.table import label
from graphql_runs.read.values import Value, metrics_of
from graphql_runs.store.port import Store

GROUP_POINTS = 2_000_000
"""Points of the runs of a group that are held together. Of longer curves those stay that downsampling keeps."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: metrics over an axis, a column of theirs (a text) or another metric (`OtherMetric`), within a range of x.

    points: the most points of each curve, at least 4 for every aggregate.
    rows:   the most points that are read.
    most:   the most points of all curves together.
    """

    metrics: tuple[str, ...]
    x: XAxis | str | OtherMetric
    points: int
    rows: int
    most: int
    from_: float | None = None
    to: float | None = None
    grouping: Grouping | None = None
    aggregates: tuple[Aggregate, ...] = (Aggregate.MEAN,)


@dataclass(frozen=True, slots=True)
class OtherMetric:
    """Another metric of the same run, joined by step."""

    name: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a compared series: y of shape (k,), of floats, or a list with None where there is no value. `of` is None for a run's own."""

    of: Aggregate | None
    y: NDArray[Any] | list[float | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """A metric of one run or group. `x` and all curves have the shape (k,); `total` is the number of x in the range before any
    were left out. `group` has what tells the group from the others; a value that it lacks is left out."""

    metric: str
    ids: list[str]
    group: list[tuple[str, str]]
    x: NDArray[Any]
    curves: list[Curve]
    exact: bool
    total: int


@dataclass(frozen=True, slots=True)
class _Source:
    """A curve to read."""

    run: Run
    metric: Metric
    x: XAxis | str | Metric


async def named_runs(store: Store, given: Sequence[str]) -> list[Run]:
    """Runs by the server's or the producer's ids, each once. Raises NotFound for an unknown one."""
    found: dict[str, Run] = {}
    known = dict(zip(given, await store.get(Run, list(given)), strict=True))
    for id in given:
        run = known[id] or await find_run(store, id, field="runs")
        if run is None:
            raise NotFound(f"there is no run {id[:80]!r}", field="runs")
        found[run.id] = run
    return list(found.values())


async def compare(store: Store, runs: Sequence[Run], asked: Comparison, now: Micros) -> list[Compared]:
    """The curves by metric, in the order asked, and by run or group, in the order of runs. Runs that lack the metric, or what is
    its x, are left out.

    Raises InvalidInput (field x, points or from) and LimitExceeded (field metrics or points) when more than `asked.rows` points are to be read or
    more than `asked.most` could come back.
    """
    if asked.points < LEAST_POINTS * (len(asked.aggregates) if asked.grouping else 1):
        raise InvalidInput(
            f"points must be at least {LEAST_POINTS} for every aggregate, {asked.points} was given",
            field="points",
        )
    sources = await _sources(store, runs, asked)
    rows = sum(one.metric.count for found in sources.values() for one in found if one is not None)
    if rows > asked.rows:
        raise LimitExceeded(
            f"{rows} points would be read, the limit is {asked.rows}: compare fewer runs or metrics",
            field="metrics",
        )
    if asked.grouping is None:
        return await _single(store, sources, asked)
    groups = await grouped(store, runs, asked.grouping, now)
    wanted = [
        (name, row, members)
        for name, found in sources.items()
        for row, places in enumerate(groups.members)
        if (members := [one for place in places if (one := found[place]) is not None])
    ]
    _check_most([members for _, _, members in wanted], asked, len(asked.aggregates))
    return [await _group(store, name, members, _label(groups, row), asked) for name, row, members in wanted]


def _check_most(series_of: Sequence[Sequence[_Source]], asked: Comparison, lines: int) -> None:
    """Raises LimitExceeded when the curves, each of some sources, could have too many points together."""
    most = lines * sum(min(asked.points, sum(one.metric.count for one in members)) for members in series_of)
    if most > asked.most:
        raise LimitExceeded(
            f"{most} points could come back, the limit is {asked.most}: ask for fewer points, runs or metrics",
            field="points",
        )


async def _sources(store: Store, runs: Sequence[Run], asked: Comparison) -> dict[str, list[_Source | None]]:
    """For each metric, what to read of each run."""
    names = list(dict.fromkeys(asked.metrics))
    other = asked.x.name if isinstance(asked.x, OtherMetric) else None
    metrics = await metrics_of(store, runs, list(dict.fromkeys([*names, *([other] if other else [])])))
    sources: dict[str, list[_Source | None]] = {}
    for name in names:
        found: list[_Source | None] = []
        for place, run in enumerate(runs):
            metric = metrics[name][place]
            x = metrics[other][place] if other else asked.x
            fits = metric is not None and x is not None and _has_column(metric, x)
            found.append(_Source(run, metric, x) if fits else None)  # type: ignore[arg-type]  # neither is None then
        sources[name] = found
    fitting = any(one for found in sources.values() for one in found)
    if not fitting and any(metric for name in names for metric in metrics[name]):
        raise InvalidInput("none of the runs has what is to be x", field="x")
    return sources


def _has_column(metric: Metric, x: object) -> bool:
    return (
        not isinstance(x, str) or isinstance(x, XAxis) or any(column.name == x for column in metric.columns)
    )


async def _single(
    store: Store, sources: dict[str, list[_Source | None]], asked: Comparison
) -> list[Compared]:
    wanted = [(name, one) for name, found in sources.items() for one in found if one is not None]
    _check_most([[one] for _, one in wanted], asked, 1)
    curves = await _read(store, [one for _, one in wanted], asked, asked.points, around=False)
    return [
        Compared(name, [one.run.id], [], curve.x, [Curve(None, curve.y)], curve.exact, curve.total)
        for (name, one), curve in zip(wanted, curves, strict=True)
    ]


async def _group(
    store: Store, name: str, members: Sequence[_Source], label: list[tuple[str, str]], asked: Comparison
) -> Compared:
    most = max(asked.points, GROUP_POINTS // len(members))
    # With the points around the range, so that a run has the same values at its ends as without a range.
    curves = await _read(store, members, asked, most, around=True)
    exact = all(curve.exact for curve in curves)
    x, ys, total = await asyncio.to_thread(_merged, curves, asked)
    return Compared(
        name,
        [one.run.id for one in members],
        label,
        x,
        [Curve(of, y) for of, y in zip(asked.aggregates, ys, strict=True)],
        exact and len(x) == total,
        total,
    )


def _merged(
    curves: Sequence[SeriesData], asked: Comparison
) -> tuple[NDArray[np.float64], list[NDArray[Any] | list[float | None]], int]:
    """The x of a group, a curve for each aggregate, and how many x there were."""
    lines = [Line.of(curve.x, curve.y) for curve in curves]
    x = union(lines, asked.from_, asked.to)
    total = len(x)
    wanted = list(dict.fromkeys([*asked.aggregates, Aggregate.COUNT]))
    found = dict(zip(wanted, aggregated(lines, x, wanted), strict=True))
    if total > asked.points:
        share = asked.points // len(asked.aggregates)
        kept = np.unique(np.concatenate([kept_rows(found[of], share) for of in asked.aggregates]))
        x, found = x[kept], {of: y[kept] for of, y in found.items()}
    ys = [
        _with_gaps(found[of], found[Aggregate.COUNT] == 1) if of is Aggregate.STD else found[of]
        for of in asked.aggregates
    ]
    return x, ys, total


def _with_gaps(y: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[Any] | list[float | None]:
    """A single run has no spread, which is something else than NaN."""
    if not missing.any():
        return y
    return [None if gap else value for value, gap in zip(y.tolist(), missing.tolist(), strict=True)]


async def _read(
    store: Store, sources: Sequence[_Source], asked: Comparison, points: int, *, around: bool
) -> list[SeriesData]:
    """The curves, in the order of sources; a few are read at a time."""
    found: dict[int, SeriesData] = {}

    async def one(place: int, source: _Source) -> None:
        found[place] = await series(
            store,
            source.metric,
            source.x,
            points=points,
            from_=asked.from_,
            to=asked.to,
            around=around,
            origin=origin_of(source.run) if source.x is XAxis.RELATIVE_TIME else None,
        )

    await in_turns(partial(one, place, source) for place, source in enumerate(sources))
    return [found[place] for place in range(len(sources))]


def _label(groups: Groups, row: int) -> list[tuple[str, str]]:
    return [
        (label(field), shown(value))
        for field, column in zip(groups.fields, groups.keys, strict=True)
        if (value := column.values[row]) is not None
    ]


def shown(value: Value) -> str:
    """A value as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
