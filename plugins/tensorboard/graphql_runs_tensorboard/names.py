"""What names of files and folders say."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_NAME = re.compile(r".*tfevents\.(\d+).*", re.DOTALL)
_PARTS = frozenset(
    {"train", "training", "validation", "valid", "val", "eval", "evaluation", "test", "testing", "predict"}
)
"""Folders that hold one side of a run's curves; their name goes before the names of the metrics."""


def is_event_file(name: str) -> bool:
    """The name is that of an event file."""
    return _NAME.fullmatch(name) is not None


def begun(name: str) -> tuple[int, str]:
    """The order of event files: they are named by the second in which they were begun."""
    found = _NAME.fullmatch(name)
    return int(found[1][:18]) if found else 0, name


def home(folder: PurePosixPath) -> PurePosixPath:
    """The folder of the run that event files in a folder belong to."""
    return folder.parent if folder.name.lower() in _PARTS and folder.parent.name else folder
