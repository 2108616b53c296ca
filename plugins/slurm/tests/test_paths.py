import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs_slurm.hosts import hosts
from graphql_runs_slurm.job import Attempt
from graphql_runs_slurm.paths import absolute, expanded, fill, first_host

TASK = Attempt(
    21,
    array=8,
    task=3,
    name="a b",
    user="runner",
    nodes="node[07-09,12],login",
    facts={"work_dir": "/nfs/x"},
)


@pytest.mark.parametrize(
    ("pattern", "filled"),
    [
        ("slurm-%A_%a.out", "slurm-8_3.out"),
        ("%j.%J", "21.21"),
        ("%5j-%3a-%0A", "00021-003-8"),
        ("%99j", "0000000021"),
        ("%x-%u", "a b-runner"),
        ("%N %n %t %s", "node07 0 0 batch"),
        ("100%% %b", "100% 3"),
        ("%q %", "%q %"),
        (r"\%j", "%j"),
    ],
)
def test_patterns_are_those_of_sbatch(pattern: str, filled: str) -> None:
    assert fill(TASK, pattern) == filled


def test_a_relative_path_lies_in_the_working_directory() -> None:
    assert absolute(TASK, "logs/../out/%j") == "/nfs/x/out/21"
    assert absolute(Attempt(1), "out") == ""
    assert absolute(TASK, "/tmp//%j") == "/tmp/21"


@pytest.mark.parametrize("pattern", ["", "/dev/null", "/x/4294967294.log", "/a\0b", "/" + "x" * 5000])
def test_what_is_no_path_of_an_output_is_left_out(pattern: str) -> None:
    assert absolute(TASK, pattern) == ""


def test_one_file_for_both_streams() -> None:
    one = expanded(TASK, "/a/%j.out", "")
    assert (one.stdout, one.stderr) == ("/a/21.out", "/a/21.out")
    two = expanded(TASK, "/a/%j.out", "/a/%j.err")
    assert (two.stdout, two.stderr) == ("/a/21.out", "/a/21.err")


@given(st.text(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_whatever_is_written_there(pattern: str, name: str, folder: str) -> None:
    path = absolute(Attempt(1, name=name, facts={"work_dir": folder}), pattern)
    assert path == "" or (path.startswith("/") and "\0" not in path and path == os.path.normpath(path))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("login", ["login"]),
        ("node[07-09,12],login", ["node07", "node08", "node09", "node12", "login"]),
        ("a[1-2]b,c[3]", ["a1b", "a2b", "c3"]),
        ("rack[0-1]node[0-1]", ["rack[0-1]node[0-1]"]),
        ("broken[1-", ["broken[1-"]),
        ("n[x-y]", []),
    ],
)
def test_host_lists(text: str, names: list[str]) -> None:
    assert hosts(text, 100) == names


def test_host_lists_are_bounded() -> None:
    assert len(hosts("n[0-999999999]", 50)) == 50
    assert len(hosts(",".join(f"n{number}" for number in range(100)), 50)) == 50


@given(st.text(alphabet="n[]0123-,:.", max_size=60))
def test_any_host_list(text: str) -> None:
    assert len(hosts(text, 20)) <= 20
    first_host(text)
