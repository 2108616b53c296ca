"""Times are integers: microseconds since 1970-01-01T00:00:00Z. Exact, sortable, and the same in every store."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

Micros = int
"""Microseconds since the Unix epoch, UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> Micros:
    """The time of this machine's clock."""
    return time.time_ns() // 1000


def to_datetime(at: Micros) -> datetime:
    """An aware datetime in UTC, microsecond exact."""
    return _EPOCH + timedelta(microseconds=at)


def from_datetime(moment: datetime) -> Micros:
    """Microseconds of a datetime; one without a zone is taken as UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


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
