from __future__ import annotations

from dataclasses import replace

import pytest

from graphql_runs.model.run import Run, RunFailure, StatusEvidence
from graphql_runs.model.status import RunStatus as S
from graphql_runs.model.status import StatusClass, status_from
from graphql_runs.record.status import with_evidence

RUN = Run("run_x", "x", "w", "e", "run_x", 1, "x", "test", created_at=0, status=S.NOT_STARTED, status_at=0)


def said(
    status: S, at: int, *, reported: bool = True, source: str = "api", detail: str | None = None
) -> StatusEvidence:
    return StatusEvidence(status, at, reported, source, None, detail)


def after(*statements: StatusEvidence, limit: int = 100) -> Run:
    run = RUN
    for statement in statements:
        run = with_evidence(run, statement, limit)
    return run


def test_the_latest_by_time_counts_whatever_the_order_of_arrival() -> None:
    late = after(said(S.RUNNING, 10), said(S.QUEUED, 5))
    assert (late.status, late.status_at, late.started_at) == (S.RUNNING, 10, 10)


def test_ties_go_to_the_last_to_arrive() -> None:
    assert after(said(S.RUNNING, 10), said(S.COMPLETED, 10)).status is S.COMPLETED


def test_a_derived_status_counts_when_later_but_never_over_a_reported_end() -> None:
    ended = said(S.FAILED, 20, reported=False, source="exit_code")
    assert after(said(S.RUNNING, 10), ended).status is S.FAILED
    assert after(said(S.RUNNING, 30), ended).status is S.RUNNING
    assert after(said(S.COMPLETED, 15), ended).status is S.COMPLETED


def test_an_end_sets_ended_at_and_a_new_start_takes_it_back() -> None:
    done = after(said(S.RUNNING, 10), said(S.COMPLETED, 20))
    assert done.ended_at == 20
    again = with_evidence(done, said(S.RUNNING, 30), 100)
    assert (again.ended_at, again.started_at) == (None, 10)


def test_another_attempt_forgets_how_the_one_before_failed() -> None:
    failed = replace(
        after(said(S.RUNNING, 10), said(S.FAILED, 20)), error=RunFailure("out of memory"), exit_code=137
    )
    again = with_evidence(failed, said(S.RUNNING, 30), 100)
    assert (again.error, again.exit_code, again.ended_at) == (None, None, None)
    late = with_evidence(failed, said(S.RUNNING, 15), 100)
    assert (late.error, late.exit_code) == (failed.error, 137)
    assert with_evidence(failed, said(S.COMPLETED, 40), 100).error is None


def test_a_statement_that_is_delivered_again_changes_nothing() -> None:
    run = after(said(S.RUNNING, 10), said(S.COMPLETED, 20))
    assert with_evidence(run, said(S.RUNNING, 10), 100) is run
    longer = with_evidence(run, said(S.COMPLETED, 25), 100)
    assert with_evidence(longer, said(S.COMPLETED, 25), 100) is longer
    assert with_evidence(longer, said(S.COMPLETED, 23), 100) is longer


def test_a_statement_that_is_said_again_stands_until_then() -> None:
    run = after(said(S.RUNNING, 500), said(S.RUNNING, 547))
    assert [(one.at, one.until) for one in run.evidence] == [(500, 547)]
    assert (run.status, run.status_at, run.started_at) == (S.RUNNING, 500, 500)
    # What was said of a time before arrives late.
    assert after(said(S.RUNNING, 500), said(S.RUNNING, 547), said(S.QUEUED, 542)).status is S.RUNNING
    assert after(said(S.RUNNING, 500), said(S.RUNNING, 547), said(S.QUEUED, 548)).status is S.QUEUED
    exit_code = said(S.FAILED, 530, reported=False, source="exit_code")
    assert after(said(S.RUNNING, 500), said(S.RUNNING, 547), exit_code).status is S.RUNNING
    done = after(said(S.COMPLETED, 20), said(S.COMPLETED, 25), said(S.RUNNING, 22))
    assert (done.status, done.ended_at) == (S.COMPLETED, 20)


def test_old_statements_are_folded_and_counted() -> None:
    flapping = [said(S.RUNNING if i % 2 else S.NOT_RESPONDING, i) for i in range(50)]
    run = after(*flapping, limit=10)
    assert len(run.evidence) == 10
    assert run.evidence[0] == flapping[0]
    assert run.evidence[-1] == flapping[-1]
    assert run.evidence[1].source == "folded"
    assert run.evidence[1].detail is not None
    assert run.evidence[1].detail.startswith("41 ")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Running", S.RUNNING),
        ("NotResponding", S.NOT_RESPONDING),
        ("CancelRequested", S.CANCEL_REQUESTED),
        ("FINISHED", S.COMPLETED),
        ("killed", S.CANCELED),
        ("OUT_OF_MEMORY", S.FAILED),
        ("banana", S.UNKNOWN),
    ],
)
def test_foreign_words(word: str, status: S) -> None:
    assert status_from(word) is status


def test_every_status_has_a_class_and_three_are_terminal() -> None:
    assert {status for status in S if status.terminal} == {S.COMPLETED, S.FAILED, S.CANCELED}
    assert S.UNKNOWN.status_class is StatusClass.ACTIVE
    assert replace(RUN, status=S.QUEUED).status.status_class is StatusClass.PENDING
