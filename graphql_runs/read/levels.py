"""How serious a log line says it is.

Only the beginning of a line is looked at, of a JSON line the whole. Levels are

- the words of Python's logging, absl, loguru, Rust's and Java's loggers in capitals (`ERROR`, `WARN`, `SUCCESS`, `ERR`, …), in
  brackets or after `level=` in any case, and as compilers and Slurm write them (`slurmstepd: error: …`);
- the letter of glog, klog and absl (`E0804 22:15:44`), of Tornado and Optuna (`[W 2026-01-31 …]`);
- the priority of syslog (`<11>…`, RFC 5424);
- a JSON line's `level`, `levelname`, `severity` or `lvl`; numbers as in bunyan and pino, `levelno` as in Python;
- Python's tracebacks, exceptions and warnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from graphql_runs.read.jsonline import parsed


class LogLevel(StrEnum):
    """How serious a line is."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


_BEGINNING = 160
_BY_LEVEL = {
    LogLevel.DEBUG: "TRACE VERBOSE DEBUG DBG FINE",
    LogLevel.INFO: "INFO INF NOTICE SUCCESS",
    LogLevel.WARNING: "WARN WARNING WRN",
    LogLevel.ERROR: "ERROR ERR SEVERE",
    LogLevel.CRITICAL: "CRITICAL CRIT FATAL FTL PANIC ALERT EMERG EMERGENCY",
}
_WORDS = {word: level for level, words in _BY_LEVEL.items() for word in words.split()}
_LETTERS = {
    "D": LogLevel.DEBUG,
    "I": LogLevel.INFO,
    "W": LogLevel.WARNING,
    "E": LogLevel.ERROR,
    "F": LogLevel.CRITICAL,
    "C": LogLevel.CRITICAL,
}
_SYSLOG = (*[LogLevel.CRITICAL] * 3, LogLevel.ERROR, LogLevel.WARNING, *[LogLevel.INFO] * 2, LogLevel.DEBUG)
_BUNYAN = (LogLevel.DEBUG, LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)
_PYTHON = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)
_START = re.compile(
    r"<(?P<syslog>\d{1,3})>|(?P<glog>[IWEF])(?:\d{4}){1,2} \d\d:\d\d:\d\d|\[(?P<letter>[DIWEC]) \d"
    r"|(?P<raised>Traceback \(most recent call last\)|(?:\w{1,80}\.){0,9}[A-Z]\w{0,80}(?:Error|Exception)(?::|$))"
)
_TOKEN = re.compile(r"[\w-]+")
_NAMED = re.compile(r"(?:level|lvl|severity)\"?[=:]\s*\"?$")
_PREFIXES = frozenset({"fatal", "critical", "error", "warning"})
_LONGEST_WORD = max(map(len, _WORDS))


def level_of(text: str) -> LogLevel | None:
    """The level that a line names, else None."""
    if text.startswith("{") and (fields := parsed(text)) is not None:
        return _of_fields(fields)
    if found := _START.match(text):
        return _of_start(found)
    for token in _TOKEN.finditer(text, 0, _BEGINNING):
        word = token[0]
        if (level := _WORDS.get(word)) is not None:
            return level
        if len(word) > _LONGEST_WORD:
            if word.endswith("Warning") and word[0].isupper() and text.startswith(": ", token.end()):
                return LogLevel.WARNING
        elif (level := _WORDS.get(word.upper())) is not None and _said(text, token):
            return level
    return None


def _of_start(found: re.Match[str]) -> LogLevel:
    if number := found["syslog"]:
        return _SYSLOG[int(number) & 7]
    letter = found["glog"] or found["letter"]
    return LogLevel.ERROR if letter is None else _LETTERS[letter]


def _said(text: str, word: re.Match[str]) -> bool:
    """Whether a word that is not in capitals stands where a level does: `[error]`, `level=error`, `error: …`."""
    start, end = word.span()
    before, after = text[max(0, start - 1) : start], text[end : end + 2]
    if before and before in "[(<":
        return after[:1] in ("]", ")", ">")
    if _NAMED.search(text, max(0, start - 20), start):
        return True
    return word[0] in _PREFIXES and after == ": " and (start == 0 or text.endswith(": ", 0, start))


def _of_fields(fields: dict[str, object]) -> LogLevel | None:
    number = fields.get("levelno")
    if isinstance(number, int):
        return _PYTHON[min(max(number // 10, 1), 5) - 1]
    for name in ("level", "levelname", "severity", "lvl", "log.level"):
        value = fields.get(name)
        if isinstance(value, str) and (level := _WORDS.get(value.upper())) is not None:
            return level
        if isinstance(value, int):
            return _BUNYAN[min(max(value // 10, 1), 6) - 1]
    return None


def hint(levels: Iterable[LogLevel]) -> str:
    """A regular expression (RE2) for what a line has somewhere if it is of one of these levels, and others may have too."""
    wanted = set(levels)
    words = [word for word, level in _WORDS.items() if level in wanted]
    if LogLevel.ERROR in wanted:
        words += ["traceback", "exception"]
    # A longer word is found by a shorter one that it begins with.
    stems = [word for word in words if not any(word != other and word.startswith(other) for other in words)]
    letters = "".join(letter for letter, level in _LETTERS.items() if level in wanted)
    starts = rf"(?m:^)(?:[{letters}][0-9]{{4}}|\[[{letters}] [0-9]|<[0-9])"
    numbers = r'"(?:level|levelno|severity|lvl|levelname|log\.level)" *: *[0-9-]'
    return rf"(?i:{'|'.join(stems)})|{starts}|{numbers}"
