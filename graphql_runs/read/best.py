"""The best run by a metric, and how the best came about over a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    MetricField,
    Op,
    Order,
    RunFilter,
    Stat,
)
from graphql_runs.model.run import Goal, Run
from graphql_runs.model.time import Micros
from graphql_runs.read.listed import listed
from graphql_runs.read.table import every_run
from graphql_runs.read.values import metrics_of
from graphql_runs.store.port import Store


@dataclass(frozen=True, slots=True)
class RunningBest:
    """The children of a run that have ended, in the order in which they did. All lists have one entry for each.

    values: the best finite value that each had of the metric, None for one without.
    best:   the best of all until then, None before there was one.
    """

    metric: str
    goal: Goal
    runs: list[Run]
    at: list[Micros]
    values: list[float | None]
    best: list[float | None]


def best_stat(goal: Goal) -> Stat:
    """The number of a metric's summary that is its best value."""
    return Stat.MIN if goal is Goal.MINIMIZE else Stat.MAX


async def best_run(
    store: Store, where: RunFilter, metric: str, goal: Goal, stat: Stat | None = None
) -> Run | None:
    """The run whose metric is best among those that match, by its best value or another number of its summary; the one of
    the least id among equals, None when no run has a finite one."""
    field = MetricField(metric, best_stat(goal) if stat is None else stat)
    finite = (Compare(field, Op.GT, -math.inf), Compare(field, Op.LT, math.inf))
    order = Order(field, descending=goal is Goal.MAXIMIZE)
    found = await store.find_runs(And((where, *finite)), [order], first=1)
    return found[0].run if found else None


async def best_child(store: Store, run: Run) -> Run | None:
    """The best of a run's children by its primary metric; None where the run has no such metric or no goal for it."""
    if run.primary_metric is None or run.primary_metric_goal is None:
        return None
    return await best_run(store, _children(run), run.primary_metric, run.primary_metric_goal)


async def running_best(store: Store, run: Run, *, limit: int) -> RunningBest | None:
    """How the best of a run's children came about, by its primary metric; None where the run has no such metric or no goal for it.

    Raises LimitExceeded (field runningBest) for more than `limit` children.
    """
    name, goal = run.primary_metric, run.primary_metric_goal
    if name is None or goal is None:
        return None
    children = await every_run(store, _children(run), limit=limit, field="runningBest")
    ended = sorted((child.ended_at, child.id, child) for child in children if child.ended_at is not None)
    runs = [child for _, _, child in ended]
    stat = best_stat(goal).value
    values = [
        None if metric is None else getattr(metric, stat)
        for metric in (await metrics_of(store, runs, [name]))[name]
    ]
    return RunningBest(name, goal, runs, [at for at, _, _ in ended], values, list(_running(values, goal)))


def _children(run: Run) -> RunFilter:
    return listed(Compare(AttributeField(Attribute.PARENT), Op.EQ, run.id))


def _running(values: Iterable[float | None], goal: Goal) -> Iterable[float | None]:
    better = min if goal is Goal.MINIMIZE else max
    best: float | None = None
    for value in values:
        if value is not None:
            best = value if best is None else better(best, value)
        yield best
