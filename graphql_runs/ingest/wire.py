"""Protocol buffers as far as readers of foreign files need them: fields of a message by number, without generated code.

Format: https://protobuf.dev/programming-guides/encoding/. Unknown fields are passed over, as a reader has to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias

Value: TypeAlias = int | bytes
"""A varint as an unsigned integer; everything else as its bytes (8 or 4 of a fixed number, the content of a field with a length)."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class Malformed(ValueError):
    """The bytes are no message."""


def fields(data: bytes) -> Iterator[tuple[int, int, Value]]:
    """Number, wire type and value of every field, in order. Raises Malformed."""
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = varint(data, at)
            yield number, kind, value
            continue
        if kind == LENGTH:
            size, at = varint(data, at)
        elif kind == FIXED64:
            size = 8
        elif kind == FIXED32:
            size = 4
        else:
            raise Malformed(f"wire type {kind} of field {number} is not known")
        if number == 0 or size > end - at:
            raise Malformed(f"field {number} of {size} bytes does not fit")
        yield number, kind, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned integer of up to 64 bits, and the place after it. Raises Malformed."""
    result = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number does not end")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7


def varints(value: Value) -> list[int]:
    """A repeated integer: one, or several packed together."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        found.append(number)
    return found


def signed(value: Value) -> int:
    """An int64 or int32."""
    number = whole(value)
    return number - (1 << 64) if number >= 1 << 63 else number


def whole(value: Value) -> int:
    """An unsigned number. Raises Malformed for anything else."""
    if isinstance(value, int):
        return value
    raise Malformed("a number is expected")


def content(value: Value) -> bytes:
    """Bytes or a message. Raises Malformed for a number."""
    if isinstance(value, bytes):
        return value
    raise Malformed("bytes are expected")


def text(value: Value) -> str:
    """A string; what is not UTF-8 is replaced."""
    return content(value).decode("utf-8", "replace")


def double(value: Value) -> float:
    """A double."""
    data = content(value)
    if len(data) != 8:
        raise Malformed("a double has 8 bytes")
    found: float = struct.unpack("<d", data)[0]
    return found


def single(value: Value) -> float:
    """A float."""
    data = content(value)
    if len(data) != 4:
        raise Malformed("a float has 4 bytes")
    found: float = struct.unpack("<f", data)[0]
    return found
