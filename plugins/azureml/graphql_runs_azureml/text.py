"""Texts from outside: valid Unicode, within bounds, and without the secrets that signed URLs carry."""

from __future__ import annotations

import json
import re

from graphql_runs.model import ids

NAME_BYTES = 1024
"""Names of tags, metrics, columns; run ids. The server's own default limit, so that what is let through is taken."""
VALUE_BYTES = 65_536
"""Values and messages."""
PATH_BYTES = 4096

# The SDK writes shared-access URLs (`…?sv=…&sig=…`) into `logFiles`, and messages repeat them. Whoever has the query has
# the storage. The lengths are bounded so that a hostile text costs no more than a look at each of its letters.
_SIGNED = re.compile(
    r"(https?://[^\s\"'<>?]{1,2048})\?(?=[^\s\"'<>]{0,4096}?sig(?:=|%3d))[^\s\"'<>]*", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = 40


def clean(text: str) -> str:
    """The text as valid Unicode (lone surrogates become `?`), signed URLs without their query."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return _SIGNED.sub(r"\1", text) if "?" in text else text


def size(text: str) -> int:
    """Bytes of a clean text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def cut(text: str, limit: int = VALUE_BYTES) -> str:
    """The beginning of a clean text that fits into `limit` bytes, ending in `…` where something was left out."""
    if size(text) <= limit:
        return text
    return text.encode("utf-8")[: limit - 3].decode("utf-8", "ignore") + "…"


def shown(text: str) -> str:
    """A short, printable form for messages."""
    text = clean(text)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def name_problem(text: str) -> str | None:
    """Why a clean text cannot be a name (of a tag, a metric, a run), None when it can."""
    if not text.strip():
        return "is empty"
    if size(text) > NAME_BYTES:
        return f"is {size(text)} bytes long, the limit is {NAME_BYTES}"
    if _CONTROL.search(text):
        return "holds a control character"
    return None


def run_id_problem(text: str) -> str | None:
    """Why a clean text cannot be a run id, None when it can."""
    if ids.kind_of(text) is not None:
        return "has the shape of a server id"
    return name_problem(text)


def as_text(value: object) -> str:
    """The text of a JSON value: texts as they are, everything else as JSON. Raises ValueError when it nests too deeply."""
    if isinstance(value, str):
        return clean(value)
    try:
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
