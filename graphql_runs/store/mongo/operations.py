"""What the adapter says to the driver, and hears from it, in words that know no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Query = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a document in the place of the one that the query finds; make it if there is none and `make` is set."""

    query: Query
    document: Document
    make: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Change the document that the query finds by update operators; make it if there is none and `make` is set."""

    query: Query
    change: Query
    make: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete the document that the query finds."""

    query: Query


@dataclass(frozen=True, slots=True)
class Clear:
    """Delete all documents that the query finds."""

    query: Query


Write = Replace | Change | Drop | Clear


@dataclass(frozen=True, slots=True)
class Index:
    """An index: fields with 1 or -1 in order; `only` restricts it to documents that match."""

    name: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    sparse: bool = False
    only: Query | None = None
