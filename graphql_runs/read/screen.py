"""The cells of a terminal's screen: one row, whose characters may be one or two columns wide."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from graphql_runs.read.ansi import PLAIN, Span, Style

TAB = 8


@lru_cache(maxsize=8192)
def width(letter: str) -> int:
    """Columns of a character: 2 for wide ones of East Asia and emoji, 0 for marks that join the one before."""
    if letter.isascii():
        return 1
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def narrow(text: str) -> bool:
    """True when every character takes exactly one column, and none is a tab."""
    return (text.isascii() or all(width(letter) == 1 for letter in set(text))) and "\t" not in text


class Cells:
    """A row that is written on in any place. The second column of a wide character is an empty cell."""

    __slots__ = ("letters", "looks")

    def __init__(self, text: str, spans: tuple[Span, ...], styled: bool) -> None:
        self.letters: list[str] = []
        self.looks: list[Style] | None = [] if styled else None
        place = column = 0
        for span in spans:
            column = self.write(column, text[place : span.start], PLAIN)
            column = self.write(column, text[span.start : span.end], span.style)
            place = span.end
        self.write(column, text[place:], PLAIN)

    def write(self, column: int, text: str, style: Style) -> int:
        """Put a text over what is there from a column on; gives the column after it."""
        if narrow(text):
            self._put(column, list(text), style)
            return column + len(text)
        for letter in text:
            if letter == "\t":
                column = (column // TAB + 1) * TAB
                self._reach(column)
            elif (columns := width(letter)) == 0:
                if 0 < column <= len(self.letters):
                    self._join(column - 1, letter)
            else:
                self._put(column, [letter] if columns == 1 else [letter, ""], style)
                column += columns
        return column

    def erase(self, start: int, end: int) -> None:
        """Blank the columns `[start, end)` as far as the row reaches."""
        end = min(end, len(self.letters))
        if start < end:
            self._put(start, [" "] * (end - start), PLAIN)

    def cut(self, column: int) -> None:
        """Take away everything from a column on."""
        if column < len(self.letters):
            self._halve(column)
            del self.letters[column:]
            if self.looks is not None:
                del self.looks[column:]

    def text(self) -> str:
        """What the row shows, without blanks at its end."""
        return "".join(self.letters).rstrip(" ")

    def spans(self) -> tuple[Span, ...]:
        """The styles of `text()`."""
        if self.looks is None:
            return ()
        length = len(self.text())
        found: list[Span] = []
        place = 0
        for letter, style in zip(self.letters, self.looks, strict=True):
            end = min(place + len(letter), length)
            if place < end and style != PLAIN:
                if found and found[-1].end == place and found[-1].style == style:
                    found[-1] = Span(found[-1].start, end, style)
                else:
                    found.append(Span(place, end, style))
            place = end
        return tuple(found)

    def _put(self, column: int, letters: list[str], style: Style) -> None:
        self._reach(column)
        end = column + len(letters)
        self._halve(column)
        self._halve(end)
        self.letters[column:end] = letters
        if self.looks is not None:
            self.looks[column:end] = [style] * len(letters)

    def _reach(self, column: int) -> None:
        missing = column - len(self.letters)
        if missing > 0:
            self.letters += [" "] * missing
            if self.looks is not None:
                self.looks += [PLAIN] * missing

    def _join(self, column: int, mark: str) -> None:
        if not self.letters[column] and column:
            column -= 1
        # A letter with more marks than any language has is somebody's joke.
        if len(self.letters[column]) < 16:
            self.letters[column] += mark

    def _halve(self, column: int) -> None:
        """A wide character of which one half goes leaves a blank in place of the other."""
        if 0 < column < len(self.letters) and not self.letters[column]:
            self.letters[column - 1 : column + 1] = [" ", " "]
