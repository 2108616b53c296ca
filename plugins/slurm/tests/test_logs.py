import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from graphql_runs.ingest.api import Delivery, Limits, Unreadable
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.records import LogStream
from graphql_runs_slurm.family import Member
from graphql_runs_slurm.job import Attempt, Key
from graphql_runs_slurm.logs import Log, Reach, logs_of, place_of, read_log

DECLARED = DeclareRun("r", "e", "n", "slurm")
ME = os.getuid()


def _log(path: Path, uid: int | None = ME, *, over: bool = False) -> Log:
    return Log("r", path.name, str(path), LogStream.STDOUT, uid, over, 0, 0 if over else None)


def _read(
    log: Log, checkpoint: Mapping[str, object] | None = None, *, roots: tuple[Path, ...], size: int = 1 << 20
) -> list[Delivery]:
    return list(read_log(log, DECLARED, Reach.of(roots), checkpoint, Limits(delivery_bytes=size)))


def _text(deliveries: list[Delivery]) -> bytes:
    return b"".join(one.data for each in deliveries for one in each.operations if isinstance(one, LogText))


def test_it_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "slurm-1.out"
    path.write_bytes(b"a\r\xff\nbb\n")
    first = _read(_log(path), roots=(tmp_path,), size=4)
    assert [one.data for each in first for one in each.operations if isinstance(one, LogText)] == [
        b"a\r\xff\n",
        b"bb\n",
    ]
    assert all(each.operations[0] is DECLARED for each in first)
    with path.open("ab") as file:
        file.write(b"ccc")
    more = _read(_log(path), first[-1].checkpoint, roots=(tmp_path,))
    assert _text(more) == b"ccc"
    assert _read(_log(path), more[-1].checkpoint, roots=(tmp_path,)) == []


def test_it_is_complete_when_its_job_is_over(tmp_path: Path) -> None:
    path = tmp_path / "slurm-1.out"
    path.write_bytes(b"a\n")
    deliveries = _read(_log(path, over=True), roots=(tmp_path,))
    said = [one for each in deliveries for one in each.operations if isinstance(one, LogText)]
    assert [(one.data, one.complete) for one in said] == [(b"a\n", False), (b"", True)]
    assert _read(_log(path, over=True), deliveries[-1].checkpoint, roots=(tmp_path,)) == []
    with path.open("ab") as file:
        file.write(b"late\n")
    late = _read(_log(path, over=True), deliveries[-1].checkpoint, roots=(tmp_path,))
    assert _text(late) == b"late\n"
    last = late[-1].operations[-1]
    assert isinstance(last, LogText)
    assert last.complete


def test_an_empty_one_is_complete_too(tmp_path: Path) -> None:
    path = tmp_path / "slurm-1.out"
    path.touch()
    [delivery] = _read(_log(path, over=True), roots=(tmp_path,))
    assert _read(_log(path, over=True), delivery.checkpoint, roots=(tmp_path,)) == []


def test_a_requeued_job_begins_its_file_anew(tmp_path: Path) -> None:
    path = tmp_path / "slurm-1.out"
    path.write_bytes(b"first attempt\n")
    before = _read(_log(path), roots=(tmp_path,))[-1].checkpoint
    path.write_bytes(b"second\n")
    [again] = _read(_log(path), before, roots=(tmp_path,))
    assert _text([again]) == b"second\n"
    assert [(one.path, "new beginning" in one.reason) for one in again.skipped] == [(str(path), True)]


def test_nothing_is_lost_when_it_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"one\n")
    before = _read(_log(path), roots=(tmp_path,))[-1].checkpoint
    with path.open("ab") as file:
        file.write(b"two\n")
    path.rename(tmp_path / "train.log.1")
    path.write_bytes(b"three\n")
    after = _read(_log(path), before, roots=(tmp_path,))
    assert _text(after) == b"two\nthree\n"
    for stop in range(len(after)):
        assert (
            _text(after[: stop + 1] + _read(_log(path), after[stop].checkpoint, roots=(tmp_path,)))
            == b"two\nthree\n"
        )


# What may not be read


def test_a_file_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "slurm-1.out"
    path.write_bytes(b"secret\n")
    with pytest.raises(Unreadable, match=f"it belongs to user {ME}, not to the job's {ME + 1}"):
        _read(_log(path, ME + 1), roots=())
    with pytest.raises(Unreadable, match="it belongs to user"):
        _read(_log(path, ME + 1), roots=(tmp_path,))
    os.link(path, tmp_path / "linked.out")
    with pytest.raises(Unreadable, match="it belongs to user"):
        _read(_log(tmp_path / "linked.out", ME + 1), roots=())


