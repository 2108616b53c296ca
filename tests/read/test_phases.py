from __future__ import annotations

from dataclasses import replace

from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.read.phases import Phase, duration, is_stale, phases, queue_seconds

SECOND = 1_000_000
RUN = Run("run_x", "x", "w", "e", "run_x", 1, "x", "test", 0, RunStatus.NOT_STARTED, 0)


def said(status: RunStatus, at: int, *, reported: bool = True) -> StatusEvidence:
    return StatusEvidence(status, at * SECOND, reported, "test")


def run(*evidence: StatusEvidence, **changes: object) -> Run:
    last = max(evidence, key=lambda statement: statement.at, default=None)
    known = {} if last is None else {"status": last.status, "status_at": last.at}
    return replace(RUN, evidence=evidence, **{**known, **changes})  # type: ignore[arg-type]  # fields of Run


def test_stretches_of_time_in_each_status() -> None:
    found = run(
        said(RunStatus.QUEUED, 10),
        said(RunStatus.RUNNING, 25),
        said(RunStatus.RUNNING, 30, reported=False),
        said(RunStatus.FINALIZING, 40),
        said(RunStatus.COMPLETED, 42),
        ended_at=42 * SECOND,
    )
    assert phases(found, 100 * SECOND) == (
        Phase(RunStatus.QUEUED, StatusClass.PENDING, 10 * SECOND, 25 * SECOND, 15.0),
        Phase(RunStatus.RUNNING, StatusClass.ACTIVE, 25 * SECOND, 40 * SECOND, 15.0),
        Phase(RunStatus.FINALIZING, StatusClass.POST_PROCESSING, 40 * SECOND, 42 * SECOND, 2.0),
    )
    assert queue_seconds(found, 100 * SECOND) == 15.0
    assert duration(found) == 42.0


def test_statements_are_put_in_order_of_time() -> None:
    found = run(said(RunStatus.RUNNING, 25), said(RunStatus.QUEUED, 10))
    assert [phase.status for phase in phases(found, 30 * SECOND)] == [RunStatus.QUEUED, RunStatus.RUNNING]


def test_the_last_phase_lasts_until_now() -> None:
    found = run(said(RunStatus.QUEUED, 10))
    [phase] = phases(found, 12 * SECOND)
    assert (phase.end, phase.seconds) == (None, 2.0)
    assert queue_seconds(found, 12 * SECOND) == 2.0
    assert duration(found) is None
    # A clock that is behind the producer's does not give negative times.
    assert phases(found, 0)[0].seconds == 0.0


def test_a_run_that_ended_by_other_words_has_no_open_phase() -> None:
    found = run(
        said(RunStatus.COMPLETED, 20),
        said(RunStatus.RUNNING, 25, reported=False),
        status=RunStatus.COMPLETED,
        status_at=20 * SECOND,
        ended_at=20 * SECOND,
    )
    assert [(phase.status, phase.end) for phase in phases(found, 99 * SECOND)] == [
        (RunStatus.COMPLETED, 25 * SECOND),
        (RunStatus.RUNNING, 25 * SECOND),
    ]


def test_nothing_said_nothing_shown() -> None:
    assert phases(RUN, 99) == ()
    assert queue_seconds(RUN, 99) == 0


def test_a_run_is_stale_after_three_missed_heartbeats() -> None:
    beating = run(said(RunStatus.RUNNING, 10), heartbeat_seconds=5.0, heartbeat_at=20 * SECOND)
    assert not is_stale(beating, 35 * SECOND)
    assert is_stale(beating, 35 * SECOND + 1)
    assert not is_stale(replace(beating, heartbeat_at=30 * SECOND), 40 * SECOND)
    assert not is_stale(replace(beating, heartbeat_seconds=None), 10**15)
    # A status is a sign of life too, and a run that ended is never stale.
    assert not is_stale(replace(beating, status_at=34 * SECOND), 45 * SECOND)
    assert not is_stale(replace(beating, status=RunStatus.FAILED), 10**15)
