"""TensorProto: arrays inside of events.

Format: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor.proto and types.proto.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.ingest.wire import (
    FIXED32,
    FIXED64,
    Malformed,
    Value,
    content,
    fields,
    signed,
    varints,
    whole,
)

STRING = 7
_BFLOAT16 = 14
_TYPES: dict[int, str] = {
    1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 5: "<i2", 6: "<i1", 9: "<i8", 10: "?", 14: "<u2", 17: "<u2", 19: "<f2",
    22: "<u4", 23: "<u8",
}  # fmt: skip
"""Numbers by DataType: float, double, int32, uint8, int16, int8, int64, bool, bfloat16 (as its bits), uint16, half, uint32, uint64."""
_FLOATS, _DOUBLES, _STRINGS, _HALVES = 5, 6, 8, 13
_INTEGERS = frozenset({7, 10, 11, 16, 17})
"""Fields int_val, int64_val, bool_val, uint32_val, uint64_val."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array of numbers, or of byte strings.

    numbers: of the shape; None for strings and for types that are no numbers of ours (complex, quantised). texts: flat.
    """

    shape: tuple[int, ...]
    numbers: NDArray[Any] | None
    texts: tuple[bytes, ...] = ()


def tensor(data: bytes, limit: int) -> Tensor:
    """The tensor of a TensorProto. Raises Malformed, also for one of more than `limit` elements."""
    kind, raw = 0, b""
    shape: tuple[int, ...] = ()
    texts: list[bytes] = []
    parts: list[NDArray[Any]] = []
    for number, wire, value in fields(data):
        if number == 1:
            kind = whole(value)
        elif number == 2:
            shape = _shape(content(value))
        elif number == 4:
            raw = content(value)
        elif number == _STRINGS:
            texts.append(content(value))
        elif number in (_FLOATS, _DOUBLES):
            parts.append(_fixed(number, wire, value))
        elif number == _HALVES:
            parts.append(np.array(varints(value), dtype=np.uint64))
        elif number in _INTEGERS:
            parts.append(np.array([signed(one) for one in varints(value)], dtype=np.int64))
    count = math.prod(shape)
    # One size may be 0 and the others still more than an array can have.
    if math.prod(max(size, 1) for size in shape) > limit:
        raise Malformed(f"a tensor of the shape {shape} is over the limit of {limit} elements")
    if kind == STRING:
        return Tensor(shape, None, tuple(texts))
    if kind not in _TYPES:
        return Tensor(shape, None)
    return Tensor(shape, _filled(_numbers(kind, raw, parts), count).reshape(shape))


def _shape(data: bytes) -> tuple[int, ...]:
    sizes = []
    for number, _, value in fields(data):
        if number == 2:
            size = 0
            for inner, _, found in fields(content(value)):
                if inner == 1:
                    size = signed(found)
            if size < 0:
                raise Malformed("a tensor has a negative size")
            sizes.append(size)
    if len(sizes) > 32:
        raise Malformed(f"a tensor has {len(sizes)} dimensions")
    return tuple(sizes)


def _fixed(number: int, wire: int, value: Value) -> NDArray[Any]:
    data = content(value)
    size = 4 if number == _FLOATS else 8
    if wire not in (FIXED32, FIXED64, 2) or len(data) % size:
        raise Malformed("a list of floats has an odd length")
    return np.frombuffer(data, dtype=f"<f{size}")


def _numbers(kind: int, raw: bytes, parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The elements as they are stored, flat: as raw bytes or as a list."""
    dtype = np.dtype(_TYPES[kind])
    if raw:
        if len(raw) % dtype.itemsize:
            raise Malformed("the bytes of a tensor do not fit its type")
        found = np.frombuffer(raw, dtype=dtype)
    else:
        found = np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)
        if kind in (19, _BFLOAT16):
            found = found.astype(np.uint16)
            return _bfloat(found) if kind == _BFLOAT16 else found.view(np.float16)
        return found.astype(dtype)
    return _bfloat(found) if kind == _BFLOAT16 else found


def _bfloat(bits: NDArray[Any]) -> NDArray[Any]:
    """bfloat16 is the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _filled(found: NDArray[Any], count: int) -> NDArray[Any]:
    """A list may end early: its last element stands for the rest, and no element for zeros."""
    if len(found) > count:
        raise Malformed(f"a tensor has {len(found)} elements where its shape says {count}")
    if len(found) == count:
        return found
    if not len(found):
        return np.zeros(count, dtype=found.dtype)
    return np.concatenate([found, np.full(count - len(found), found[-1], dtype=found.dtype)])
