"""What a log line says of itself: how serious it is, and when it was written.

Only the beginning of a line is looked at. Levels are the words of Python's logging and of common loggers in capitals
(`ERROR`, `WARN`, …), in brackets or after `level=` in any case, and the letter of glog (`E0804 22:15:44`). Times are ISO
8601 with a date, with or without brackets (`[2020-08-04T22:15:44.407305]`, `2026-01-31 12:00:00,123`); one without a zone
is taken as UTC.
"""

from __future__ import annotations

import re
from enum import StrEnum

from graphql_runs.model.time import Micros, from_text


class LogLevel(StrEnum):
    """How serious a line is."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


_BEGINNING = 160
_WORDS = {
    "TRACE": LogLevel.DEBUG,
    "DEBUG": LogLevel.DEBUG,
    "INFO": LogLevel.INFO,
    "NOTICE": LogLevel.INFO,
    "WARN": LogLevel.WARNING,
    "WARNING": LogLevel.WARNING,
    "ERROR": LogLevel.ERROR,
    "CRITICAL": LogLevel.CRITICAL,
    "FATAL": LogLevel.CRITICAL,
}
_GLOG = {"I": LogLevel.INFO, "W": LogLevel.WARNING, "E": LogLevel.ERROR, "F": LogLevel.CRITICAL}
_ANY = "|".join(sorted(_WORDS, key=len, reverse=True))
_LEVEL = re.compile(
    rf"(?<![\w-])(?P<plain>{_ANY})(?![\w-])|[\[(<](?P<boxed>(?i:{_ANY}))[\])>]"
    rf"|\blevel\"?[=:]\s*\"?(?P<named>(?i:{_ANY}))\b|^(?P<glog>[IWEF])\d{{4}} \d\d:\d\d:\d\d"
)
_TIME = re.compile(
    r"(?<!\d)(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?(?![\d:])"
)


def level_of(text: str) -> LogLevel | None:
    """The level that a line names near its beginning, else None."""
    found = _LEVEL.search(text, 0, _BEGINNING)
    if found is None:
        return None
    if letter := found["glog"]:
        return _GLOG[letter]
    return _WORDS[(found["plain"] or found["boxed"] or found["named"]).upper()]


def time_of(text: str) -> Micros | None:
    """The time that a line gives near its beginning in microseconds, else None."""
    found = _TIME.search(text, 0, _BEGINNING)
    if found is None:
        return None
    year, month, day, clock, fraction, zone = found.groups()
    try:
        return from_text(f"{year}-{month}-{day}T{clock}.{fraction or 0}{zone or 'Z'}")
    except ValueError:
        return None
