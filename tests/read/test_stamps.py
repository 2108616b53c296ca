from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.time import from_text, to_text
from graphql_runs.read.levels import LogLevel, level_of
from graphql_runs.read.stamps import time_of

NEAR = from_text("2020-08-01T00:00:00Z")


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("[2020-08-04T22:15:44.407305] Entering context manager injector.", "2020-08-04T22:15:44.407305Z"),
        ("2026-01-31 12:00:00,123 INFO x", "2026-01-31T12:00:00.123000Z"),
        ("INFO 2026-01-31T12:00:00Z x", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00+02:00 x", "2026-01-31T10:00:00.000000Z"),
        ("2026-01-31T12:00:00.5-0130 x", "2026-01-31T13:30:00.500000Z"),
        ("2026/01/31 12:00:00 x", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31 12:00:00 UTC [12] LOG: x", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00.123456789Z x", "2026-01-31T12:00:00.123456Z"),
        ("2026-01-31 12:00:00.123 | INFO     | m:f:1 - x", "2026-01-31T12:00:00.123000Z"),
        ("<165>1 2003-10-11T22:14:15.003Z host app", "2003-10-11T22:14:15.003000Z"),
        ("I0804 22:15:44.407305 123 f.py:12] x", "2020-08-04T22:15:44.407305Z"),
        ("E20210804 22:15:44.407305 123 f.cc:12] x", "2021-08-04T22:15:44.407305Z"),
        ("08/04/2020 22:15:44 - INFO - trainer", "2020-08-04T22:15:44.000000Z"),
        ("31/12/2020 22:15:44 x", "2020-12-31T22:15:44.000000Z"),
        ("[08/04/20 22:15:44] INFO     x", "2020-08-04T22:15:44.000000Z"),
        ("08/04/2020, 12:15:44 AM x", "2020-08-04T00:15:44.000000Z"),
        ("08/04/2020 10:15:44 PM x", "2020-08-04T22:15:44.000000Z"),
        ("[08/04 22:15:44 d2.engine]: x", "2020-08-04T22:15:44.000000Z"),
        ("Aug  4 22:15:44 host slurmd[1]: x", "2020-08-04T22:15:44.000000Z"),
        ("<13>Dec 31 22:15:44 host su: x", "2020-12-31T22:15:44.000000Z"),
        ("Tue Aug  4 22:15:44 2020 x", "2020-08-04T22:15:44.000000Z"),
        ("Tue Aug 4 22:15:44 UTC 2020", "2020-08-04T22:15:44.000000Z"),
        ('127.0.0.1 - - [04/Aug/2020:22:15:44 +0200] "GET', "2020-08-04T20:15:44.000000Z"),
        ("[I 200804 22:15:44 web:1] x", "2020-08-04T22:15:44.000000Z"),
        ("[I 2020-08-04 22:15:44,407] Trial 0 finished", "2020-08-04T22:15:44.407000Z"),
        ("1596579344.407 x", "2020-08-04T22:15:44.407000Z"),
        ("[1596579344] x", "2020-08-04T22:15:44.000000Z"),
        ('{"level":30,"time":1596579344407}', "2020-08-04T22:15:44.407000Z"),
        ('{"msg":"x","ts":1596579344.5}', "2020-08-04T22:15:44.500000Z"),
        ('{"msg":"x","pad":"' + "x" * 300 + '","@timestamp":"2020-08-04T22:15:44Z"}', "2020-08-04T22:15:44.000000Z"),
        ('{"t":1596579344407305000}', "2020-08-04T22:15:44.407305Z"),
        ('{"msg":"2020-08-04 22:15:44"}', None),
        ('{"time":true}', None),
        ('{"time": 12}', None),
        ("2026-13-31 12:00:00 x", None),
        ("99/99/2020 22:15:44 x", None),
        ("Feb 31 22:15:44 x", None),
        ("12:00:00 x", None),
        ("12026-01-31 12:00:00 x", None),
        ("version 1.2.3", None),
        ("15965793440 x", None),
        (" " * 200 + "2026-01-31 12:00:00", None),
    ],
)  # fmt: skip
def test_times(line: str, time: str | None) -> None:
    found = time_of(line, NEAR)
    assert (None if found is None else to_text(found)) == time


@pytest.mark.parametrize(
    ("near", "time"),
    [
        ("2021-01-02T00:00:00Z", "2020-12-31T23:59:59.000000Z"),
        ("2020-12-30T00:00:00Z", "2020-12-31T23:59:59.000000Z"),
        ("2020-07-15T00:00:00Z", "2020-12-31T23:59:59.000000Z"),
    ],
)
def test_the_year_is_the_one_that_is_near(near: str, time: str) -> None:
    found = time_of("Dec 31 23:59:59 host x", from_text(near))
    assert found is not None
    assert to_text(found) == time


def test_a_leap_day_is_in_a_leap_year() -> None:
    found = time_of("I0229 12:00:00.5 1 f.cc:1] x", from_text("2025-01-01T00:00:00Z"))
    assert found is not None
    assert to_text(found) == "2024-02-29T12:00:00.500000Z"


def test_without_a_moment_a_time_without_a_year_is_none() -> None:
    assert time_of("Dec 31 23:59:59 host x") is None


@given(
    st.lists(
        st.sampled_from(["2026-01-31", "T", " ", "12:00:00", ".5", "Z", "[", "]", "{", '"level":', "99", "/", "ERROR", "<300>", "Jan ", "}", "é"])
    ).map("".join)
)  # fmt: skip
def test_any_line_may_be_asked(line: str) -> None:
    at, level = time_of(line, NEAR), level_of(line)
    assert at is None or at > 0
    assert level is None or isinstance(level, LogLevel)
