"""From the text of a pattern to its parts, by recursive descent."""

from __future__ import annotations

from graphql_runs.model.errors import InvalidText
from graphql_runs.model.regex.nodes import (
    LAST,
    Chain,
    Chars,
    Choice,
    Edge,
    Node,
    Ranges,
    Repeat,
    all_but,
    folded,
    merged,
)

REPEATS = 1000
"""Most repetitions that a number in braces may ask for, those around it counted in; RE2's own bound."""
SIZE = 5000
"""Most characters and classes of a pattern with its repetitions written out."""
NESTING = 50
"""How deep groups may be nested."""


_DIGITS: Ranges = ((0x30, 0x39),)
_WORDS: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACES: Ranges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_LINE_FEED: Ranges = ((0x0A, 0x0A),)
_CLASSES = {"d": _DIGITS, "w": _WORDS, "s": _SPACES}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_HINTS = {
    "B": "\\B is not available: RE2 finds it inside of characters", "k": "back-references are not available", "G": "\\G is not available", "K": "\\K is not available",
    "p": "Unicode classes are not available: engines do not agree on them",
    "P": "Unicode classes are not available: engines do not agree on them",
    "Z": "write \\z or $ for the end of the text", "Q": "write a backslash before each character instead of \\Q",
}  # fmt: skip


def invalid(text: str, place: int, message: str) -> InvalidText:
    """The error about a place in a pattern."""
    shown = text if len(text) <= 80 else f"{text[:80]}…"
    return InvalidText(
        f"regular expression {shown!r}, character {place + 1}: {message}",
        line=text.count("\n", 0, place) + 1,
        column=place - text.rfind("\n", 0, place),
    )


def parse(text: str) -> Node:
    """The parts of a pattern. Raises InvalidText naming the place of what is not understood or too large."""
    return _Parser(text).parse()


