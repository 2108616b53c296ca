"""Points as MLflow keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.operation import LogPoints

MILLIS = 1 << 53
"""Times in milliseconds beyond are none: they would not fit into microseconds."""
_INFINITE = 1.7976931348623157e308
"""MLflow's database keeps infinities as the largest finite number
(mlflow/store/tracking/sqlalchemy_store.py)."""


def log_points(
    run_id: str,
    key: str,
    values: NDArray[np.float64],
    steps: Sequence[int] | NDArray[np.int64],
    millis: NDArray[np.int64],
) -> LogPoints:
    """Points of one metric; shapes (n,), times in milliseconds. The largest finite number is infinity again."""
    infinite = np.abs(values) >= _INFINITE
    if infinite.any():
        values = np.where(infinite, np.copysign(np.inf, values), values)
    return LogPoints(run_id, key, values, np.asarray(steps, dtype=np.int64), millis * 1000)
