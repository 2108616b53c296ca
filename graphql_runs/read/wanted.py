"""Which lines are searched for, told of a shown line and, much faster, of the bytes of thousands of lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from graphql_runs.model.regex import Regex
from graphql_runs.read.levels import LogLevel, hint
from graphql_runs.read.text import fold

_PART = 1 << 16
_EDGES = {"A": "(?m:^)", "z": "(?m:$)"}
_SGR = re.compile(rb"\x1b\[[0-9;:]*m")


class Shown(Protocol):
    """A line as it is shown."""

    @property
    def text(self) -> str: ...

    @property
    def level(self) -> LogLevel | None: ...


@dataclass(frozen=True)
class LineFilter:
    """Lines that contain a text (ASCII letters in any case, unless `match_case`), in which a pattern is found, and that are of
    one of the levels."""

    contains: str | None = None
    levels: frozenset[LogLevel] | None = None
    regex: Regex | None = None
    match_case: bool = False

    @property
    def everything(self) -> bool:
        """No line is left out."""
        return self.contains is None and self.levels is None and self.regex is None

    def holds(self, line: Shown) -> bool:
        """True when the line is wanted."""
        if self.contains is not None and self._needle not in (
            line.text if self.match_case else fold(line.text)
        ):
            return False
        if self.regex is not None and not self.regex.matches(line.text):
            return False
        return self.levels is None or line.level in self.levels

    def places(self, data: bytes) -> Iterator[int] | None:
        """Places in raw bytes of lines, in order; each wanted line has one of them in it or at its end, others may have too.

        None when that is not to be told from the bytes. They must be free of controls other than tabs and line feeds.
        """
        # What is no text is shown as U+FFFD, which a pattern may be about.
        if "\ufffd" in (self.contains or "") or (
            self.contains is None and not data.isascii() and not _is_text(data)
        ):
            return None
        return _found(self._search, data)

    @cached_property
    def _needle(self) -> str:
        text = self.contains or ""
        return text if self.match_case else fold(text)

    @cached_property
    def _search(self) -> Callable[[bytes, int], Any]:
        # Only who searches pays for loading the engine, which is faster than `bytes.find` even for a plain text.
        import re2

        options = re2.Options()
        options.log_errors = False
        # So that no match is hidden by one that began on an earlier line.
        options.never_nl = True
        if self.contains is not None:
            pattern = f"{'' if self.match_case else '(?i)'}{re2.escape(self.contains)}"
        else:
            pattern = _of_lines(self.regex.re2) if self.regex is not None else hint(self.levels or ())
        search: Callable[[bytes, int], Any] = re2.compile(pattern, options=options).search
        return search


EVERYTHING = LineFilter()
"""All lines."""


def plain(data: bytes) -> bool:
    """True when bytes hold no control characters but tabs and line feeds, so that lines are shown as they were written."""
    if b"\x7f" in data:
        return False
    codes = np.frombuffer(data, np.uint8)
    # 0 to 8, and 11 to 31, in parts that stay in the processor's cache.
    for first in range(0, len(codes), _PART):
        part = codes[first : first + _PART]
        if (part < 9).any() or ((part - np.uint8(11)) < 21).any():
            return False
    return True


def bare(data: bytes) -> bytes:
    """Bytes without styles, and with plain line ends: what is left of controls makes lines look different."""
    return _SGR.sub(b"", data).replace(b"\r\n", b"\n")


def _of_lines(pattern: str) -> str:
    """A pattern (RE2, as `model.regex` writes them) whose edges are those of lines instead of those of a text."""
    return re.sub(r"\\(.)", lambda found: _EDGES.get(found[1], found[0]), pattern, flags=re.DOTALL)


def _found(search: Callable[[bytes, int], Any], data: bytes) -> Iterator[int]:
    """Where a pattern is found, once a line."""
    found = search(data, 0)
    while found is not None:
        yield found.start()
        end = data.find(b"\n", found.start())
        found = search(data, end + 1) if end >= 0 else None


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except ValueError:
        return False
    return True
