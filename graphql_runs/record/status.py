"""Which status a run has, from all statements about it (`model.evidence`). Times in the future are taken as the time of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphql_runs.model.evidence import decide, latest
from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros

FOLDED = "folded"
"""The source of the one statement that stands for the earlier ones which are not kept."""


def with_evidence(run: Run, statement: StatusEvidence, limit: int) -> Run:
    """The run after one more statement; the same object when it says nothing new. One that says the latest again, at a later
    time, only makes that one stand until then."""
    same = [old for old in run.evidence if _alike(old, statement)]
    if any(
        (old.status, old.original) == (statement.status, statement.original) and _covers(old, statement.at)
        for old in same
    ):
        return run
    last = latest(same)
    if last is not None and _repeats(run, last, statement):
        longer = replace(last, until=statement.at)
        evidence = tuple(longer if old is last else old for old in run.evidence)
    else:
        evidence = _bounded((*run.evidence, statement), limit)
    decided = decide(evidence)
    again = run.status.terminal and not decided.status.terminal
    return replace(
        run,
        evidence=evidence,
        # Another attempt, or one that went well after all: what was said of the one before is in the evidence.
        error=None if again or decided.status is RunStatus.COMPLETED else run.error,
        exit_code=None if again else run.exit_code,
        status=decided.status,
        status_at=decided.at,
        original_status=decided.original,
        started_at=run.started_at if run.started_at is not None else _first_running(evidence),
        ended_at=_ended(run, decided),
    )


def folded(evidence: Sequence[StatusEvidence]) -> int:
    """How many more statements there were than are kept."""
    return int(evidence[1].original or 1) - 1 if len(evidence) > 1 and evidence[1].source == FOLDED else 0


def _alike(old: StatusEvidence, statement: StatusEvidence) -> bool:
    return old.reported == statement.reported and old.source == statement.source


def _covers(old: StatusEvidence, at: Micros) -> bool:
    """The same words were said of that time already."""
    return old.at == at or (old.until is not None and old.at < at <= old.until)


def _repeats(run: Run, last: StatusEvidence, statement: StatusEvidence) -> bool:
    """Nothing else has been said since by any source of that kind."""
    return (
        last is latest([old for old in run.evidence if old.reported == statement.reported])
        and (last.status, last.original, last.detail)
        == (statement.status, statement.original, statement.detail)
        and statement.at >= last.at
    )


def _bounded(evidence: tuple[StatusEvidence, ...], limit: int) -> tuple[StatusEvidence, ...]:
    if len(evidence) <= limit:
        return evidence
    first, old, *rest = evidence
    count = int(old.original or 1) if old.source == FOLDED else 1
    kept, rest = rest[0], rest[1:]
    summary = replace(
        kept,
        source=FOLDED,
        original=str(count + 1),
        detail=f"{count + 1} earlier statements were folded into this one",
        origin=None,
    )
    return (first, summary, *rest)


def _first_running(evidence: Sequence[StatusEvidence]) -> int | None:
    return min(
        (statement.at for statement in evidence if statement.status is RunStatus.RUNNING), default=None
    )


def _ended(run: Run, decided: StatusEvidence) -> int | None:
    if not decided.status.terminal:
        return None
    return run.ended_at if run.ended_at is not None else decided.at
