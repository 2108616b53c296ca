"""What a terminal shows of a log: carriage returns, backspaces, erasures and cursor moves carried out, colours as spans.

Control sequences are those of ECMA-48 (`ESC [ … letter`). Wide characters take two columns; a tab goes to the next multiple of
eight once its line is drawn over, and else stays a tab. The cursor climbs no higher than the first line it is given, so a
caller decides how far moves reach; it never leaves the last line downwards but by a line feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from graphql_runs.read.ansi import PLAIN, SGR, Span, Style, styled
from graphql_runs.read.screen import Cells, narrow

WIDTH = 4096
"""The cursor is not moved further right than this by a sequence; text may be longer."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Any character that makes a line look different from what was written, line feeds and tabs apart."""

_TOKEN = re.compile(
    r"\x1b\[(?P<params>[0-?]*)[ -/]*(?P<final>[@-~])"  # a control sequence
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # an operating system command, such as a window title
    r"|\x1b(?P<escape>[78DEM])"  # save and restore the cursor, or move a line
    r"|\x1b[ -/]*[0-~]?"  # any other escape sequence
    r"|(?P<plain>[\r\x08])"
    r"|[\x00-\x07\x0b-\x1f\x7f]"
)
_ERASE = "\x1b[K"
_UNUSUAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Anything but text and carriage returns."""


@dataclass(slots=True)
class Row:
    """A line on the screen. `key` is whatever the line that began it was given with; `spans` are in order and apart."""

    key: tuple[int, int]
    text: str = ""
    spans: tuple[Span, ...] = ()


def render(lines: Iterable[tuple[tuple[int, int], str]], *, spans: bool = False) -> list[Row]:
    """The rows that consecutive lines leave on the screen, each under the key of the line that began it.

    A line is given without its line feed. One whose text lands on an earlier row begins no row of its own. Spans are found
    only when asked for; the texts are the same either way.
    """
    screen = _Screen(spans)
    for key, text in lines:
        screen.begin(key)
        screen.write(text.removesuffix("\r"))
    return screen.finished()


class _Screen:
    def __init__(self, spans: bool) -> None:
        self._rows: list[Row] = []
        self._cells: dict[int, Cells] = {}
        """Rows that were drawn over; their text is in here until the end."""
        self._spans = spans
        self._style = PLAIN
        self._row = -1
        self._column = 0
        self._saved = (0, 0)

    def begin(self, key: tuple[int, int]) -> None:
        """Carry out the line feed before a line (for the first one: open the screen)."""
        self._row += 1
        self._column = 0
        if self._row == len(self._rows):
            self._rows.append(Row(key))

    def finished(self) -> list[Row]:
        """All rows as they are left."""
        for index, cells in self._cells.items():
            row = self._rows[index]
            row.text, row.spans = cells.text(), cells.spans()
        return self._rows

    def write(self, text: str) -> None:
        """Carry out a line. One that is redrawn again and again, as progress bars are, is not drawn again and again."""
        if self._fresh() and self._plain(text):
            return
        # A style changes nothing of where a text goes.
        bare = text if self._spans else SGR.sub("", text)
        if self._spans or _unusual(bare) or not narrow(bare):
            self._carry_out(bare)
        else:
            self._redraw(bare)

    def _fresh(self) -> bool:
        """The cursor stands at the beginning of an empty last row."""
        last = len(self._rows) - 1
        return (
            self._row == last and self._column == 0 and not self._rows[last].text and last not in self._cells
        )

    def _plain(self, text: str) -> bool:
        """Show a line that is only text and styles as it is; False when it is not."""
        row = self._rows[-1]
        if not CONTROL.search(text):
            row.text = text
            if self._spans and self._style != PLAIN and text:
                row.spans = (Span(0, len(text), self._style),)
            return True
        parts = SGR.split(text)
        if any(CONTROL.search(part) for part in parts[::2]):
            return False
        row.text = "".join(parts[::2]).rstrip(" ")
        if self._spans:
            self._read_styles(row, parts)
        return True

    def _read_styles(self, row: Row, parts: list[str]) -> None:
        found: list[Span] = []
        place = 0
        for index, part in enumerate(parts):
            if index % 2:
                self._style = styled(self._style, part)
                continue
            end = min(place + len(part), len(row.text))
            if place < end and self._style != PLAIN:
                if found and found[-1].end == place and found[-1].style == self._style:
                    found[-1] = Span(found[-1].start, end, self._style)
                else:
                    found.append(Span(place, end, self._style))
            place = end
        row.spans = tuple(found)

    def _redraw(self, text: str) -> None:
        # What is erased to the right of a text hides all that was drawn before it.
        first, *redrawn = text.split("\r")
        last = next((index for index in range(len(redrawn) - 1, -1, -1) if _ERASE in redrawn[index]), None)
        if last is not None:
            redrawn = [drawn.replace(_ERASE, "") for drawn in redrawn[last:]]
            self._open().cut(0)
        else:
            self._carry_out(first)
        if redrawn:
            self._overlay(redrawn)

    def _overlay(self, drawn: list[str]) -> None:
        """Draw texts over each other and over the row, each from the first column on."""
        shown = drawn[-1]
        longest = max(map(len, drawn))
        for text in reversed(drawn):
            if len(shown) == longest:
                break
            shown += text[len(shown) :]
        self._open().write(0, shown, PLAIN)
        self._column = len(drawn[-1])

    def _carry_out(self, text: str) -> None:
        place = 0
        for token in _TOKEN.finditer(text):
            if token.start() > place:
                self._put(text[place : token.start()])
            place = token.end()
            if token["plain"] == "\r":
                self._column = 0
            elif token["plain"]:
                self._column = max(0, self._column - 1)
            elif final := token["final"]:
                self._sequence(final, token["params"])
            elif token["escape"]:
                self._escape(token["escape"])
        if place < len(text):
            self._put(text[place:])

    def _put(self, text: str) -> None:
        self._column = self._open().write(self._column, text, self._style)

    def _open(self) -> Cells:
        """The cells of the row with the cursor."""
        cells = self._cells.get(self._row)
        if cells is None:
            row = self._rows[self._row]
            cells = self._cells[self._row] = Cells(row.text, row.spans, self._spans)
        return cells

    def _sequence(self, final: str, params: str) -> None:
        first = params.split(";", 1)[0]
        number = int(first) if first.isdigit() and len(first) < 10 else None
        count = max(1, number or 1)
        match final:
            case "m":
                if self._spans and SGR.fullmatch(f"\x1b[{params}m"):
                    self._style = styled(self._style, params)
            case "A" | "F":
                self._row = max(0, self._row - count)
            case "B" | "E":
                self._row = min(len(self._rows) - 1, self._row + count)
            case "C":
                self._column = max(self._column, min(WIDTH, self._column + count))
            case "D":
                self._column = max(0, self._column - count)
            case "G":
                self._column = min(WIDTH, count - 1)
            case "K":
                self._erase(number or 0)
            case "J" if not number:
                self._erase(0)
                for index in range(self._row + 1, len(self._rows)):
                    self._clear(index)
            case "s" | "u":
                self._escape("7" if final == "s" else "8")
        if final in "EF":
            self._column = 0

    def _escape(self, letter: str) -> None:
        match letter:
            case "7":
                self._saved = self._row, self._column
            case "8":
                self._row, self._column = min(self._saved[0], len(self._rows) - 1), self._saved[1]
            case "M":
                self._row = max(0, self._row - 1)
            case _:
                self._row = min(len(self._rows) - 1, self._row + 1)
                self._column = self._column if letter == "D" else 0

    def _erase(self, part: int) -> None:
        if part == 0:
            self._open().cut(self._column)
        elif part == 1:
            self._open().erase(0, self._column + 1)
        elif part == 2:
            self._clear(self._row)

    def _clear(self, index: int) -> None:
        self._cells.pop(index, None)
        self._rows[index].text, self._rows[index].spans = "", ()


def _unusual(text: str) -> bool:
    """Whether a line holds anything but text, carriage returns, and erasing to the right."""
    rest = text.replace("\r", "").replace(_ERASE, "")
    # The regular expression is thorough and slow; most lines need no such look.
    return not rest.isprintable() and _UNUSUAL.search(rest) is not None


__all__ = ["CONTROL", "WIDTH", "Row", "Span", "Style", "render"]
