"""A database that can do what MongoDB can on any deployment: change one document at a time, if it still is as expected.

Documents are immutable, so what was read stays as it was read. An actor is a generator that yields one operation at a time;
the scheduler carries it out, sooner or later or never (`tests.store.model.world`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Steps = Generator[Callable[[], Any], Any, T]

SHARED = "run shared"
"""The run that every tree would like to have."""


Place = tuple[str, object, int]
"""The stream, its life, and the row that a piece begins at."""


class Lost(Exception):
    """The answer to an operation did not come; it may have been carried out, or may yet be."""


class Conflict(Exception):
    """A precondition failed."""


class Violation(AssertionError):
    """An invariant does not hold."""


class Entry(NamedTuple):
    """What a head's pending change does; see `protocol.finish`."""

    kind: str
    token: object
    turn: int = 0
    row: int = -1
    batch: Any = None
    pieces: tuple[tuple[Place, Piece], ...] = ()
    records: tuple[tuple[str, Record], ...] = ()
    hints: tuple[str, ...] = ()
    stream: str = ""
    life: object = None
    parts: tuple[tuple[int, int], ...] = ()
    merged: tuple[Any, ...] = ()
    floor: int = 0
    whole: bool = False


class Head(NamedTuple):
    """The one document that decides about a tree. `turn` grows with every change, `n` with every journal entry; those before
    `floor` are gone."""

    n: int = 0
    applied: int = 0
    turn: int = 0
    floor: int = 0
    entry: Entry | None = None


class Record(NamedTuple):
    """A run, a metric's summary, a writer's position or a stream; `turn` is that of the change that wrote it.

    A `reserved` one is invisible. It waits for a record to be made, and `turn` is that of the head its writer saw; or it is what a
    purge left, at its turn. Reserved ones are deleted when they are older than any process may be paused, so not in here.
    """

    root: str
    turn: int
    value: Any = None
    reserved: bool = False


class StreamValue(NamedTuple):
    """Rows of a stream end at `end`; its pieces are those of `life`, which no other stream of that name ever had."""

    end: int
    life: object


class Piece(NamedTuple):
    """Rows of a stream up to `end`, under the key (stream, life, start)."""

    root: str
    turn: int
    end: int
    rows: tuple[Any, ...]


class Feed(NamedTuple):
    """The hints of the workspace: `n` of them so far, the last of which are in `tail` as (run, stamp)."""

    n: int = 0
    tail: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Database:
    """All collections."""

    heads: dict[str, Head] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    pieces: dict[Place, Piece] = field(default_factory=dict)
    hints: dict[str, tuple[int, int]] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)


def insert(collection: dict[Any, T], key: object, document: T) -> bool:
    """False when there is a document of that key."""
    if key in collection:
        return False
    collection[key] = document
    return True


def swap(collection: dict[Any, T], key: object, expected: Callable[[T], bool], new: Callable[[T], T]) -> bool:
    """Replace a document that is as expected. False when there is none."""
    found = collection.get(key)
    if found is None or not expected(found):
        return False
    collection[key] = new(found)
    return True


def delete(collection: dict[Any, T], key: object, expected: Callable[[T], bool]) -> bool:
    """Delete a document that is as expected. False when there is none."""
    found = collection.get(key)
    if found is None or not expected(found):
        return False
    del collection[key]
    return True
