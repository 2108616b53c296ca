"""Cutting bytes of a log into text without tearing characters."""

from __future__ import annotations


def torn(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character that is not complete: 0 to 3."""
    for back in range(1, min(len(data), 3) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 == 0b1000_0000:
            continue
        wanted = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4 if byte & 0xF8 == 0xF0 else 1
        return back if wanted > back else 0
    return 0


def between(data: bytes, lead: int) -> tuple[int, bytes]:
    """Which bytes a delta gives. `data` begins `lead` (0 to 3) bytes before the delta's own range.

    Gives how many bytes before the range the delta begins, since an earlier one held them back, and its bytes. Those of an
    incomplete character at the end wait for the next delta; where none comes, only the raw file has them.
    """
    held = torn(data[:lead])
    data = data[lead - held :]
    return held, data[: len(data) - torn(data)]
