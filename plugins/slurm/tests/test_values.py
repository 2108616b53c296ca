"""Values of every form, and parsers that are given anything."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_runs.model.operation import Annotate, DeclareRun
from graphql_runs_slurm import accounting, oneline, queue
from graphql_runs_slurm.cluster import describe, nodes_in, nodes_of, partitions_in, partitions_of
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.document import load
from graphql_runs_slurm.facts import operations
from graphql_runs_slurm.family import gather
from graphql_runs_slurm.job import Attempt
from graphql_runs_slurm.value import count, moment, number, text, words
from plugins.slurm.tests.recorded import VERSIONS, document, said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        (0, 0),
        (1.5, 1.5),
        ({"set": True, "infinite": False, "number": 7}, 7),
        ({"set": False, "infinite": False, "number": 7}, None),
        ({"set": True, "infinite": True, "number": 0}, None),
        ({"number": 3}, 3),
        (4294967294, None),
        (0xFFFFFFFFFFFFFFFE, None),
        (math.nan, None),
        (math.inf, None),
        (True, None),
        ("7", None),
        (None, None),
        ([], None),
    ],
)
def test_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_counts_and_times() -> None:
    assert count({"set": True, "number": 7.9}) == 7
    assert count(-1) is None
    assert count(10**30) is None
    assert moment({"set": True, "infinite": False, "number": 1795525209}) == 1795525209_000_000
    assert moment(0) is None
    assert moment(10**15) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("RUNNING", ("RUNNING",)),
        (["CANCELLED", "COMPLETING"], ("CANCELLED", "COMPLETING")),
        ("idle+drain", ("IDLE", "DRAIN")),
        ("DOWN*", ("DOWN", "NOT_RESPONDING")),
        ("CANCELLED by 1000", ("CANCELLED",)),
        ([1, "RUNNING", None], ("RUNNING",)),
        ({}, ()),
        (None, ()),
        ("", ()),
    ],
)
def test_states(value: object, expected: tuple[str, ...]) -> None:
    assert words(value) == expected


def test_texts() -> None:
    assert [text(value) for value in ("(null)", "None assigned", "N/A", 7, None)] == [""] * 5
    assert text("a\0b\x1b[0m ünï \ud800") == "a�b�[0m ünï ?"
    assert len(text("ü" * 100_000).encode()) <= 16_384


def test_json_is_found_in_what_a_command_prints() -> None:
    assert load(b'CLUSTER: x\n{"a": NaN}')
    for broken in (b"", b"no", b'{"a": ', b'{"a": ' + b"[" * 200_000, b"{" + b'"a":{' * 200_000):
        with pytest.raises(ValueError, match=r"JSON|Expecting"):
            load(broken)


def _told(older: list[Attempt], newer: list[Attempt]) -> None:
    """Whatever it is, what is told of it can be written."""
    for member in gather(older, newer, 50, 20, everyone=True).members:
        for operation in operations(member, SlurmConfig(experiment="name")):
            if isinstance(operation, DeclareRun):
                for name in (operation.name, operation.experiment, operation.cluster, operation.submitted_by):
                    assert name is None or (
                        name.strip() and len(name.encode()) <= 1024 and name.isprintable() is not None
                    )
                    assert name is None or not any(ord(letter) < 32 for letter in name)
                assert len(operation.identities) <= 16
            if isinstance(operation, Annotate):
                assert all(len(value.encode()) <= 65_536 for value in operation.properties.values())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
    | st.sampled_from(["RUNNING", "PENDING", "0-5%2", "[1-3]", "n[1-9]", "/a/%j"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["set", "infinite", "number", "job_id", "task", "current", "id"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_jobs_whose_fields_are_anything(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(VERSIONS))
    for name, parse in (("queue.json", queue.attempts), ("accounting.json", accounting.attempts)):
        jobs: list[Any] = document(version, "late", name)["jobs"]
        job = dict(data.draw(st.sampled_from(jobs)))
        for field in data.draw(st.lists(st.sampled_from(sorted(job)), max_size=6)):
            job[field] = data.draw(_JSON)
        others = data.draw(st.lists(_JSON, max_size=2))
        found = list(parse({"jobs": [job, *others, job]}, "c"))
        _told(found, found)
    list(queue.attempts(data.draw(_JSON), "c"))
    list(accounting.attempts(data.draw(_JSON), "c"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_nodes_whose_fields_are_anything(data: st.DataObject) -> None:
    nodes: list[Any] = document("24.11.5", "late", "nodes.json")["nodes"]
    partitions: list[Any] = document("24.11.5", "late", "partitions.json")["partitions"]
    for listed in (nodes, partitions):
        one = dict(listed[0])
        for field in data.draw(st.lists(st.sampled_from(sorted(one)), max_size=6)):
            one[field] = data.draw(_JSON)
        listed.append(one)
    list(describe("c", partitions_of({"partitions": partitions}), nodes_of({"nodes": nodes}), {}))
    nodes_of(data.draw(_JSON))
    partitions_of(data.draw(_JSON))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_lines_that_are_anything(data: st.DataObject) -> None:
    for name in ("jobs.txt", "accounting.txt", "nodes.txt", "partitions.txt"):
        whole = said("24.11.5", "late", name).decode()
        begin = data.draw(st.integers(0, len(whole)))
        junk = data.draw(
            st.text(max_size=40) | st.sampled_from(["|" * 30, " JobId=1 UserId=root(0)", "\n", "="])
        )
        changed = whole[:begin] + junk + whole[begin + data.draw(st.integers(0, 50)) :]
        _told(accounting.from_lines(changed, "c")[0], list(oneline.attempts(changed, "c")))
        list(describe("c", partitions_in(changed), nodes_in(changed), {}))


@given(st.binary(max_size=200))
def test_json_that_is_anything(data: bytes) -> None:
    try:
        found = load(b"{" + data)
    except ValueError:
        return
    assert json.dumps(found)


def test_a_name_cannot_forge_a_user() -> None:
    forged = "JobId=1 JobName=x UserId=root(0) StdOut=/etc/shadow UserId=runner(5001) JobState=RUNNING"
    [one] = oneline.attempts(forged, "c")
    assert (one.uid, one.sure) == (None, False)
    line = said("24.11.5", "late", "accounting.txt").decode().splitlines()[0]
    [found], skipped = accounting.from_lines(line + "|more\n1|2|0|root", "c")
    assert (found.name, found.uid, found.sure) == ("train-ok|more", None, False)
    assert [one.line for one in skipped] == [2]