def test_a_name_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"secret\n")
    (tmp_path / "slurm-1.out").symlink_to(target)
    with pytest.raises(Unreadable, match="cannot be opened"):
        _read(_log(tmp_path / "slurm-1.out"), roots=(tmp_path,))


def test_links_on_the_way_are_followed_within_the_roots(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/slurm-1.out").write_bytes(b"a\n")
    (tmp_path / "home").symlink_to("real")
    log = _log(tmp_path / "home/slurm-1.out")
    assert _text(_read(log, roots=(tmp_path / "real",))) == b"a\n"
    assert _text(_read(log, roots=(tmp_path / "home",))) == b"a\n"
    (tmp_path / "other").mkdir()
    with pytest.raises(Unreadable, match="it does not lie below log_roots"):
        _read(log, roots=(tmp_path / "other",))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slurm-1.out")
    with pytest.raises(Unreadable, match="no regular file"):
        _read(_log(tmp_path / "slurm-1.out"), roots=(tmp_path,))


@pytest.mark.parametrize(
    ("uid", "owner", "below", "free"),
    [(5, 5, True, True), (5, 6, False, False), (5, 0, False, False), (0, 0, True, False), (None, 5, True, False), (None, 0, False, False)],
)  # fmt: skip
def test_who_may_be_read_where(uid: int | None, owner: int, below: bool, free: bool) -> None:
    log, folder = _log(Path("/a/b.out"), uid), Path("/a")
    assert (Reach((folder,)).refusal(log, folder, owner) is None) is below
    assert (Reach().refusal(log, folder, owner) is None) is free


def test_the_folder_of_a_file() -> None:
    assert place_of("/slurm-1.out") == Path("/")


# Which logs a run has


def _member(id: int, out: str, err: str = "", part: str = "", root: int = 0, began: int = 1) -> Member:
    attempt = Attempt(
        id, cluster="c", user="u", uid=7, words=("RUNNING",), started=began, nodes="n", stdout=out, stderr=err or out
    )  # fmt: skip
    return Member(Key(root or id, part), "c", (attempt,))


def _nobody(name: str) -> int | None:
    return {"u": 7}.get(name)


def test_both_streams_have_a_log() -> None:
    logs = logs_of([_member(1, "/a/x.out", "/a/x.err"), _member(2, "/b/log", "/c/log")], _nobody)
    assert [(log.run_id, log.name, log.path, log.stream) for log in logs] == [
        ("slurm/c/1", "x.out", "/a/x.out", LogStream.STDOUT),
        ("slurm/c/1", "x.err", "/a/x.err", LogStream.STDERR),
        ("slurm/c/2", "log", "/b/log", LogStream.STDOUT),
        ("slurm/c/2", "stderr/log", "/c/log", LogStream.STDERR),
    ]


def test_a_file_of_several_jobs_is_of_the_one_that_began_last() -> None:
    members = [_member(1, "/x", began=1), _member(2, "/x", began=5)]
    assert [log.run_id for log in logs_of(members, _nobody)] == ["slurm/c/2"]
    assert [log.run_id for log in logs_of(members[::-1], _nobody)] == ["slurm/c/2"]


def test_a_file_of_several_tasks_is_of_their_array() -> None:
    tasks = [_member(20 + task, "/x", part=f"_{task}", root=8, began=task + 1) for task in range(3)]
    [log] = logs_of([Member(Key(8), "c", tasks=tuple(tasks)), *tasks], _nobody)
    assert (log.run_id, log.uid) == ("slurm/c/8", 7)
    [log] = logs_of(tasks, _nobody)  # what they lie below is not shown
    assert log.run_id == "slurm/c/8_2"


def test_only_numbers_that_are_sure_count() -> None:
    known = Member(
        Key(1), "c", (Attempt(1, user="u", words=("RUNNING",), started=1, nodes="n", stdout="/x", stderr="/x"),)
    )  # fmt: skip
    forged = Member(
        Key(2), "c", (Attempt(2, user="u", words=("RUNNING",), started=1, nodes="n", stdout="/y", stderr="/y", sure=False),)
    )  # fmt: skip
    assert [log.uid for log in logs_of([known, forged], _nobody)] == [7, None]
