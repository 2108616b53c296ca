"""Reading a metric's points by row."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np

from graphql_runs.model.points import Points
from graphql_runs.store import segment
from graphql_runs.store.port import Store

_AT_ONCE = 2 << 20
"""Bytes of segments that are asked for in one read: few reads, and memory that is used again and again."""


async def read_points(store: Store, metric: str, start: int, end: int) -> Points:
    """Rows `[start, end)` of a metric by its id; fewer where the metric ends earlier.

    Arrays have shape (n,); a column that only some rows have is filled with NaN or None (`segment.concat`).
    """
    found = [piece async for piece in pieces(store, metric, start, end)]
    return segment.concat(found) if found else nothing(start)


async def pieces(store: Store, metric: str, start: int, end: int) -> AsyncGenerator[Points]:
    """The same rows in consecutive pieces as they are stored, none empty."""
    row = start
    while row < end:
        items = await store.read(metric, row, end=end, limit=_AT_ONCE)
        if not items:
            return
        for item in items:
            # What was read before may have been merged into an item with what comes now.
            yield cut(segment.decode(item.start, item.data), row, end)
        row = items[-1].end


def cut(points: Points, start: int, end: int) -> Points:
    """The part of the points that lies in rows `[start, end)`."""
    if points.start >= start and points.end <= end:
        return points
    low, high = max(start - points.start, 0), max(end - points.start, 0)
    return Points(
        max(points.start, start),
        {name: values[low:high] for name, values in points.columns.items()},
        None if points.steps is None else points.steps[low:high],
        points.at[low:high],
    )


def nothing(start: int) -> Points:
    """No points, at a row."""
    return Points(start, {}, None, np.zeros(0, dtype=np.int64))
