"""How long a run was in which status, and whether it still gives signs of life."""

from __future__ import annotations

from dataclasses import dataclass

from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.model.time import Micros


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time in one status. `end` is None while it lasts; `seconds` then counts until now."""

    status: RunStatus
    status_class: StatusClass
    start: Micros
    end: Micros | None
    seconds: float


def phases(run: Run, now: Micros) -> tuple[Phase, ...]:
    """The stretches of a run by all statements about it, in order of time (ties: of arrival).

    Statements that repeat the status before add nothing. A terminal status that nothing follows is the end, no stretch of
    its own; where the run's end is known to be earlier, the last stretch ends there.
    """
    turns: list[tuple[RunStatus, Micros]] = []
    for statement in sorted(run.evidence, key=lambda statement: statement.at):
        if not turns or turns[-1][0] is not statement.status:
            turns.append((statement.status, statement.at))
    found = []
    for index, (status, start) in enumerate(turns):
        last = index == len(turns) - 1
        if last and status.terminal:
            break
        end = None if last else turns[index + 1][1]
        if end is None and run.status.terminal:
            end = max(start, run.status_at if run.ended_at is None else run.ended_at)
        seconds = ((max(now, start) if end is None else end) - start) / 1e6
        found.append(Phase(status, status.status_class, start, end, seconds))
    return tuple(found)


def duration(run: Run) -> float | None:
    """Seconds from creation to end, time in queues included, as Azure counts it; None until the run ended."""
    return None if run.ended_at is None else (run.ended_at - run.created_at) / 1e6


def queue_seconds(run: Run, now: Micros) -> float:
    """Seconds that the run waited so far: in statuses of the class PENDING."""
    return sum(phase.seconds for phase in phases(run, now) if phase.status_class is StatusClass.PENDING)


def is_stale(run: Run, now: Micros) -> bool:
    """True when the run gave no sign of life until `Run.stale_at`. Nothing is written: the next sign makes it fresh again."""
    return run.stale_at is not None and run.stale_at < now
