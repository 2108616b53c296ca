"""Host lists as Slurm writes them."""

from __future__ import annotations

from collections.abc import Iterator


def hosts(text: str, most: int) -> list[str]:
    """The names in a host list (`node[01-03,7],login`), at most so many."""
    found: list[str] = []
    for name in _split(text):
        _expand(name, found, most)
    return found[:most]


def _split(text: str) -> Iterator[str]:
    """Parts between commas that lie outside of brackets."""
    depth, begin = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            yield text[begin:place]
            begin = place + 1
    yield text[begin:]


def _expand(name: str, found: list[str], most: int) -> None:
    head, bracket, rest = name.partition("[")
    inner, closed, tail = rest.partition("]")
    if not bracket or not closed or "[" in tail:
        if name:
            found.append(name)
        return
    for part in inner.split(","):
        low, _, high = part.partition("-")
        if not low.isdigit() or not (high or low).isdigit() or len(low) > 9 or len(high) > 9:
            continue
        for number in range(int(low), int(high or low) + 1):
            if len(found) >= most:
                return
            found.append(f"{head}{number:0{len(low)}}{tail}")
