"""The checkpoint of a table: how far it is read, and what has to be known to read on the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import FileIO

from graphql_runs.ingest.api import QUIET_SECONDS
from graphql_runs.ingest.files import Mark, quiet_for, size_of
from graphql_runs_tabular.batch import Kinds

TAKEN = "taken"
"""The last line was taken although it had no end yet."""
CUT = "cut"
"""The last line was reported as cut off."""


@dataclass(slots=True)
class State:
    """Where a file stands.

    offset: bytes read.
    mark:   by which the place is known again; None before anything was read.
    line:   whole lines read.
    inside: the place lies within a line that is passed over for its length.
    last:   what was done about a last line without an end: nothing, TAKEN or CUT.
    status: the last word of the key `status`.
    prefix: before all metric names of the file; None until it is decided.
    """

    offset: int = 0
    mark: Mark | None = None
    line: int = 0
    inside: bool = False
    last: str = ""
    status: str | None = None
    prefix: str | None = None
    kinds: Kinds = field(default_factory=Kinds)
    table: dict[str, object] = field(default_factory=dict)
    """What a CSV file needs besides."""

    @staticmethod
    def from_json(value: Mapping[str, object] | None) -> State:
        """From a checkpoint."""
        match value:
            case None:
                return State()
            case {
                "mark": dict(mark),
                "line": int(line),
                "inside": bool(inside),
                "last": str(last),
                "status": status,
                "prefix": str(prefix),
                "kinds": kinds,
                "table": dict(table),
            } if status is None or isinstance(status, str):
                found = Mark.from_json(mark)
                return State(found.offset, found, line, inside, last, status, prefix, Kinds.from_json(kinds), dict(table))
        raise ValueError(f"not a checkpoint of a table: {value!r}")

    def to_json(self, file: FileIO) -> dict[str, object]:
        """The checkpoint; `file` is the open file that was read."""
        return {
            "mark": Mark.at(file, self.offset).to_json(),
            "line": self.line,
            "inside": self.inside,
            "last": self.last,
            "status": self.status,
            "prefix": self.prefix,
            "kinds": self.kinds.to_json(),
            "table": dict(self.table),
        }

    def anew(self) -> None:
        """Read from the beginning; names and their kinds stay."""
        self.offset, self.mark, self.line, self.inside, self.last = 0, None, 0, False, ""
        self.table = {}


def being_written(file: FileIO, state: State) -> bool:
    """Whether the file is shorter than what was read of it and may be in the middle of being written anew: programs that
    rewrite a file cut it first, so for a moment it looks truncated."""
    assert state.mark is not None
    return size_of(file) < state.offset and state.mark.begins(file) is not False and quiet_for(file) < QUIET_SECONDS
