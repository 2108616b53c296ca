"""The colours and styles that programs write into their output (ECMA-48, Select Graphic Rendition: `ESC [ … m`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

SGR = re.compile(r"\x1b\[([0-9;:]*)m")

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_COLOURS = (*_NAMES, *(f"bright_{name}" for name in _NAMES))


@dataclass(frozen=True, slots=True)
class Style:
    """How characters look. A colour is one of the terminal's sixteen by name (`red`, `bright_red`), whose look is the reader's
    choice, or `#rrggbb`; None is the terminal's own."""

    foreground: str | None = None
    background: str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    inverse: bool = False
    strike: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `[start, end)` of a text, counted in code points, that have a style other than the plain one."""

    start: int
    end: int
    style: Style


PLAIN = Style()


@lru_cache(maxsize=4096)
def styled(style: Style, parameters: str) -> Style:
    """The style after a sequence with these parameters (`1;31`); what is not known changes nothing."""
    numbers = _numbers(parameters)
    while numbers:
        number = numbers.pop(0)
        match number:
            case 0:
                style = PLAIN
            case 1:
                style = replace(style, bold=True)
            case 2:
                style = replace(style, dim=True)
            case 22:
                style = replace(style, bold=False, dim=False)
            case 3 | 23:
                style = replace(style, italic=number == 3)
            case 4 | 21 | 24:
                style = replace(style, underline=number != 24)
            case 7 | 27:
                style = replace(style, inverse=number == 7)
            case 9 | 29:
                style = replace(style, strike=number == 9)
            case 38 | 48:
                colour = _extended(numbers)
                if colour is not None and number == 38:
                    style = replace(style, foreground=colour)
                elif colour is not None:
                    style = replace(style, background=colour)
            case 39:
                style = replace(style, foreground=None)
            case 49:
                style = replace(style, background=None)
            case _ if 30 <= number <= 37 or 90 <= number <= 97:
                style = replace(style, foreground=_COLOURS[number - 30 if number < 40 else number - 82])
            case _ if 40 <= number <= 47 or 100 <= number <= 107:
                style = replace(style, background=_COLOURS[number - 40 if number < 50 else number - 92])
    return style


def _numbers(parameters: str) -> list[int]:
    # `38:2::255:0:0` has an empty place for a colour space; `4:3` is a kind of underline.
    found = []
    for part in parameters.split(";"):
        first, *rest = part.split(":")
        if first in ("38", "48"):
            rest = [text for index, text in enumerate(rest) if text or index != 1]
        else:
            rest = []
        found += [int(text[:4]) if text else 0 for text in (first, *rest)]
    return found


def _extended(numbers: list[int]) -> str | None:
    """The colour that follows 38 or 48, taken off the numbers."""
    kind = numbers.pop(0) if numbers else None
    if kind == 5 and numbers:
        return _indexed(numbers.pop(0))
    if kind == 2 and len(numbers) >= 3:
        parts = [min(number, 255) for number in numbers[:3]]
        del numbers[:3]
        return "#{:02x}{:02x}{:02x}".format(*parts)
    # Cut off: what is left are parts of a colour.
    numbers.clear()
    return None


def _indexed(number: int) -> str | None:
    """A colour of xterm's 256: sixteen by name, a cube of six levels each, and greys."""
    if number < 16:
        return _COLOURS[number]
    if number < 232:
        levels = [(number - 16) // divisor % 6 for divisor in (36, 6, 1)]
        return "#{:02x}{:02x}{:02x}".format(*(55 + 40 * level if level else 0 for level in levels))
    if number < 256:
        grey = 8 + 10 * (number - 232)
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    return None
