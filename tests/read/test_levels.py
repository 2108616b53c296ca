from __future__ import annotations

import pytest

from graphql_runs.model.time import to_text
from graphql_runs.read.levels import LogLevel, level_of, time_of


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("INFO hello", LogLevel.INFO),
        ("2026-01-31 12:00:00,123 - trainer - WARNING - odd", LogLevel.WARNING),
        ("WARN: odd", LogLevel.WARNING),
        ("[error] it broke", LogLevel.ERROR),
        ("<debug> detail", LogLevel.DEBUG),
        ('ts=1 level=info msg="x"', LogLevel.INFO),
        ('{"level": "error", "msg": "x"}', LogLevel.ERROR),
        ("E0804 22:15:44.407305 123 file.cc:1] no", LogLevel.ERROR),
        ("F0804 22:15:44.407305 123 file.cc:1] no", LogLevel.CRITICAL),
        ("FATAL: no", LogLevel.CRITICAL),
        ("TRACE x", LogLevel.DEBUG),
        ("no level here", None),
        ("the error was small", None),
        ("INFORMATION is no level", None),
        ("NO-ERROR", None),
        (" " * 200 + "ERROR far away", None),
        ("", None),
    ],
)
def test_levels(line: str, level: LogLevel | None) -> None:
    assert level_of(line) is level


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("[2020-08-04T22:15:44.407305] Entering context manager injector.", "2020-08-04T22:15:44.407305Z"),
        ("2026-01-31 12:00:00,123 INFO x", "2026-01-31T12:00:00.123000Z"),
        ("INFO 2026-01-31T12:00:00Z x", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00+02:00 x", "2026-01-31T10:00:00.000000Z"),
        ("2026-01-31T12:00:00.5-0130 x", "2026-01-31T13:30:00.500000Z"),
        ("2026/01/31 12:00:00 x", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00.123456789Z x", "2026-01-31T12:00:00.123456Z"),
        ("2026-13-31 12:00:00 x", None),
        ("12:00:00 x", None),
        ("12026-01-31 12:00:00 x", None),
        ("version 1.2.3", None),
    ],
)
def test_times(line: str, time: str | None) -> None:
    found = time_of(line)
    assert (None if found is None else to_text(found)) == time
