"""Reading a metric's points by row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphql_runs.model.points import Points
from graphql_runs.store import segment
from graphql_runs.store.port import Item, Store


async def read_points(store: Store, metric: str, start: int, end: int) -> Points:
    """Rows `[start, end)` of a metric by its id; fewer where the metric ends earlier.

    Arrays have shape (n,); a column that only some rows have is filled with NaN or None (`segment.concat`).
    """
    if start >= end:
        return nothing(start)
    return join(await store.read(metric, start, end=end), start, end)


def join(items: Sequence[Item], start: int, end: int) -> Points:
    """Rows `[start, end)` of items that hold them."""
    pieces = [cut(segment.decode(item.start, item.data), start, end) for item in items]
    pieces = [piece for piece in pieces if len(piece)]
    return segment.concat(pieces) if pieces else nothing(start)


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
