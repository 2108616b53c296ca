"""Getting past records that cannot be read.

A page with a damaged record cannot be read at all, and such a record cannot say its id. But reading the one record after some
text fails exactly as long as that text is below the damaged id, so the id is found letter by letter.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from graphql_runs.maintain.walk import PAGE
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.read.records import KINDS
from graphql_runs.store.port import R, Store

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Of the hashes in server ids (`model.ids`), in their order."""
_HASH = 26
_TWO_HASHES = ("metric", "log", "artifact")


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that cannot be read; the last one where several follow each other."""

    id: str
    problem: str


async def scan_readable(store: Store, kind: type[R]) -> AsyncGenerator[list[R] | Unread]:
    """All records of a kind in pages, and what cannot be read in between.

    Raises StoreUnavailable when the store as a whole cannot answer.
    """
    after: str | None = None
    first = PAGE
    while True:
        try:
            page = await store.scan(kind, after=after, first=first)
        except StoreUnavailable as error:
            # What the store says of one damaged page it also says when it is not there at all.
            await store.check()
            if first > 1:
                first = 1
                continue
            found = await _damaged(store, kind, after or "")
            if found <= (after or ""):
                raise
            yield Unread(found, error.message)
            after, first = found, PAGE
            continue
        if not page:
            return
        yield page
        after = page[-1].id


async def _damaged(store: Store, kind: type[R], after: str) -> str:
    """The id of the record after `after`, which cannot be read."""
    prefix = next(prefix for prefix, known in KINDS.items() if known is kind)
    id = f"{prefix}_"
    shape = [_HASH, _HASH] if prefix in _TWO_HASHES else [_HASH]
    for hashes_left, letters in zip(reversed(range(len(shape))), shape, strict=True):
        for letters_left in reversed(range(letters)):
            last = not hashes_left and not letters_left
            id += await _letter(store, kind, id, after, last=last)
        if hashes_left:
            id += "_"
    return id


async def _letter(store: Store, kind: type[R], id: str, after: str, *, last: bool) -> str:
    low, high = 0, len(_LETTERS) - 1
    while low < high:
        middle = (low + high) // 2 if last else (low + high + 1) // 2
        text = id + _LETTERS[middle]
        below = text <= after or await _fails(store, kind, text)
        # The greatest letter with which the text is still below the id; at the end the first with which it is not any more.
        if last:
            low, high = (middle + 1, high) if below else (low, middle)
        else:
            low, high = (middle, high) if below else (low, middle - 1)
    return _LETTERS[low]


async def _fails(store: Store, kind: type[R], after: str) -> bool:
    try:
        await store.scan(kind, after=after, first=1)
    except StoreUnavailable:
        await store.check()
        return True
    return False
