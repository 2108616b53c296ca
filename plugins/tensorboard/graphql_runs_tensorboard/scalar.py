"""Events of one number, which nearly all are, read by what they have in common.

Two such events of one tag differ in three places: the time, the step, and the four bytes of a float32 at the very end. When a record was
read field by field and is of that form, everything between its step and its number is remembered, and later records with the same bytes
there are read without looking at their fields.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from graphql_runs.ingest.wire import Malformed, signed, varint
from graphql_runs_tensorboard.event import LONGEST, Event, Scalar, event

_TIME, _STEP, _SUMMARY = 0x09, 0x10, 0x2A
_TIMED = 9
"""Bytes of the field with the time."""
_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a tag; wall_time in seconds since the epoch."""

    tag: str
    value: float
    step: int
    wall_time: float


class Scalars:
    """The forms of scalar events that were met in a file."""

    def __init__(self) -> None:
        self._tags: dict[bytes, str] = {}

    def read(self, data: bytes) -> Number | None:
        """The number of a record whose form is known; None for any other record."""
        head = _head(data)
        if head is None:
            return None
        step, at = head
        tag = self._tags.get(data[at:-4])
        if tag is None:
            return None
        (seconds,) = _DOUBLE.unpack_from(data, 1)
        if not abs(seconds) <= LONGEST:
            return None  # it is said what is wrong where events are read
        return Number(tag, _FLOAT.unpack_from(data, len(data) - 4)[0], step, seconds)

    def learn(self, data: bytes, found: Event) -> None:
        """Remember the form of a record that was read as this event, if it has one: with other last bytes it is read as the same
        tag with the number that these bytes are."""
        head = _head(data)
        if head is None or len(self._tags) >= _MOST:
            return
        tag = _tag(data, found)
        if tag is None:
            return
        other = data[:-4] + bytes(byte ^ 0x55 for byte in data[-4:])
        try:
            if _tag(other, event(other)) == tag:
                self._tags[data[head[1] : -4]] = tag
        except Malformed:
            return  # the last bytes were those of something else


def _head(data: bytes) -> tuple[int, int] | None:
    """The step, and where the summary begins; None when the record does not begin with a time, a step and a summary."""
    if len(data) < _TIMED + 8 or data[0] != _TIME:
        return None
    step, at = 0, _TIMED
    if data[at] == _STEP:
        try:
            step, at = varint(data, at + 1)
        except Malformed:
            return None
    if at + 8 > len(data) or data[at] != _SUMMARY:
        return None
    return signed(step), at


def _tag(data: bytes, found: Event) -> str | None:
    """The tag of an event that says nothing but the number of a record's last four bytes."""
    match found.said:
        case (Scalar(tag, float(value)),):
            (number,) = _FLOAT.unpack(data[-4:])
            # Bit by bit, so that a NaN is one, and -0 is not 0.
            return tag if _DOUBLE.pack(value) == _DOUBLE.pack(number) else None
    return None
