"""Cutting, joining and splitting items of streams, so that rows stay what they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from graphql_runs.model.errors import RunsError
from graphql_runs.model.points import Points
from graphql_runs.read import points as rows
from graphql_runs.store import segment
from graphql_runs.store.port import Item

ITEM_ROWS = 8192
"""Points of a joined item, about; log text is joined to `ITEM_BYTES`."""
ITEM_BYTES = 1 << 20
LARGEST = 4 << 20
"""Bytes of the largest item that is written; a larger one is split."""


def holds_points(stream: str) -> bool:
    """Whether the items of a stream are segments of points; else they are log text."""
    return stream.startswith("metric_")


class Damage(RunsError):
    """Rows of a stream are missing or cannot be read, from `row` on."""

    def __init__(self, stream: str, row: int, what: str) -> None:
        super().__init__(f"{stream} is damaged: {what}")
        self.row = row
        self.what = what


def decoded(stream: str, item: Item) -> Points:
    """The points of an item. Raises Damage when they are not those of its rows."""
    try:
        points = segment.decode(item.start, item.data)
    except RunsError as error:
        raise Damage(stream, item.start, f"rows [{item.start}, {item.end}): {error.message}") from error
    if points.end != item.end:
        raise Damage(stream, item.start, f"{len(points)} points for rows [{item.start}, {item.end})")
    return points


def cut(stream: str, item: Item, start: int, end: int) -> Item:
    """The part of an item that lies in rows `[start, end)`, which has rows of it. Raises Damage for a damaged segment."""
    if item.start >= start and item.end <= end:
        return item
    low, high = max(start, item.start), min(end, item.end)
    if holds_points(stream):
        return _segment(rows.cut(decoded(stream, item), low, high))
    skipped = item.data[: low - item.start]
    data = item.data[low - item.start : high - item.start]
    return Item(low, high, data, item.mark + skipped.count(b"\n"))


async def joined(stream: str, items: AsyncIterator[Item]) -> AsyncGenerator[Item]:
    """The same rows in items of a good size: small neighbours as one, none above `LARGEST` if it has more than a row.

    Raises Damage for a damaged segment.
    """
    group: list[Item] = []
    async for item in items:
        if group and not _fits(stream, group, item):
            for whole in _whole(stream, group):
                yield whole
            group = []
        group.append(item)
    if group:
        for whole in _whole(stream, group):
            yield whole


def _fits(stream: str, group: list[Item], item: Item) -> bool:
    if holds_points(stream):
        return item.end - group[0].start <= ITEM_ROWS and _bytes(group) + len(item.data) <= ITEM_BYTES
    return item.end - group[0].start <= ITEM_BYTES


def _bytes(group: list[Item]) -> int:
    return sum(len(item.data) for item in group)


def _whole(stream: str, group: list[Item]) -> Iterator[Item]:
    if len(group) == 1:
        yield from _split(stream, group[0])
    elif not holds_points(stream):
        yield Item(group[0].start, group[-1].end, b"".join(item.data for item in group), group[0].mark)
    else:
        # Only pieces of one shape: joining others would change the type of values.
        same: list[Points] = []
        for points in [decoded(stream, item) for item in group]:
            if same and segment.shape(points) != segment.shape(same[-1]):
                yield _segment(segment.concat(same))
                same = []
            same.append(points)
        yield _segment(segment.concat(same))


def _split(stream: str, item: Item) -> Iterator[Item]:
    count = item.end - item.start
    if len(item.data) <= LARGEST or count == 1:
        yield item
        return
    step = -(-count // -(-len(item.data) // LARGEST))
    points = decoded(stream, item) if holds_points(stream) else None
    for start in range(item.start, item.end, step):
        end = min(start + step, item.end)
        if points is None:
            yield cut(stream, item, start, end)
        else:
            # Rows of different lengths may leave a part too large; it has fewer rows now.
            yield from _split(stream, _segment(rows.cut(points, start, end)))


def _segment(points: Points) -> Item:
    return Item(points.start, points.end, segment.encode(points.columns, points.steps, points.at))
