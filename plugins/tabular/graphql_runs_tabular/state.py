"""The checkpoint of a table: how far it is read, and what has to be known to read on the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO

from graphql_runs.ingest.api import QUIET_SECONDS, Delivery, Limits, Skipped
from graphql_runs.ingest.files import Mark, quiet_for, size_of
from graphql_runs_tabular.batch import Batch
from graphql_runs_tabular.keys import Kinds, Names

TAKEN = "taken"
"""The last line was taken although it had no end yet."""
CUT = "cut"
"""The last line was reported as cut off."""
REWRITTEN = "the file was written anew; it is read again from its beginning"
CHANGED = "the file was cut or changed after this line; it is read on from here"
_MARKS = 12
_ALL_TAIL = 1024
"""Up to this offset a mark's tail holds everything before it."""


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
    marks:  earlier places as (offset, line, hash of what comes before), the closer to the end the denser.
    """

    offset: int = 0
    mark: Mark | None = None
    line: int = 0
    inside: bool = False
    last: str = ""
    status: str | None = None
    prefix: str | None = None
    kinds: Kinds = field(default_factory=Kinds)
    marks: list[tuple[int, int, str]] = field(default_factory=list)
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
                "marks": list(marks),
                "table": dict(table),
            } if status is None or isinstance(status, str):
                found = Mark.from_json(mark)
                return State(
                    found.offset,
                    found,
                    line,
                    inside,
                    last,
                    status,
                    prefix,
                    Kinds.from_json(kinds),
                    [(offset, at_line, tail) for offset, at_line, tail in marks],
                    dict(table),
                )
        raise ValueError(f"not a checkpoint of a table: {value!r}")

    def to_json(self, file: FileIO) -> dict[str, object]:
        """The checkpoint; `file` is the open file that was read."""
        mark = Mark.at(file, self.offset)
        if not self.inside and self.last != TAKEN and (not self.marks or self.marks[-1][0] < self.offset):
            self.marks.append((self.offset, self.line, mark.tail))
            thin(self.marks)
        return {
            "mark": mark.to_json(),
            "line": self.line,
            "inside": self.inside,
            "last": self.last,
            "status": self.status,
            "prefix": self.prefix,
            "kinds": self.kinds.to_json(),
            "marks": list(self.marks),
            "table": dict(self.table),
        }

    def anew(self) -> None:
        """Read from the beginning; names and their kinds stay."""
        self.offset, self.mark, self.line, self.inside, self.last = 0, None, 0, False, ""
        self.marks, self.table = [], {}

    def go_back(self, file: FileIO) -> bool:
        """Go back to the last place up to which the file is as it was read. False when there is none."""
        assert self.mark is not None
        size, same = size_of(file), self.mark.begins(file)
        while self.marks:
            offset, line, tail = self.marks[-1]
            if offset <= size and (same or offset <= _ALL_TAIL) and Mark.at(file, offset).tail == tail:
                self.offset, self.line, self.inside, self.last = offset, line, False, ""
                return True
            self.marks.pop()
        return False


def thin(marks: list[tuple[int, int, str]] | list[tuple[int, int]]) -> None:
    """Keep some of the marks, the closer to the end the denser. Each begins with its place."""
    while len(marks) > _MARKS:
        end = marks[-1][0]
        gaps = {
            place: (marks[place + 1][0] - marks[place - 1][0]) / (1 + end - marks[place - 1][0])
            for place in range(1, len(marks) - 1)
        }
        del marks[min(gaps, key=lambda place: gaps[place])]


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: an open file, its path for messages, the run it belongs to, and how to read it."""

    file: FileIO
    path: str
    run_id: str
    names: Names
    limits: Limits
    final: bool = False
    """Nothing will follow what is there now."""

    def quiet(self) -> float:
        """Seconds since anybody wrote."""
        return math.inf if self.final else quiet_for(self.file)

    def batch(self, state: State) -> Batch:
        """An empty batch that carries on from the state."""
        return Batch(
            self.run_id, self.path, state.prefix or "", state.kinds, self.names, state.status, self.limits
        )

    def delivery(self, state: State, batch: Batch, remarks: Sequence[Skipped]) -> Delivery:
        """What the batch holds, with the state as it is now."""
        operations = batch.operations()
        state.status = batch.status
        return Delivery(state.to_json(self.file), operations, skipped=[*remarks, *batch.skipped])


def being_written(file: FileIO, state: State) -> bool:
    """Whether the file is shorter than what was read of it and may be in the middle of being written anew: programs that
    rewrite a file cut it first, so for a moment it looks truncated."""
    assert state.mark is not None
    return (
        size_of(file) < state.offset
        and state.mark.begins(file) is not False
        and quiet_for(file) < QUIET_SECONDS
    )
