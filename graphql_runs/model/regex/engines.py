"""A pattern in the words of engines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from graphql_runs.model.errors import InvalidText
from graphql_runs.model.regex.nodes import LAST, Chain, Chars, Choice, Edge, Node, Ranges, Repeat, all_but
from graphql_runs.model.regex.parser import invalid, parse

_LONG = 65_536
"""Characters of a long value, for what a backtracking engine could have to do."""
_TRIES = 1e6
"""Ways through a text that a backtracking engine may be made to try from one place."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern that was checked, in the words of engines.

    portable: for engines that backtrack; None when one could take too long over it.
    """

    text: str
    re2: str
    portable: str | None
    matches: Callable[[str], bool]
    """True when the pattern is found in a text."""


def compiled(text: str, field: str | None = None) -> Regex:
    """The pattern, ready to use. Raises InvalidText naming the place of what is not understood or too large."""
    try:
        return _compiled(text)
    except InvalidText as error:
        raise InvalidText(error.message, line=error.line, column=error.column, field=field) from error


@lru_cache(maxsize=512)
def _compiled(text: str) -> Regex:
    # Only who filters by a pattern pays for loading the engine.
    import re2

    node = parse(text)
    written = _write(node, _RE2)
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        search = re2.compile(written, options=options).search
    except re2.error as error:
        raise invalid(text, 0, f"it is too large ({error})") from error
    # As bytes: the engine would look up where each character of a text begins.
    return Regex(text, written, _portable(node), lambda value: search(value.encode()) is not None)


# Look-around means the same in all engines that have it, `\b` and `\z` do not.
_WORD = "[0-9A-Z_a-z]"
_RE2 = {"A": r"\A", "z": r"\z", "b": r"\b"}
_PORTABLE = {
    "A": "^",
    "z": r"(?![\s\S])",
    "b": f"(?:(?<!{_WORD})(?={_WORD})|(?<={_WORD})(?!{_WORD}))",
}


def _portable(node: Node) -> str | None:
    node = _trimmed(node)
    return None if _tries(node) > _TRIES else _write(node, _PORTABLE)


def _trimmed(node: Node) -> Node:
    """Without what may be missing at either end: a pattern is found anywhere, so that it changes nothing."""
    if isinstance(node, Repeat) and node.least == 0:
        return Chain(())
    if not isinstance(node, Chain):
        return node
    parts = list(node.parts)
    while parts and isinstance(last := parts[-1], Repeat) and last.least == 0:
        parts.pop()
    while parts and isinstance(first := parts[0], Repeat) and first.least == 0:
        parts.pop(0)
    return Chain(tuple(parts))


def _tries(node: Node) -> float:
    """About how many ways a backtracking engine could try from one place in a long text."""
    match node:
        case Chain(parts):
            return min(math.prod(map(_tries, parts)), math.inf)
        case Choice(parts):
            return sum(map(_tries, parts))
        case Repeat(part, least, most):
            tries = _tries(part)
            if most is None:
                return math.inf if tries > 1 or _empty(part) else _LONG
            ways = float(most - least + 1)
            return math.inf if tries > 1 and most * math.log(tries) > 50 else ways * tries**most
    return 1


def _empty(node: Node) -> bool:
    """Can match the empty text."""
    match node:
        case Chain(parts):
            return all(map(_empty, parts))
        case Choice(parts):
            return any(map(_empty, parts))
        case Repeat(part, least, _):
            return least == 0 or _empty(part)
        case Edge():
            return True
    return False


def _write(node: Node, edges: dict[str, str]) -> str:
    match node:
        case Chars(ranges):
            return _write_chars(ranges)
        case Edge(kind):
            return edges[kind]
        case Chain(parts):
            return "".join(_grouped(part, edges) if isinstance(part, Choice) else _write(part, edges) for part in parts)  # fmt: skip
        case Choice(parts):
            return "|".join(_write(part, edges) for part in parts)
        case Repeat(part, least, most):
            written = _write(part, edges) if isinstance(part, Chars) else _grouped(part, edges)
            return written + _write_bounds(least, most)


def _grouped(node: Node, edges: dict[str, str]) -> str:
    return f"(?:{_write(node, edges)})"


def _write_bounds(least: int, most: int | None) -> str:
    match least, most:
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case 0, 1:
            return "?"
        case _, None:
            return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


def _write_chars(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _write_char(ranges[0][0])
    # A class that goes up to the last character was most likely written as all but some.
    negated = not ranges or ranges[-1][1] == LAST
    shown = all_but(ranges) if negated else ranges
    if negated and not shown:
        return r"[\s\S]"
    written = "".join(
        _write_char(low) if low == high else f"{_write_char(low)}-{_write_char(high)}" for low, high in shown
    )
    return f"[^{written}]" if negated else f"[{written}]"


def _write_char(code: int) -> str:
    letter = chr(code)
    # Patterns end at a zero byte on MongoDB's wire.
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02X}"
    return f"\\{letter}" if letter.isascii() and not letter.isalnum() and letter not in "_ " else letter
