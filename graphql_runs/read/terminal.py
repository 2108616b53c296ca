"""What a terminal shows of a log: carriage returns, backspaces, erasures and cursor moves carried out, colours left out.

Control sequences are those of ECMA-48 (`ESC [ … letter`). A column is one code point. The cursor climbs no higher than the
first line it is given, so a caller decides how far moves reach; it never leaves the last line downwards but by a line feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 4096
"""The cursor is not moved further right than this by a sequence; text may be longer."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Any character that makes a line look different from what was written, line feeds and tabs apart."""

_TOKEN = re.compile(
    r"\x1b\[(?P<params>[0-?]*)[ -/]*(?P<final>[@-~])"  # a control sequence
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # an operating system command, such as a window title
    r"|\x1b[ -/]*[0-~]?"  # any other escape sequence
    r"|(?P<plain>[\r\x08])"
    r"|[\x00-\x07\x0b-\x1f\x7f]"
)
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_ERASE = "\x1b[K"
_UNUSUAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Anything but text and carriage returns."""


@dataclass(slots=True)
class Row:
    """A line on the screen. `key` is whatever the line that began it was given with."""

    key: tuple[int, int]
    text: str = ""


def render(lines: Iterable[tuple[tuple[int, int], str]]) -> list[Row]:
    """The rows that consecutive lines leave on the screen, each under the key of the line that began it.

    A line is given without its line feed. One whose text lands on an earlier row begins no row of its own.
    """
    screen = _Screen()
    for key, text in lines:
        screen.begin(key)
        text = text.removesuffix("\r")
        if screen.fresh and not CONTROL.search(text):
            screen.rows[-1].text = text
        else:
            screen.write(text)
    return screen.rows


class _Screen:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.row = -1
        self.column = 0

    @property
    def fresh(self) -> bool:
        """The cursor stands at the beginning of an empty last row."""
        return self.row == len(self.rows) - 1 and self.column == 0 and not self.rows[-1].text

    def begin(self, key: tuple[int, int]) -> None:
        """Carry out the line feed before a line (for the first one: open the screen)."""
        self.row += 1
        self.column = 0
        if self.row == len(self.rows):
            self.rows.append(Row(key))

    def write(self, text: str) -> None:
        """Carry out a line. One that is redrawn again and again, as progress bars are, is not drawn again and again."""
        text = _COLOURS.sub("", text)
        if _unusual(text):
            self._carry_out(text)
        else:
            # What is erased to the right of a text hides all that was drawn before it.
            first, *redrawn = text.split("\r")
            last = next(
                (index for index in range(len(redrawn) - 1, -1, -1) if _ERASE in redrawn[index]), None
            )
            if last is not None:
                redrawn = [drawn.replace(_ERASE, "") for drawn in redrawn[last:]]
                self.rows[self.row].text = ""
            else:
                self._carry_out(first)
            if redrawn:
                self._overlay(redrawn)
        for row in self.rows[self.row :]:
            row.text = row.text.rstrip(" ")

    def _overlay(self, drawn: list[str]) -> None:
        """Draw texts over each other and over the row, each from the first column on."""
        row = self.rows[self.row]
        shown = drawn[-1]
        longest = max(map(len, drawn))
        for text in reversed(drawn):
            if len(shown) == longest:
                break
            shown += text[len(shown) :]
        row.text = shown + row.text[longest:]
        self.column = len(drawn[-1])

    def _carry_out(self, text: str) -> None:
        place = 0
        for token in _TOKEN.finditer(text):
            if token.start() > place:
                self._put(text[place : token.start()])
            place = token.end()
            if token["plain"] == "\r":
                self.column = 0
            elif token["plain"]:
                self.column = max(0, self.column - 1)
            elif final := token["final"]:
                self._sequence(final, token["params"])
        if place < len(text):
            self._put(text[place:])

    def _put(self, text: str) -> None:
        row = self.rows[self.row]
        before = row.text
        end = self.column + len(text)
        if self.column == 0 and end >= len(before):
            row.text = text
        else:
            row.text = before[: self.column].ljust(self.column) + text + before[end:]
        self.column = end

    def _sequence(self, final: str, params: str) -> None:
        first = params.split(";", 1)[0]
        number = int(first) if first.isdigit() and len(first) < 10 else None
        count = max(1, number or 1)
        match final:
            case "A" | "F":
                self.row = max(0, self.row - count)
            case "B" | "E":
                self.row = min(len(self.rows) - 1, self.row + count)
            case "C":
                self.column = max(self.column, min(WIDTH, self.column + count))
            case "D":
                self.column = max(0, self.column - count)
            case "G":
                self.column = min(WIDTH, count - 1)
            case "K":
                self._erase(number or 0)
            case "J" if not number:
                self._erase(0)
                for row in self.rows[self.row + 1 :]:
                    row.text = ""
        if final in "EF":
            self.column = 0

    def _erase(self, part: int) -> None:
        row = self.rows[self.row]
        if part == 0:
            row.text = row.text[: self.column]
        elif part == 1:
            row.text = " " * min(self.column + 1, len(row.text)) + row.text[self.column + 1 :]
        elif part == 2:
            row.text = ""


def _unusual(text: str) -> bool:
    """Whether a line holds anything but text, carriage returns, and erasing to the right."""
    rest = text.replace("\r", "").replace(_ERASE, "")
    # The regular expression is thorough and slow; most lines need no such look.
    return not rest.isprintable() and _UNUSUAL.search(rest) is not None
