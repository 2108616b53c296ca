"""Which status a run has, from all statements about it (`model.evidence`). Times in the future are taken as the time of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphql_runs.model.evidence import decide, latest
from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.status import RunStatus

FOLDED = "folded"
"""The source of the one statement that stands for the earlier ones which are not kept."""


def with_evidence(run: Run, statement: StatusEvidence, limit: int) -> Run:
    """The run after one more statement; the same object when it says nothing new."""
    if _known(run.evidence, statement):
        return run
    evidence = _bounded((*run.evidence, statement), limit)
    decided = decide(evidence)
    return replace(
        run,
        evidence=evidence,
        status=decided.status,
        status_at=decided.at,
        original_status=decided.original,
        started_at=run.started_at if run.started_at is not None else _first_running(evidence),
        ended_at=_ended(run, decided),
    )


def folded(evidence: Sequence[StatusEvidence]) -> int:
    """How many more statements there were than are kept."""
    return int(evidence[1].original or 1) - 1 if len(evidence) > 1 and evidence[1].source == FOLDED else 0


def _known(evidence: Sequence[StatusEvidence], statement: StatusEvidence) -> bool:
    """The same words again: at the same time, or as the latest of that kind from the same source."""
    same_kind = [
        old for old in evidence if old.reported == statement.reported and old.source == statement.source
    ]
    if any(
        (old.status, old.at, old.original) == (statement.status, statement.at, statement.original)
        for old in same_kind
    ):
        return True
    last = latest(same_kind)
    return (
        last is not None
        and last is latest([old for old in evidence if old.reported == statement.reported])
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
