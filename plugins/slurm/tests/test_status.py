import pytest

from graphql_runs.model.status import RunStatus
from graphql_runs_slurm.job import BASES, Attempt
from graphql_runs_slurm.status import GONE, STATES, duration, exit_code, failure, status_of, statuses, why

S = RunStatus


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PENDING", S.QUEUED),
        ("RUNNING", S.RUNNING),
        ("SUSPENDED", S.PAUSED),
        ("RUNNING+CONFIGURING", S.PREPARING),
        ("RUNNING+CONFIGURING+POWER_UP_NODE", S.PROVISIONING),
        ("RUNNING+COMPLETING", S.FINALIZING),
        ("CANCELLED+COMPLETING", S.FINALIZING),
        ("COMPLETED+STAGE_OUT", S.FINALIZING),
        ("RUNNING+SIGNALING", S.RUNNING),
        ("RUNNING+RESIZING", S.RUNNING),
        ("RUNNING+STOPPED", S.PAUSED),
        ("PENDING+REQUEUED", S.QUEUED),
        ("REQUEUED", S.QUEUED),
        ("PENDING+SPECIAL_EXIT", S.QUEUED),
        ("PENDING+REQUEUE_HOLD", S.QUEUED),
        ("RUNNING+LAUNCH_FAILED", S.FAILED),
        ("COMPLETED", S.COMPLETED),
        ("CANCELLED", S.CANCELED),
        ("PREEMPTED", S.CANCELED),
        ("REVOKED", S.CANCELED),
        ("FAILED", S.FAILED),
        ("TIMEOUT", S.FAILED),
        ("NODE_FAIL", S.FAILED),
        ("BOOT_FAIL", S.FAILED),
        ("DEADLINE", S.FAILED),
        ("OUT_OF_MEMORY", S.FAILED),
        ("COMPLETING", S.FINALIZING),
        ("NEW_WORD", S.UNKNOWN),
        (GONE, S.UNKNOWN),
        ("", S.UNKNOWN),
    ],
)
def test_states(state: str, status: RunStatus) -> None:
    one = Attempt(1, words=tuple(filter(None, state.split("+"))))
    assert status_of(one) is status
    assert one.state == state


def test_every_base_state_has_a_status() -> None:
    assert STATES.keys() == BASES


def test_a_job_that_completes_is_finalizing_first() -> None:
    ending = Attempt(1, words=("COMPLETED", "COMPLETING"), submitted=1, started=2, ended=3, nodes="n")
    said = list(statuses("r", [ending], "s"))
    assert [(one.status, one.at) for one in said] == [(S.QUEUED, 1), (S.RUNNING, 2), (S.FINALIZING, 3)]
    assert said[-1].original == "COMPLETED+COMPLETING"
    assert exit_code(ending) is None


def test_a_job_whose_nodes_boot_does_not_run_yet() -> None:
    one = Attempt(1, words=("RUNNING", "CONFIGURING"), submitted=1, started=2, nodes="n")
    assert [(said.status, said.at) for said in statuses("r", [one], "s")] == [(S.QUEUED, 1), (S.PREPARING, 2)]


def test_a_job_that_goes_on_runs_again() -> None:
    paused = Attempt(1, words=("SUSPENDED",), submitted=1, started=2, suspended=5, nodes="n")
    goes_on = Attempt(1, words=("RUNNING",), submitted=1, started=2, suspended=8, nodes="n")
    assert [(one.status, one.at) for one in statuses("r", [paused], "s")][-1] == (S.PAUSED, 5)
    last = list(statuses("r", [goes_on], "s"))[-1]
    assert (last.status, last.at, last.detail) == (S.RUNNING, 8, "resumed")


def test_a_job_that_nobody_knows_any_more_is_unknown_and_not_reported() -> None:
    [*_, last] = statuses("r", [Attempt(1, words=(GONE,), submitted=1, started=2, nodes="n")], "s")
    assert (last.status, last.reported, last.original, last.at) == (S.UNKNOWN, False, None, None)
    assert last.detail is not None


@pytest.mark.parametrize(
    ("state", "code", "signal", "expected"),
    [
        ("COMPLETED", 0, None, 0),
        ("FAILED", 3, None, 3),
        ("FAILED", 0, 9, 137),
        ("FAILED", 0, None, None),
        ("TIMEOUT", 0, 15, None),
        ("RUNNING", 0, None, None),
        ("OUT_OF_MEMORY", 0, 125, None),
    ],
)
def test_exit_codes(state: str, code: int, signal: int | None, expected: int | None) -> None:
    assert exit_code(Attempt(1, words=(state,), exit_code=code, signal=signal)) == expected


def test_reasons_in_words() -> None:
    assert why(Attempt(1, words=("FAILED",), signal=64)) == "signal 64 (SIGRTMAX)"
    assert why(Attempt(1, words=("FAILED",), signal=99)) == "signal 99"
    assert "cannot open the output file" in (why(Attempt(1, words=("FAILED",), signal=53)) or "")
    assert why(Attempt(1, words=("NODE_FAIL",))) == "a node failed"
    assert why(Attempt(1, words=("BOOT_FAIL",))) == "a node did not boot"
    failed = failure(Attempt(1, words=("FAILED",), reason="JobLaunchFailure"))
    assert failed is not None
    assert (failed.message, failed.code) == ("The job failed: JobLaunchFailure.", "FAILED")
    assert failure(Attempt(1, words=("CANCELLED",))) is None


@pytest.mark.parametrize(
    ("minutes", "text"), [(1, "1:00"), (90, "1:30:00"), (24 * 60, "1-00:00:00"), (36 * 60 + 5, "1-12:05:00")]
)
def test_durations(minutes: int, text: str) -> None:
    assert duration(minutes) == text
