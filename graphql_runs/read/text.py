"""Comparing texts as the stores do."""

from __future__ import annotations

import re
import string

_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(text: str) -> str:
    """ASCII letters in lower case, all others as they are."""
    return text.translate(_FOLD)


def like(text: str, pattern: str) -> bool:
    """SQL's LIKE: `%` is any text, `_` any character, and a backslash takes the next character as it is."""
    runs: list[str] = [""]
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        if part == "%":
            runs.append("")
        else:
            runs[-1] += "." if part == "_" else re.escape(part[-1])
    # Each run between two % has a fixed length, so the leftmost match of each is as good as any: no backtracking.
    first, *middle = [re.compile(run, re.DOTALL) for run in runs]
    if not middle:
        return first.fullmatch(text) is not None
    found = first.match(text)
    if found is None:
        return False
    place = found.end()
    for run in middle[:-1]:
        found = run.search(text, place)
        if found is None:
            return False
        place = found.end()
    last = middle[-1]
    return any(last.fullmatch(text, start) is not None for start in _ends(text, place, runs[-1]))


def _ends(text: str, place: int, run: str) -> range:
    """Where a run of fixed length has to begin to end with the text."""
    length = len(re.sub(r"\\.", ".", run, flags=re.DOTALL))
    start = len(text) - length
    return range(start, start + 1) if start >= place else range(0)
