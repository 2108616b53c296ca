"""Log lines that are JSON objects."""

from __future__ import annotations

import orjson

_LONGEST = 16_384
"""Characters of a line that is parsed; longer ones are taken as plain text."""


def parsed(text: str) -> dict[str, object] | None:
    """The fields of a line that is a JSON object, else None."""
    if not text.startswith("{") or len(text) > _LONGEST:
        return None
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
