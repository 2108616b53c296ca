import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs_slurm.family import Families, gather, tasks_in
from graphql_runs_slurm.job import Attempt, checked, merged


def _job(id: int, state: str = "RUNNING", submitted: int = 1, **more: object) -> Attempt:
    return Attempt(id, cluster="c", name="n", words=tuple(state.split("+")), submitted=submitted, **more)  # type: ignore[arg-type]  # by name


def _gather(older: list[Attempt], newer: list[Attempt], jobs: int = 100, tasks: int = 100) -> Families:
    return gather(older, newer, jobs, tasks, everyone=True)


@pytest.mark.parametrize(
    ("text", "indices", "whole"),
    [
        ("2-4", [2, 3, 4], True),
        ("0-9:4,17%2", [0, 4, 8, 17], True),
        ("5", [5], True),
        ("1,2,...", [1, 2], False),
        ("", [], True),
        ("0-99", list(range(10)), False),
        ("7-3", [], True),
        ("0-8:0", list(range(9)), True),
        ("x,1", [1], False),
    ],
)
def test_tasks_that_wait(text: str, indices: list[int], whole: bool) -> None:
    assert tasks_in(text, 10) == (indices, whole)


@given(st.text(alphabet="0123456789-,:%[]x.", max_size=60))
def test_any_text_of_tasks_is_bounded(text: str) -> None:
    indices, _ = tasks_in(text, 50)
    assert len(indices) <= 50


def test_a_task_that_started_is_told_of_itself() -> None:
    waiting = _job(8, "PENDING", array=8, waiting="2-4", nodes="")
    started = _job(21, array=8, task=2, started=5, nodes="n1")
    for older, newer in ([], [started, waiting]), ([waiting], [started]), ([started, waiting], []):
        found = {member.key.text: member for member in _gather(older, newer).members}
        assert list(found) == ["8", "8_2", "8_3", "8_4"]
        assert (found["8_2"].attempts[0].id, found["8_2"].attempts[0].base) == (21, "RUNNING")
        assert found["8_3"].attempts[0].base == "PENDING"


def test_the_last_task_has_the_id_of_the_array() -> None:
    found = _gather([], [_job(8, array=8, task=9, nodes="n"), _job(21, array=8, task=0, nodes="n")]).members
    assert [member.key.text for member in found] == ["8", "8_0", "8_9"]
    assert found[0].attempts == ()


def test_tasks_beyond_the_limit_are_reported() -> None:
    found = _gather([], [_job(8, "PENDING", array=8, waiting="0-999")], tasks=3)
    assert [member.key.text for member in found.members] == ["8", "8_0", "8_1", "8_2"]
    [skipped] = found.skipped
    assert skipped.path == "job 8_[0-999]"
    assert "first 3" in skipped.reason


def test_the_newest_jobs_are_kept() -> None:
    found = _gather([_job(number, submitted=number) for number in range(1, 6)], [], jobs=2)
    assert [member.key.root for member in found.members] == [5, 4]
    assert found.skipped[0].reason == "3 older jobs than the newest 2 were left out"


def test_an_id_that_began_anew() -> None:
    old = _job(5, "COMPLETED", 1, ended=2, user="a", nodes="n")
    found = _gather([old, _job(5, "RUNNING", 9, user="b", nodes="n")], [])
    [member] = found.members
    assert [one.user for one in member.attempts] == ["b"]
    assert "same id" in found.skipped[0].reason


def test_the_queue_counts_more_than_the_accounts_unless_it_is_behind() -> None:
    running, over = (
        _job(1, "RUNNING", started=2, nodes="n"),
        _job(1, "FAILED", started=2, ended=3, exit_code=4, nodes="n"),
    )
    assert merged(running, over).base == "FAILED"
    behind = merged(over, running)
    assert (behind.base, behind.ended, behind.exit_code) == ("FAILED", 3, 4)


def test_what_one_does_not_know_comes_from_the_other() -> None:
    accounts = _job(1, account="a", canceled_by="root", facts={"steps": "batch"})
    queue = _job(1, stdout="/o", facts={"command": "/c"})
    one = merged(accounts, queue)
    assert (one.account, one.canceled_by, one.stdout) == ("a", "root", "/o")
    assert one.facts == {"steps": "batch", "command": "/c"}


def test_times_that_are_only_expected_do_not_count() -> None:
    waits = checked(_job(1, "PENDING", started=50, ended=60))
    assert (waits.started, waits.ended) == (None, None)
    runs = checked(_job(1, "RUNNING", started=50, ended=60, nodes="n"))
    assert (runs.started, runs.ended) == (50, None)
    withdrawn = checked(_job(1, "CANCELLED", started=50, ended=50))
    assert (withdrawn.started, withdrawn.ended) == (None, 50)


def test_places_in_the_queue_are_by_partition_and_priority() -> None:
    queue = [
        _job(1, "PENDING", reason="Priority", priority=5, partition="a"),
        _job(2, "PENDING", reason="Resources", priority=9, partition="a,b"),
        _job(3, "PENDING", reason="Priority", priority=1, partition="b"),
        _job(4, "PENDING", reason="Dependency", priority=7, partition="a"),
    ]
    places = {member.key.root: member.position for member in _gather([], queue).members}
    assert places == {1: 2, 2: 1, 3: 1, 4: None}
    filtered = gather([], queue, 100, 100, everyone=False).members
    assert {member.position for member in filtered} == {None}
