"""Values as the versions of Slurm write them: numbers bare or as {set, infinite, number}, states as a text or a list.

Sources: the data_parser plugins of Slurm 23.02 to 25.11 and the openapi plugins of 21.08 and 22.05, `slurm.h` for the numbers that
stand for "none" and "no limit".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeVar

from graphql_runs.model.time import Micros

_NONE = frozenset({0xFFFE, 0xFFFF, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF})
"""NO_VAL16, INFINITE16, NO_VAL, INFINITE, NO_VAL64, INFINITE64."""
_EMPTY = frozenset({"(null)", "None", "None assigned", "N/A", "Unknown", "Not Set", "NONE"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LATEST = 1 << 40
VALUE_BYTES = 16_384
"""Texts are cut to so many bytes."""
T = TypeVar("T")


def number(value: object) -> float | int | None:
    """A number that is set and finite. None for anything else."""
    if isinstance(value, Mapping):
        if value.get("set") is False or value.get("infinite") is True:
            return None
        value = value.get("number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and value not in _NONE else None


def count(value: object) -> int | None:
    """A whole number from 0 to 2^63."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < 1 << 63 else None


def moment(value: object) -> Micros | None:
    """A time in seconds since the epoch, as microseconds. 0 stands for none."""
    found = number(value)
    return round(found * 1_000_000) if found is not None and 0 < found < _LATEST else None


def text(value: object) -> str:
    """A text, empty for what Slurm says where there is none; without control characters, cut to VALUE_BYTES."""
    if not isinstance(value, str) or value in _EMPTY:
        return ""
    cleaned = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    data = cleaned.encode("utf-8", "replace")
    if len(data) > VALUE_BYTES:
        return data[: VALUE_BYTES - 3].decode("utf-8", "ignore") + "…"
    return data.decode()


def words(value: object) -> tuple[str, ...]:
    """A state as its words: `RUNNING`, `["CANCELLED", "COMPLETING"]`, `IDLE+DRAIN`, `IDLE*`, `CANCELLED by 1000`."""
    if isinstance(value, str):
        value = value.partition(" by ")[0].replace("*", "+NOT_RESPONDING").replace(",", "+").split("+")
    if not isinstance(value, list):
        return ()
    return tuple(word.strip().upper()[:100] for word in value[:50] if isinstance(word, str) and word.strip())


def nested(value: object, *path: str) -> object:
    """What lies at a path of objects, None where there is nothing."""
    found = value
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def first(*values: T | None) -> T | None:
    """The first that is neither None nor empty."""
    return next((value for value in values if value is not None and value != ""), None)
