"""When a log line says it was written.

Only the beginning of a line is looked at, of a JSON line the fields that have the names of times. Known are

- ISO 8601 with a date, in or without brackets, with `T`, a space or `_` between (`[2020-08-04T22:15:44.407305]`, `2026/01/31 12:00:00,123`);
- `08/04/2020 22:15:44` and `[08/04/20 22:15:44]` (the month first, unless it cannot be one), with or without AM and PM;
- glog, klog and absl (`I0804 22:15:44.407305`), detectron2 (`[08/04 22:15:44 …]`), syslog (`Aug  4 22:15:44`), ctime
  (`Tue Aug  4 22:15:44 2020`), Apache (`[04/Aug/2020:22:15:44 +0000]`), Tornado (`[I 200804 22:15:44 …]`);
- seconds since 1970 at the very beginning (`1596579344.407 …`, `[1596579344]`).

A time without a zone is taken as UTC. One without a year is in the year that brings it next to a moment that is known
anyway, such as the creation of the run; without such a moment it is no time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from graphql_runs.model.time import Micros, from_datetime, from_text, from_unix, to_datetime
from graphql_runs.read.jsonline import parsed

_BEGINNING = 160
_CLOCK = r"(\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?"
_ISO = re.compile(
    rf"(?<!\d)(\d{{4}})[-/](\d\d)[-/](\d\d)[T _]{_CLOCK}\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)?(?![\d:])"
)
_MONTHS = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
_MONTH = f"({'|'.join(_MONTHS)})"
_OTHERS = re.compile(
    rf"\[?(?P<slash>(\d\d)/(\d\d)/(\d{{4}}|\d\d),? {_CLOCK}(?: ?([AP]M))?)(?!\d)"
    rf"|\[?(?P<short>(\d\d)/(\d\d) {_CLOCK})(?!\d)"
    rf"|(?P<glog>[IWEF](\d{{4}})?(\d\d)(\d\d) {_CLOCK})(?!\d)"
    rf"|(?:<\d{{1,3}}>)?(?P<syslog>{_MONTH} +(\d{{1,2}}) {_CLOCK})(?!\d)"
    rf"|\[?[A-Z][a-z]{{2}} (?P<ctime>{_MONTH} +(\d{{1,2}}) {_CLOCK} (?:[A-Z]{{3,4}} )?(\d{{4}}))(?!\d)"
    rf"|\[[DIWEC] (?P<tornado>(\d\d)(\d\d)(\d\d) {_CLOCK})(?!\d)"
    r"|\[?(?P<epoch>(1\d{9})(?:[.,](\d{1,9}))?)(?=[\s\]:|,]|$)"
)
_APACHE = re.compile(rf"\[(\d\d)/{_MONTH}/(\d{{4}}):{_CLOCK} ([+-]\d{{4}})\]")
_FIELDS = ("ts", "time", "timestamp", "@timestamp", "asctime", "datetime", "date", "t")
_YEAR = 366 * 86_400 * 1_000_000


def time_of(text: str, near: Micros | None = None) -> Micros | None:
    """The time that a line gives in microseconds, else None. `near` decides the year of one that has none."""
    if text.startswith("{") and (fields := parsed(text)) is not None:
        return _of_fields(fields, near)
    return _of_text(text, near)


def _of_text(text: str, near: Micros | None) -> Micros | None:
    if text.find(":", 0, _BEGINNING) < 0 and not text[:2].lstrip("[").startswith("1"):
        # No clock, and no seconds since 1970: most lines without a time are soon done with.
        return None
    if found := _ISO.search(text, 0, _BEGINNING):
        year, month, day, clock, fraction, zone = found.groups()
        return _micros(year, month, day, clock, fraction, "Z" if zone in ("UTC", "GMT") else zone)
    if found := _OTHERS.match(text):
        return _of_other(found, near)
    if found := _APACHE.search(text, 0, _BEGINNING):
        day, month, year, clock, fraction, zone = found.groups()
        return _micros(year, _MONTHS[month], day, clock, fraction, zone)
    return None


def _of_other(found: re.Match[str], near: Micros | None) -> Micros | None:
    groups = found.groups()
    kind = next(name for name in found.re.groupindex if found[name] is not None)
    at = found.re.groupindex[kind]
    match kind:
        case "slash":
            month, day, year, clock, fraction, half = groups[at : at + 6]
            if month > "12":
                month, day = day, month
            return _micros(_full(year), month, day, _of_half(clock, half), fraction)
        case "short":
            month, day, clock, fraction = groups[at : at + 4]
            return _yearless(month, day, clock, fraction, near)
        case "glog":
            year, month, day, clock, fraction = groups[at : at + 5]
            if year is None:
                return _yearless(month, day, clock, fraction, near)
            return _micros(year, month, day, clock, fraction)
        case "syslog":
            month, day, clock, fraction = groups[at : at + 4]
            return _yearless(_MONTHS[month], day.zfill(2), clock, fraction, near)
        case "ctime":
            month, day, clock, fraction, year = groups[at : at + 5]
            return _micros(year, _MONTHS[month], day.zfill(2), clock, fraction)
        case "tornado":
            year, month, day, clock, fraction = groups[at : at + 5]
            return _micros(_full(year), month, day, clock, fraction)
    seconds, fraction = groups[at : at + 2]
    return int(seconds) * 1_000_000 + int(f"{fraction or '':0<6}"[:6])


def _of_fields(fields: dict[str, object], near: Micros | None) -> Micros | None:
    for name in _FIELDS:
        value = fields.get(name)
        if isinstance(value, str) and (at := _of_text(value, near)) is not None:
            return at
        if isinstance(value, int | float) and not isinstance(value, bool) and (at := from_unix(value)):
            return at
    return None


def _yearless(month: str, day: str, clock: str, fraction: str | None, near: Micros | None) -> Micros | None:
    if near is None:
        return None
    year = to_datetime(near).year
    years = (_micros(f"{year + offset:04}", month, day, clock, fraction) for offset in (0, -1, 1))
    found = [at for at in years if at is not None and abs(at - near) <= _YEAR]
    return min(found, key=lambda at: abs(at - near), default=None)


def _full(year: str) -> str:
    return year if len(year) == 4 else f"20{year}"


def _of_half(clock: str, half: str | None) -> str:
    if half is None:
        return clock
    return f"{int(clock[:2]) % 12 + (12 if half == 'PM' else 0):02}{clock[2:]}"


def _micros(
    year: str, month: str, day: str, clock: str, fraction: str | None, zone: str | None = None
) -> Micros | None:
    try:
        if zone is None or zone == "Z":
            hour, minute, second = int(clock[:2]), int(clock[3:5]), int(clock[6:])
            micros = int(f"{fraction:0<6}"[:6]) if fraction else 0
            moment = datetime(int(year), int(month), int(day), hour, minute, second, micros, UTC)
            return from_datetime(moment)
        return from_text(f"{year}-{month}-{day}T{clock}.{fraction or 0}{zone}")
    except ValueError:
        return None
