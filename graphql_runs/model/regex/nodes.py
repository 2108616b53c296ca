"""What a pattern is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LAST = 0x10FFFF
"""The last code point."""
Ranges = tuple[tuple[int, int], ...]
"""Code points from and to, ascending and apart."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of some."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Edge:
    """A place between characters: `A` the start of the text, `z` its end, `b` the edge of a word."""

    kind: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part so many times; `most` is None without an end."""

    part: Node
    least: int
    most: int | None


Node = Chars | Edge | Chain | Choice | Repeat


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Any ranges, in order and apart."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def all_but(ranges: Ranges) -> Ranges:
    """All other characters."""
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), LAST]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)


def folded(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """With both cases of ASCII letters."""
    found = list(ranges)
    for low, high in ranges:
        for first, last, other in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
            begin, end = max(low, first), min(high, last)
            if begin <= end:
                found.append((begin + other, end + other))
    return found
