from __future__ import annotations

import pytest

from graphql_runs.read.levels import LogLevel, level_of


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
        ("2026-01-31 12:00:00.123 | SUCCESS  | m:f:1 - x", LogLevel.INFO),
        ("12:00PM WRN odd", LogLevel.WARNING),
        ("[W 2026-01-31 12:00:00,123] Trial 3 failed", LogLevel.WARNING),
        ("[12:00:00] I am here", None),
        ("<11>Aug  4 22:15:44 host su: no", LogLevel.ERROR),
        ("<15>1 2003-10-11T22:14:15.003Z host app", LogLevel.DEBUG),
        ("slurmstepd: error: *** JOB 12 CANCELLED ***", LogLevel.ERROR),
        ("warning: unused variable", LogLevel.WARNING),
        ("Traceback (most recent call last):", LogLevel.ERROR),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", LogLevel.ERROR),
        ("KeyError: 'lr'", LogLevel.ERROR),
        ("/a/b.py:3: UserWarning: odd", LogLevel.WARNING),
        ('{"ts":1,"msg":"' + "x" * 300 + '","level":"warn"}', LogLevel.WARNING),
        ('{"levelname": "CRITICAL"}', LogLevel.CRITICAL),
        ('{"severity":"error"}', LogLevel.ERROR),
        ('{"level":50}', LogLevel.ERROR),
        ('{"levelno":50}', LogLevel.CRITICAL),
        ('{"level":99999}', LogLevel.CRITICAL),
        ('{"level":null}', None),
        ('{"msg":"ERROR"}', None),
        ('{"level":"error", cut off', LogLevel.ERROR),
        ("the ValueError: no", None),
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
