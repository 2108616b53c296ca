"""Numbers that were written as texts."""

from __future__ import annotations

import re

_WRAPPED = re.compile(r"(?:np|numpy)\.[a-z]+\d*\((.*)\)", re.ASCII | re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d{1,400}", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})(?:[eE][+-]?\d{1,9})?", re.ASCII)
_NON_FINITE = {"nan": float("nan"), "inf": float("inf"), "infinity": float("inf")}


def number(text: str) -> int | float | None:
    """The number that a text stands for, None when it is none.

    The SDK has no converter for NumPy's 64-bit integers and keeps their `repr`: `3` up to NumPy 1, `np.int64(3)` since.
    """
    text = text.strip()
    if wrapped := _WRAPPED.fullmatch(text):
        text = wrapped[1].strip().strip("'\"")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    bare = text.lower().lstrip("+-")
    if bare in _NON_FINITE and len(text) - len(bare) <= 1:
        return -_NON_FINITE[bare] if text.startswith("-") else _NON_FINITE[bare]
    return None
