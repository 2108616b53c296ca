"""JSON that a command of Slurm printed."""

from __future__ import annotations

import json


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
