"""The pending entry of a head: everything that applying it writes, with final rows and values."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from graphql_runs.model.change import Hint
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.store.mongo.layout import COLLECTIONS, item_key, position_key, tree_document
from graphql_runs.store.mongo.operations import Document
from graphql_runs.store.port import Append, Batch, Item, Purge, journal_of

LARGEST = 14 << 20
"""Bytes of an entry, about: a document of MongoDB's holds 16 MiB."""

_SMALL = 128 << 10
"""An appended item of fewer bytes waits to be merged."""
_OVERHEAD = 400
"""Bytes that a document takes beside its values, about."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream ends, since which turn, and which of its lives it is in (see `layout.item_key`)."""

    life: int
    end: int = 0
    since: int = 0


def batch_entry(batch: Batch, streams: dict[str, StreamState], turn: int, token: str) -> Document:
    """The entry of a batch that is the head's change to `turn`.

    streams: the state before the batch of those it appends to. Raises LimitExceeded when it is too large.
    """
    root = batch.root
    journal = _item(journal_of(root), 0, batch.entry, root, turn, waits=False) | {"token": token}
    items, states = [journal], []
    for append in batch.appends:
        item, state = append.item, streams[append.stream]
        waits = len(item.data) < _SMALL
        items.append(_item(append.stream, state.life, item, root, turn, waits=waits))
        # With where it ended before, for who reads at a turn before this one.
        ends = {"end": item.end, "since": turn, "end_before": state.end, "since_before": state.since}
        states.append({"_id": append.stream, "set": {"life": state.life, **ends}, "waits": int(waits)})
    puts: dict[str, list[Document]] = defaultdict(list)
    for record in (*batch.creates, *batch.replaces):
        puts[COLLECTIONS[type(record)]].append(tree_document(record, turn))
    for position in batch.positions:
        document = {
            "_id": position_key(root, position.writer),
            "root": root,
            "turn": turn,
            "writer": position.writer,
            "sequence": position.sequence,
            "digest": position.digest,
        }
        puts["position"].append(document if position.note is None else document | {"note": position.note})
    entry: Document = {
        "kind": "batch",
        "token": token,
        "items": items,
        "streams": states,
        "puts": dict(puts),
        "hints": _hints(batch.hints),
    }
    if (size := _size(items, puts)) > LARGEST:
        raise LimitExceeded(
            f"the batch has {size} bytes; MongoDB takes {LARGEST} at once, so send less in one call",
            field="operations",
        )
    return entry


def compaction_entry(
    stream: str, life: int, root: str, merged: Item, parts: Sequence[Item], waiting: int, turn: int
) -> Document:
    """The entry that puts one item in the place of several, of which `waiting` were waiting for it."""
    return {
        "kind": "compaction",
        "stream": stream,
        "life": life,
        "parts": [[part.start, part.end] for part in parts],
        "waiting": waiting,
        "item": _item(stream, life, merged, root, turn, waits=False),
    }


def purge_entry(purge: Purge, runs: Sequence[str], turn: int, token: str) -> Document:
    """The entry that takes these runs away. Raises LimitExceeded when it is too large."""
    if (size := sum(map(len, runs)) + _OVERHEAD + 20 * len(runs)) > LARGEST:
        raise LimitExceeded(f"a purge of {len(runs)} runs has {size} bytes; MongoDB takes {LARGEST} at once")
    journal = _item(journal_of(purge.root), 0, purge.entry, purge.root, turn, waits=False)
    return {
        "kind": "purge",
        "token": token,
        "runs": list(runs),
        "whole": purge.root in purge.runs,
        "item": journal | {"token": token},
        "hints": _hints(purge.hints),
    }


def trim_entry() -> Document:
    """The entry that forgets what is below the floor of the head."""
    return {"kind": "trim"}


def check_ranges(root: str, entry: Item, appends: Sequence[Append] = ()) -> None:
    """Raises InvalidInput for ranges that no item can have."""
    items = [(journal_of(root), entry), *((append.stream, append.item) for append in appends)]
    for stream, item in items:
        if not 0 <= item.start < item.end:
            raise InvalidInput(f"an item of {stream} has rows [{item.start}, {item.end})", field=stream)


def _hints(hints: Sequence[Hint]) -> list[list[str | int]]:
    return [[hint.workspace, hint.run, hint.root, hint.at] for hint in hints]


def proof_of(item: Item) -> tuple[int, int, int]:
    """The rows of an item and its checksum, by which it is known again."""
    return item.start, item.end, zlib.crc32(item.data)


def _item(stream: str, life: int, item: Item, root: str, turn: int, *, waits: bool) -> Document:
    return {
        "_id": item_key(stream, life, item.start),
        "root": root,
        "turn": turn,
        "start": item.start,
        "end": item.end,
        "mark": item.mark,
        "waits": waits,
        "size": len(item.data),
        "sum": zlib.crc32(item.data),
        "data": item.data,
    }


def _size(items: Sequence[Document], puts: dict[str, list[Document]]) -> int:
    size = sum(len(item["data"]) + _OVERHEAD for item in items)
    for documents in puts.values():
        for document in documents:
            # A run's document has its tags, params and properties twice: in `doc` and to filter by.
            size += 2 * len(document.get("doc", b"")) + len(document.get("note", b"")) + _OVERHEAD
            size += 60 * len(document.get("bags", ()))
    return size
