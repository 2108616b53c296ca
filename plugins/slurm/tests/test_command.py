import os
import time
from pathlib import Path

import pytest

from graphql_runs.ingest.api import Unreadable
from graphql_runs_slurm.command import Commands, Refused


def test_it_gives_what_a_command_prints() -> None:
    assert Commands().run("printf", "a\\0b; $HOME `id`") == b"a\0b; $HOME `id`"


def test_a_command_that_fails_tells_its_first_line() -> None:
    with pytest.raises(Refused, match=r"^sh: broken$"):
        Commands().run("sh", "-c", "echo broken >&2; echo more >&2; exit 3")
    with pytest.raises(Refused, match=r"^sh: exit code 3$"):
        Commands().run("sh", "-c", "exit 3")


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(Unreadable, match="the command no-such-command is not there"):
        Commands().run("no-such-command")


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.3 seconds"):
        Commands(timeout=0.3).run("sh", "-c", script)
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_command_that_closes_its_output_and_stays_is_ended() -> None:
    with pytest.raises(TimeoutError, match="did not end"):
        Commands(timeout=0.3).run("sh", "-c", "exec >&- 2>&-; sleep 60")


def test_a_command_that_prints_too_much_is_ended() -> None:
    with pytest.raises(Unreadable, match="prints more than 100000 bytes"):
        Commands(most=100_000).run("cat", "/dev/zero")
    with pytest.raises(Refused, match=r"x{100}"):
        Commands(most=10).run("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1")


def test_variables_that_change_the_output_are_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/other.conf")
    said = Commands().run("env", variables={"SLURM_TIME_FORMAT": "%s"}).decode().splitlines()
    assert "SLURM_TIME_FORMAT=%s" in said
    assert "SLURM_CONF=/etc/slurm/other.conf" in said
    assert "LC_ALL=C.UTF-8" in said
    assert [line for line in said if line.startswith("SQUEUE_")] == []


def test_behind_a_prefix_variables_are_set_there() -> None:
    said = Commands(prefix=("echo", "at"), timeout=10).run("sacct", "--json", variables={"A": "%s"})
    assert said == b"at env A=%s sacct --json\n"


def _lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_no_file_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # as the kernel lists them
    for _ in range(5):
        Commands().run("true")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
