"""Columns of numbers and texts as they travel between the rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Sequence[float | str | None] | NDArray[Any]
"""One column from a producer: any sequence or one-dimensional array of one type."""


@dataclass(frozen=True, slots=True)
class Points:
    """Consecutive rows `[start, start + len)` of one metric, decoded.

    columns: name to an array of shape (n,): float64, int64, bool, or object of str and None.
    steps:   shape (n,), int64 or float64, or None where no row of this piece was given one.
    at:      shape (n,), int64 microseconds since the epoch.
    """

    start: int
    columns: Mapping[str, NDArray[Any]]
    steps: NDArray[np.int64] | NDArray[np.float64] | None
    at: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def end(self) -> int:
        """The row after the last one."""
        return self.start + len(self.at)
