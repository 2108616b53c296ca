"""The mark of a copy: in every tree of the target, what it is a copy of and how far it has come.

It is the position of a writer of its own, with a JSON note. Its `sequence` is the journal's row of the copy's last commit, so
that what others wrote to the target afterwards is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from graphql_runs.model.errors import RunsError
from graphql_runs.store.port import Position, Store

WRITER = "graphql-runs store copy"


@dataclass(frozen=True, slots=True)
class Mark:
    """A tree is a copy from the store of the epoch `source`.

    n:   all up to this row of the source's journal is there; None while that is not so yet.
    row: the last row of the copy's own journal that is of the copy; the purge that it stands for may be yet to come.
    """

    source: str
    n: int | None
    row: int

    def position(self) -> Position:
        """What the target keeps."""
        return Position(WRITER, self.row, b"", orjson.dumps({"source": self.source, "n": self.n}))


async def read_mark(store: Store, root: str) -> Mark | None:
    """The mark of a tree, None where it was not copied. Raises RunsError when it cannot be understood."""
    [found] = await store.positions(root, [WRITER])
    if found is None:
        return None
    try:
        note = orjson.loads(found.note or b"")
        return Mark(note["source"], note["n"], found.sequence)
    except (ValueError, TypeError, KeyError) as error:
        raise RunsError(f"the mark of the copy in tree {root} is damaged: {error}") from error
