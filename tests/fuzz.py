"""What fuzz tests of parsers share: sound input with damage, and a bound for memory.

Nothing here asserts a time: an endless loop ends at pytest's own timeout.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(_NUMBERS)
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "\0", "..", "../..", "/", "\ud800", "nan", "2026-13-99T99:99:99Z", "a" * 2000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value, also what Python's parser takes besides."""


@contextmanager
def bounded(size: int, factor: int = 200, least: int = 32 << 20) -> Iterator[None]:
    """Fails when what is done inside holds more memory at once than `least` bytes and `factor` times the size of the input."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= least + factor * size, f"{peak} bytes were held for {size} bytes of input"


@st.composite
def damaged(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """One of the samples after a few edits: bytes changed, left out, put in, repeated, or the end cut."""
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(1, 16))
        match draw(st.sampled_from(("flip", "drop", "put", "repeat", "number", "cut"))):
            case "flip" if place < len(data):
                data[place] ^= draw(st.integers(1, 255))
            case "drop":
                del data[place : place + length]
            case "put":
                data[place:place] = draw(st.binary(min_size=1, max_size=16))
            case "repeat":
                data[place:place] = data[place : place + length] * draw(st.sampled_from((1, 2, 50)))
            case "number":
                found = draw(st.sampled_from(_NUMBERS))
                data[place : place + 8] = (
                    _varint(found) if draw(st.booleans()) else found.to_bytes(8, "little")
                )
            case "cut":
                del data[place:]
    return bytes(data)


@st.composite
def altered(draw: st.DrawFn, samples: Sequence[Any]) -> Any:
    """One of the JSON documents with a few values replaced, left out or put in, anywhere in it."""
    value = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 4))):
        value = _altered(draw, value)
    return value


def _altered(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 9)):
            return {name: inner for name, inner in value.items() if name != key}
        return value | {key: _altered(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        place = draw(st.integers(0, len(value) - 1))
        kept = [_altered(draw, value[place])] * draw(st.sampled_from((0, 1, 1, 2)))
        return [*value[:place], *kept, *value[place + 1 :]]
    return draw(JSON)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
