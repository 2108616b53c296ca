"""What the views of one run state differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from graphql_runs.model.evidence import decide
from graphql_runs.model.records import Cluster
from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.time import Micros, from_text, to_text
from graphql_runs.read.values import number_of
from graphql_runs.store.port import Store

APART = 120_000_000
"""Micros by which times may differ: a tracker sees a run begin and end somewhat later than the system that starts it."""


@dataclass(frozen=True, slots=True)
class StatedValue:
    """What one run says a field is, and where that was read."""

    value: str
    source: str
    run: Run


@dataclass(frozen=True, slots=True)
class RunConflict:
    """A field (`status`, `params.lr`, …) that runs which are one state differently, with what each of them says that says something."""

    field: str
    values: tuple[StatedValue, ...]


async def conflicts(store: Store, members: Sequence[Run]) -> list[RunConflict]:
    """The fields that a run and its aliases state differently: what they say themselves, not what they were told by each other."""
    if len(members) < 2:
        return []
    wanted = list(dict.fromkeys(run.cluster for run in members if run.cluster is not None))
    clusters = {found.id: found.name for found in await store.get(Cluster, wanted) if found is not None}
    return [
        RunConflict(field, tuple(values))
        for field, values in _stated(members, clusters)
        if _differ(field, [stated.value for stated in values])
    ]


def _stated(members: Sequence[Run], clusters: Mapping[str, str]) -> Iterator[tuple[str, list[StatedValue]]]:
    """What each run that says something says, field by field."""
    said = [(run, decide(own)) for run in members if (own := _own(run))]
    yield "status", [StatedValue(one.status.value, one.source, run) for run, one in said]
    yield "cluster", _each(members, lambda run: clusters.get(run.cluster or ""))
    for field, read in _FIELDS.items():
        yield field, _each(members, read)
    for name in dict.fromkeys(name for run in members for name in run.params):
        yield f"params.{name}", _each(members, partial(_param, name))


def _own(run: Run) -> list[StatusEvidence]:
    return [statement for statement in run.evidence if statement.origin is None]


def _param(name: str, run: Run) -> str | None:
    return run.params.get(name)


def _each(members: Sequence[Run], read: Callable[[Run], int | str | None]) -> list[StatedValue]:
    values = [(run, read(run)) for run in members]
    return [StatedValue(str(value), run.source, run) for run, value in values if value is not None]


def _differ(field: str, values: Sequence[str]) -> bool:
    if field in _TIMES and values:
        times = [from_text(value) for value in values]
        return max(times) - min(times) > APART
    if field.startswith("params."):
        return len({number if (number := number_of(value)) is not None else value for value in values}) > 1
    return len(set(values)) > 1


def _time(at: Micros | None) -> str | None:
    return None if at is None else to_text(at)


_TIMES = ("startedAt", "endedAt")
_FIELDS: Mapping[str, Callable[[Run], int | str | None]] = {
    "name": lambda run: run.name,
    "displayName": lambda run: run.display_name,
    "target": lambda run: run.target,
    "submittedBy": lambda run: run.submitted_by,
    "startedAt": lambda run: _time(run.started_at),
    "endedAt": lambda run: _time(run.ended_at),
    "exitCode": lambda run: run.exit_code,
}
