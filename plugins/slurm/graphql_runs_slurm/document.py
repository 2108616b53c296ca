"""JSON that a command of Slurm printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping


def load(said: bytes) -> object:
    """The JSON in what a command printed; lines before it, which `--clusters` brings, are passed over. NaN and Infinity are taken.

    Raises ValueError when there is none, when it is cut, or nested too deeply.
    """
    begin = said.find(b"{")
    if begin < 0:
        raise ValueError("no JSON")
    try:
        return json.loads(said[begin:].decode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error


def jobs(document: object) -> Iterator[Mapping[str, object]]:
    """What a document lists as jobs. What is no job is passed over."""
    listed = document.get("jobs") if isinstance(document, Mapping) else None
    for given in listed if isinstance(listed, list) else ():
        if isinstance(given, Mapping):
            yield given
