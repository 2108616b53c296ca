"""Times are integers: microseconds since 1970-01-01T00:00:00Z. Exact, sortable, and the same in every store."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

Micros = int
"""Microseconds since the Unix epoch, UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Seconds since 1973, then milli-, micro- and nanoseconds.
_UNITS = ((1e8, 1e11, 1_000_000.0), (1e11, 1e14, 1_000.0), (1e14, 1e17, 1.0), (1e17, 1e20, 0.001))


def now() -> Micros:
    """The time of this machine's clock."""
    return time.time_ns() // 1000


def to_datetime(at: Micros) -> datetime:
    """An aware datetime in UTC, microsecond exact."""
    return _EPOCH + timedelta(microseconds=at)


def from_datetime(moment: datetime) -> Micros:
    """Microseconds of a datetime; one without a zone is taken as UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def from_unix(value: float) -> Micros | None:
    """Microseconds of a Unix time in seconds, milli-, micro- or nanoseconds, told by its size; None of what is smaller (a duration) or
    beyond all of them."""
    for low, high, factor in _UNITS:
        if low <= value < high:
            return round(value * factor)
    return None


def from_text(text: str) -> Micros:
    """Microseconds of an RFC 3339 or ISO 8601 text (`2026-01-31T12:00:00.5Z`, up to nanoseconds, of which micros stay).

    Raises ValueError when the text is not a time.
    """
    text = text.strip()
    head, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6]:0<6}{rest[digits:]}"
    return from_datetime(datetime.fromisoformat(text))


def to_text(at: Micros) -> str:
    """RFC 3339 in UTC with six digits: `2026-01-31T12:00:00.500000Z`."""
    return to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
