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
    runs: list[list[str]] = [[]]
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        if part == "%":
            runs.append([])
        else:
            runs[-1].append("." if part == "_" else re.escape(part[-1]))
    # Each run between two % has a fixed length, so the leftmost match of each is as good as any: no backtracking.
    first, *middle = [re.compile("".join(run), re.DOTALL) for run in runs]
    if not middle:
        return first.fullmatch(text) is not None
    found = first.match(text)
    for run in middle[:-1]:
        found = found and run.search(text, found.end())
    if found is None:
        return False
    return middle[-1].fullmatch(text, max(found.end(), len(text) - len(runs[-1]))) is not None
