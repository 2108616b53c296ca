"""Fewer points that look the same: first, least, greatest and last of every bucket.

Rows are cut, in the order given, into buckets of equal length (only the last one may be shorter), `points // 4` of them at
most. Of each bucket stay its first and last row and those of its least and greatest finite value, the earliest where
several are equal. Values that are not finite take no part in least and greatest; a bucket that holds some, and none of
whose kept rows is one, keeps its first one if fewer than four rows are kept. So no extremum is lost, a NaN shows wherever
there is room, no bucket gives more than four rows, and the same input always gives the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def kept_rows(values: NDArray[Any], points: int) -> NDArray[np.int64]:
    """The rows to keep of `values`, ascending: all when there are at most `points`, else by buckets.

    Shapes: `values` is (n,), of floats, integers or booleans; the result is (k,), k <= points. `points` is at least 4.
    """
    n = len(values)
    return np.arange(n) if n <= points else _of_buckets(values, bucket_size(n, points))


def bucket_size(total: int, points: int) -> int:
    """Rows of one bucket, when there are `total` rows and more than `points`."""
    return -(-total // (points // 4))


class Thinner:
    """`kept_rows` of columns that come piece by piece, and are never all in memory.

    total:  rows that will come in all, more than `points`.
    The first column of a piece decides; the others give their values of the same rows.
    """

    def __init__(self, total: int, points: int) -> None:
        self._size = bucket_size(total, points)
        self._waiting: list[Sequence[NDArray[Any]]] = []
        self._rows = 0
        self._kept: list[list[NDArray[Any]]] = []

    def add(self, *columns: NDArray[Any]) -> None:
        """The next rows; shapes (n,), all of one n."""
        self._waiting.append(columns)
        self._rows += len(columns[0])
        if self._rows >= self._size:
            self._thin(self._rows // self._size * self._size)

    def finish(self) -> list[NDArray[Any]]:
        """The kept rows of every column."""
        if self._rows:
            self._thin(self._rows)
        return [_join(parts) for parts in zip(*self._kept, strict=True)]

    def _thin(self, rows: int) -> None:
        joined = [_join(parts) for parts in zip(*self._waiting, strict=True)]
        kept = _of_buckets(joined[0][:rows], self._size)
        self._kept.append([column[kept] for column in joined])
        self._rows -= rows
        self._waiting = [[column[rows:] for column in joined]] if self._rows else []


def _join(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _of_buckets(values: NDArray[Any], size: int) -> NDArray[np.int64]:
    n = len(values)
    whole = n // size * size
    finite = np.isfinite(values) if values.dtype.kind == "f" else None
    if finite is not None and finite.all():
        finite = None
    found = []
    for start, stop, width in ((0, whole, size), (whole, n, n - whole)):
        if start < stop:
            shown = None if finite is None else finite[start:stop].reshape(-1, width)
            found.append(_picked(values[start:stop].reshape(-1, width), shown, start))
    return _join(found)


def _picked(buckets: NDArray[Any], finite: NDArray[np.bool_] | None, offset: int) -> NDArray[np.int64]:
    """Rows kept of buckets of one size; shapes (b, size). `offset` is the row of the first value."""
    count, size = buckets.shape
    four = np.empty((count, 4), dtype=np.int64)
    four[:, 0] = 0
    four[:, 3] = size - 1
    if finite is None:
        four[:, 1] = buckets.argmin(axis=1)
        four[:, 2] = buckets.argmax(axis=1)
    else:
        # A bucket without finite values gives row 0 for both, which is kept anyway.
        four[:, 1] = np.where(finite, buckets, np.inf).argmin(axis=1)
        four[:, 2] = np.where(finite, buckets, -np.inf).argmax(axis=1)
        empty = ~finite.any(axis=1)
        four[empty, 1:3] = 0
        _show_non_finite(four, finite)
    four.sort(axis=1)
    four += (np.arange(count) * size + offset)[:, None]
    flat = four.ravel()
    fresh = np.empty(len(flat), dtype=bool)
    fresh[0] = True
    np.not_equal(flat[1:], flat[:-1], out=fresh[1:])
    return flat[fresh]


def _show_non_finite(four: NDArray[np.int64], finite: NDArray[np.bool_]) -> None:
    """Where a bucket's non-finite values would vanish and one of its four places is a repetition, show the first one."""
    index = np.arange(len(four))
    hidden = ~finite.all(axis=1) & finite[index[:, None], four].all(axis=1)
    first, least, greatest, last = four.T
    spare_least = (least == first) | (least == last) | (least == greatest)
    spare_greatest = (greatest == first) | (greatest == last)
    shown = (~finite).argmax(axis=1)
    use_least = hidden & spare_least
    use_greatest = hidden & ~spare_least & spare_greatest
    four[use_least, 1] = shown[use_least]
    four[use_greatest, 2] = shown[use_greatest]
