"""What the name and the first bytes of a file say: is it a log, of which stream and rank, and rotated from what."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from graphql_runs.model.records import LogStream

_BASE = r".+\.(?:log|out|err|txt|[oe]\d+)|std(?:out|err)"
_LOG = re.compile(_BASE, re.IGNORECASE)
# logrotate and Python's logging.handlers: NAME.1, NAME-20240131, NAME.2024-01-31, NAME.2024-01-31_12-00-00
_ROTATED = re.compile(
    rf"(?P<base>{_BASE})[.-](?P<mark>\d{{1,3}}|\d{{8}}(?:-?\d{{2,6}})?|\d{{4}}-\d\d-\d\d(?:[_T-]\d\d(?:-?\d\d){{0,2}})?)",
    re.IGNORECASE,
)
# Text files that lie beside jobs and are no logs.
_OTHER_TEXT = re.compile(
    r"(?:requirements|constraints|requires|packages|environment|pip[-_]?freeze|licen[sc]e|notice|copying|authors|readme"
    r"|changelog|cmakelists|manifest|robots|vocab|merges|labels|classes|top_level|entry_points|sources|dependency_links)"
    r"(?:[-_.].*)?\.txt",
    re.IGNORECASE,
)
_RANK = re.compile(
    r"(?:^|[^a-z0-9])(?:rank|worker|node|process|proc|gpu)[-_.]?(\d{1,6})(?![0-9])", re.IGNORECASE
)
_NUMBERED = re.compile(r".*_(\d{1,3})\.(?:log|out|err|txt)", re.IGNORECASE)

# Beginnings of formats that carry a log's ending by accident: ELF (a.out), archives, HDF5, NumPy, SQLite, images, PDF.
_BINARY = (
    b"\x7fELF", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x89HDF", b"\x93NUMPY", b"SQLite format 3",
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF",
)  # fmt: skip
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_MOST_CONTROL = 0.1


def base_of(path: PurePosixPath) -> PurePosixPath | None:
    """The log that a file is, or was rotated from; None when its name is not that of a log."""
    name = path.name
    if rotated := _ROTATED.fullmatch(name):
        name = rotated["base"]
    elif not _LOG.fullmatch(name):
        return None
    return None if _OTHER_TEXT.fullmatch(name) else path.with_name(name)


def age(path: PurePosixPath) -> tuple[int, int, str]:
    """A key that sorts a log after all that were rotated from it, the oldest first."""
    rotated = _ROTATED.fullmatch(path.name)
    if rotated is None:
        return (2, 0, "")
    mark = rotated["mark"]
    return (1, -int(mark), "") if len(mark) <= 3 else (0, 0, mark)


def stream_of(path: PurePosixPath) -> LogStream | None:
    """STDOUT or STDERR where the name says so."""
    name = path.name.lower()
    if "stderr" in name or re.search(r"\.(err|e\d+)$", name):
        return LogStream.STDERR
    if "stdout" in name or re.search(r"\.(out|o\d+)$", name):
        return LogStream.STDOUT
    return None


def rank_of(path: PurePosixPath) -> int | None:
    """The rank that a path inside a run names (`rank_3`, `worker-3`, `train_3.log`, `attempt_0/3/stdout.log`)."""
    for part in reversed(path.parts):
        if found := _RANK.search(part):
            return int(found[1])
    if found := _NUMBERED.fullmatch(path.name):
        return int(found[1])
    folder = path.parent
    if folder.name.isdigit() and folder.parent.name.startswith("attempt_"):
        return int(folder.name)
    return None


def is_log(head: bytes) -> bool:
    """Whether a file with a log's ending may be one: anything but a known binary format. Junk in a log does not matter."""
    return not head.startswith(_BINARY)


def is_text(head: bytes) -> bool:
    """Whether a file is text: at most a tenth of control characters, in UTF-8 or any one-byte encoding."""
    return is_log(head) and len(head) - len(head.translate(None, _CONTROL)) <= _MOST_CONTROL * len(head)
