"""A progress bar in tqdm's format, redrawn in place with carriage returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 10
"""Cells of the bar: what tqdm draws when it does not know the width of the terminal, as in a log file."""

REDRAW_SECONDS = 0.1
"""Least time between two redraws, tqdm's ``mininterval``."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def clock_text(seconds: float) -> str:
    """``MM:SS``, or ``H:MM:SS`` from one hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def render(done: int, total: int, seconds: float, desc: str, postfix: str = "") -> str:
    """The bar after DONE of TOTAL (at least 1) steps in SECONDS, without carriage return or newline."""
    eighths = WIDTH * 8 * done // total
    cells = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths < WIDTH * 8 else "")
    rate = done / seconds if seconds > 0 else 0.0
    if not rate:
        left, speed = "?", "?it/s"
    else:
        left = clock_text((total - done) / rate)
        speed = f"{rate:5.2f}it/s" if rate >= 1 else f"{1 / rate:5.2f}s/it"
    tail = f", {postfix}" if postfix else ""
    percent = f"{100 * done / total:3.0f}%"
    return f"{desc}: {percent}|{cells:<{WIDTH}}| {done}/{total} [{clock_text(seconds)}<{left}, {speed}{tail}]"


class Bar:
    """A context in which the bar is drawn to STREAM, at most every REDRAW_SECONDS but for its two ends."""

    def __init__(
        self, total: int, desc: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._desc, self._stream, self._clock = total, desc, stream, clock
        self._start = self._drawn = clock()
        self._done, self._postfix, self._length = 0, "", 0
        self._draw()

    def update(self, postfix: str = "") -> None:
        """One step more, POSTFIX (like ``loss=0.31``) behind the rate."""
        self._done, self._postfix = self._done + 1, postfix
        if self._clock() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        """Draw the last state and end the line."""
        self._draw()
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        self._drawn = self._clock()
        text = render(self._done, self._total, self._drawn - self._start, self._desc, self._postfix)
        # Spaces wipe what a longer redraw left on the line.
        self._stream.write("\r" + text.ljust(self._length))
        self._stream.flush()
        self._length = len(text)