class _Parser:
    """By recursive descent; `place` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.fold = self.dot_all = False

    def parse(self) -> Node:
        self._flags()
        node = self._choice(0)
        if self.place < len(self.text):
            raise self._error("this parenthesis closes nothing; write \\) for the character")
        if _size(node) > SIZE:
            raise invalid(self.text, 0, f"with its repetitions it has more than {SIZE} characters")
        return node

    def _flags(self) -> None:
        while self.text.startswith("(?", self.place):
            end = self.text.find(")", self.place)
            flags = self.text[self.place + 2 : end] if end > 0 else ""
            if not flags or set(flags) - {"i", "s"}:
                return
            self.fold, self.dot_all = self.fold or "i" in flags, self.dot_all or "s" in flags
            self.place = end + 1

    def _choice(self, depth: int) -> Node:
        if depth > NESTING:
            raise self._error(f"groups are nested deeper than {NESTING}")
        parts = [self._chain(depth)]
        while self._take("|"):
            parts.append(self._chain(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _chain(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.place < len(self.text) and self.text[self.place] not in "|)":
            grouped = self.text[self.place] == "("
            parts.append(self._repeated(self._one(depth), grouped=grouped))
        return parts[0] if len(parts) == 1 else Chain(tuple(parts))

    def _one(self, depth: int) -> Node:
        letter = self._next()
        match letter:
            case "(":
                return self._group(depth)
            case "[":
                return Chars(self._class())
            case "\\":
                return self._escape()
            case ".":
                return Chars(all_but(() if self.dot_all else _LINE_FEED))
            case "^":
                return Edge("A")
            case "$":
                return Edge("z")
            case "*" | "+" | "?":
                raise self._error("there is nothing to repeat", back=1)
            case "{":
                raise self._error("there is nothing to repeat; write \\{ for the character", back=1)
        return self._literal(ord(letter))

    def _group(self, depth: int) -> Node:
        opened = self.place - 1
        if self._take("?") and not self._take(":"):
            rest = self.text[self.place :]
            words = "only plain groups are available: ( ) and (?: )"
            if rest.startswith(("=", "!", "<=", "<!")):
                words = "look-around is not available"
            elif rest[:1] in ("i", "s", "m", "x", "-", "u", "a", "L"):
                words = "only (?i) and (?s), at the start of the pattern, are available"
            raise invalid(self.text, opened, words)
        node = self._choice(depth + 1)
        if not self._take(")"):
            raise invalid(self.text, opened, "this parenthesis is not closed")
        return node

    def _repeated(self, node: Node, *, grouped: bool) -> Node:
        repeated = False
        while self.place < len(self.text) and self.text[self.place] in "*+?{":
            begin = self.place
            if repeated:
                raise self._error("a repetition cannot be repeated; put the first one in a group")
            if isinstance(node, Edge) and not grouped:
                raise self._error("a place in the text cannot be repeated")
            least, most = self._bounds()
            node = Repeat(node, least, most)
            if _repeats(node) > REPEATS:
                raise invalid(self.text, begin, f"this is repeated more than {REPEATS} times")
            if self._take("+"):
                raise self._error("possessive repetition is not available", back=1)
            self._take("?")  # as few as possible: which ones are found makes no difference
            repeated = True
        return node

    def _bounds(self) -> tuple[int, int | None]:
        begin = self.place
        match self._next():
            case "*":
                return 0, None
            case "+":
                return 1, None
            case "?":
                return 0, 1
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = self._number()
        open_end = most is None
        if least is None or not self._take("}"):
            raise invalid(self.text, begin, "write {n}, {n,} or {n,m}, or \\{ for the character")
        if most is not None and least > most:
            raise invalid(self.text, begin, f"{least} is more than {most}")
        if max(least, most or 0) > REPEATS:
            raise invalid(self.text, begin, f"this is repeated more than {REPEATS} times")
        return least, None if open_end else most

    def _number(self) -> int | None:
        begin = self.place
        while self.place < len(self.text) and self.text[self.place] in "0123456789":
            self.place += 1
        digits = self.text[begin : self.place]
        # Longer ones are refused for their value; int() would take its time over a very long one.
        return int(digits[:9]) if digits else None

    def _escape(self) -> Node:
        begin = self.place - 1
        letter = self._next("the pattern ends with a backslash")
        match letter:
            case "A" | "z" | "b":
                return Edge(letter)
        if letter.lower() in _CLASSES:
            return Chars(_class_of(letter))
        return self._literal(self._code(letter, begin))

    def _code(self, letter: str, begin: int) -> int:
        """The code point that an escape other than a class or a place stands for."""
        if letter in _CONTROLS:
            return ord(_CONTROLS[letter])
        if letter in ("x", "u"):
            return self._hexadecimal(letter, begin)
        if letter.isascii() and letter.isalnum():
            known = "back-references are not available" if letter in "123456789" else None
            words = known or _HINTS.get(letter, f"the escape \\{letter} is not known")
            raise invalid(self.text, begin, words)
        return self._valid(ord(letter), begin)

    def _hexadecimal(self, letter: str, begin: int) -> int:
        if letter == "x" and self._take("{"):
            end = self.text.find("}", self.place)
            digits = self.text[self.place : end] if end > 0 else ""
            self.place = end + 1
        else:
            length = 2 if letter == "x" else 4
            digits = self.text[self.place : self.place + length]
            self.place += length
            digits = digits if len(digits) == length else ""
        if not digits or len(digits) > 6 or set(digits) - set("0123456789abcdefABCDEF"):
            raise invalid(
                self.text, begin, "a character by its number is \\xHH, \\uHHHH or \\x{H…}, in hexadecimal"
            )
        return self._valid(int(digits, 16), begin)

    def _class(self) -> Ranges:
        opened = self.place - 1
        negated = self._take("^")
        found: list[tuple[int, int]] = []
        first = True
        while first or not self._take("]"):
            first = False
            if self.place >= len(self.text):
                raise invalid(self.text, opened, "this bracket is not closed")
            begin = self.place
            low = self._member()
            if isinstance(low, tuple):
                found += low
                continue
            high: int | Ranges = low
            if self.text.startswith("-", self.place) and not self.text.startswith("-]", self.place):
                self.place += 1
                high = self._member()
            if isinstance(high, tuple) or high < low:
                raise invalid(self.text, begin, f"{self.text[begin : self.place]!r} is not a range")
            found.append((low, high))
        ranges = merged(folded(found) if self.fold else found)
        return all_but(ranges) if negated else ranges

    def _member(self) -> int | Ranges:
        """One character of a class, or a class inside of it."""
        begin = self.place
        letter = self._next("this bracket is not closed")
        if letter == "[" and self.text[self.place : self.place + 1] in (":", ".", "="):
            raise invalid(self.text, begin, "named classes are not available: write a-z, \\d, \\w or \\s")
        if letter != "\\":
            return self._valid(ord(letter), begin)
        letter = self._next("the pattern ends with a backslash")
        if letter.lower() in _CLASSES:
            return _class_of(letter)
        if letter in "bAz":
            raise invalid(self.text, begin, f"\\{letter} is no character")
        return self._code(letter, begin)

    def _literal(self, code: int) -> Chars:
        self._valid(code, self.place - 1)
        return Chars(merged(folded([(code, code)])) if self.fold else ((code, code),))

    def _valid(self, code: int, begin: int) -> int:
        if code > LAST or 0xD800 <= code <= 0xDFFF:
            raise invalid(self.text, begin, f"U+{code:04X} is no character")
        return code

    def _next(self, missing: str = "the pattern ends here") -> str:
        if self.place >= len(self.text):
            raise self._error(missing)
        self.place += 1
        return self.text[self.place - 1]

    def _take(self, letter: str) -> bool:
        if self.text.startswith(letter, self.place):
            self.place += 1
            return True
        return False

    def _error(self, message: str, back: int = 0) -> InvalidText:
        return invalid(self.text, self.place - back, message)


def _class_of(letter: str) -> Ranges:
    ranges = _CLASSES[letter.lower()]
    return ranges if letter.islower() else all_but(ranges)


def _size(node: Node) -> int:
    match node:
        case Chain(parts) | Choice(parts):
            return 1 + sum(map(_size, parts))
        case Repeat(part, least, most):
            return 1 + max(least, most or 1) * _size(part)
    return 1


def _repeats(node: Node) -> int:
    """How often the innermost part is repeated by numbers in braces."""
    match node:
        case Chain(parts) | Choice(parts):
            return max(map(_repeats, parts), default=1)
        case Repeat(part, least, most):
            return max(least, most or 1, 1) * _repeats(part)
    return 1
