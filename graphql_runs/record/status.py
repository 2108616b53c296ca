"""Which status a run has, from all statements about it.

The latest reported statement counts, ties going to the one that arrived last. A derived statement (exit code, driver line)
counts when it is later than every reported one, or when nothing was reported; it never overrides a reported terminal
status. Times in the future are taken as the time of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.status import RunStatus


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


def decide(evidence: Sequence[StatusEvidence]) -> StatusEvidence:
    """The statement that counts among one or more, given in order of arrival."""
    reported = _latest([statement for statement in evidence if statement.reported])
    derived = _latest([statement for statement in evidence if not statement.reported])
    if reported is None or derived is None:
        found = reported or derived
        assert found is not None
        return found
    if reported.status.terminal or reported.at >= derived.at:
        return reported
    return derived


def _latest(evidence: Sequence[StatusEvidence]) -> StatusEvidence | None:
    latest = None
    for statement in evidence:
        if latest is None or statement.at >= latest.at:
            latest = statement
    return latest


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
    latest = _latest(same_kind)
    return (
        latest is not None
        and latest is _latest([old for old in evidence if old.reported == statement.reported])
        and (latest.status, latest.original, latest.detail)
        == (statement.status, statement.original, statement.detail)
        and statement.at >= latest.at
    )


def _bounded(evidence: tuple[StatusEvidence, ...], limit: int) -> tuple[StatusEvidence, ...]:
    if len(evidence) <= limit:
        return evidence
    first, folded, *rest = evidence
    count = int(folded.original or 1) if folded.source == "folded" else 1
    kept, rest = rest[0], rest[1:]
    summary = replace(
        kept,
        source="folded",
        original=str(count + 1),
        detail=f"{count + 1} earlier statements were folded into this one",
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
