"""Metric points as bytes: one Arrow IPC stream with one record batch.

Columns: `@at` (int64, microseconds since the epoch), `@step` (int64 or float64, absent when no row has one; NaN or the
lowest int64 marks a row without), then the metric's own columns with the prefix `=` (float64, int64, bool, or utf8 with
nulls). NaN and infinities are stored as themselves. Format: https://arrow.apache.org/docs/format/Columnar.html
(section "IPC Streaming Format"), so any Arrow reader opens a segment. The library is arro3, whose import costs 8 MiB where pyarrow's costs 44.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.model.errors import RunsError
from graphql_runs.model.points import Points

NO_STEP = np.iinfo(np.int64).min
"""In an int64 step column: this row was given no step."""

_AT = "@at"
_STEP = "@step"


def encode(
    columns: Mapping[str, NDArray[Any]],
    steps: NDArray[np.int64] | NDArray[np.float64] | None,
    at: NDArray[np.int64],
) -> bytes:
    """The bytes of one segment.

    Shapes: every array is (n,) with one n >= 1. Columns are float64, int64, bool, or object arrays of str and None.
    """
    from arro3.core import Array, DataType, RecordBatch
    from arro3.io import write_ipc_stream

    names = [_AT]
    arrays = [Array.from_numpy(at)]
    if steps is not None:
        names.append(_STEP)
        arrays.append(Array.from_numpy(steps))
    for name, values in columns.items():
        names.append(f"={name}")
        if values.dtype == object:
            arrays.append(Array(values.tolist(), DataType.utf8()))
        else:
            arrays.append(Array.from_numpy(values))
    out = BytesIO()
    write_ipc_stream(RecordBatch.from_arrays(arrays, names=names), out, compression=None)
    return out.getvalue()


def decode(start: int, data: bytes) -> Points:
    """The points of a segment whose first row is `start`. Arrays are views of the data where the type allows.

    Raises RunsError when the bytes are not a segment (a damaged store).
    """
    from arro3.core import DataType
    from arro3.io import read_ipc_stream

    try:
        table = read_ipc_stream(BytesIO(data)).read_all()
        arrays: dict[str, NDArray[Any]] = {}
        for name in table.column_names:
            column = table.column(name)
            if column.type == DataType.utf8():
                arrays[name] = np.array([*column.to_pylist(), None], dtype=object)[:-1]
            else:
                arrays[name] = column.to_numpy()
    # arro3 raises plain Exception for bytes that are no Arrow stream.
    except Exception as error:
        raise RunsError(f"a segment of metric points is damaged: {error}") from error
    at = arrays.pop(_AT)
    steps = arrays.pop(_STEP, None)
    return Points(start, {name[1:]: values for name, values in arrays.items()}, steps, at)


def concat(pieces: list[Points]) -> Points:
    """Consecutive pieces as one. A column or step that some pieces lack is filled with NaN, None or NO_STEP; int64 and
    float64 pieces of one column become float64."""
    if len(pieces) == 1:
        return pieces[0]
    names = list(dict.fromkeys(name for piece in pieces for name in piece.columns))
    at = np.concatenate([piece.at for piece in pieces])
    columns = {name: _join([(piece.columns.get(name), len(piece)) for piece in pieces]) for name in names}
    steps = None
    if any(piece.steps is not None for piece in pieces):
        steps = _join_steps(pieces)
    return Points(pieces[0].start, columns, steps, at)


def shape(points: Points) -> tuple[object, ...]:
    """Names and types of the columns. Pieces of one shape join without any value changing."""
    steps = None if points.steps is None else points.steps.dtype.kind
    return (steps, *((name, values.dtype.kind) for name, values in points.columns.items()))


def step_missing(steps: NDArray[Any]) -> NDArray[np.bool_]:
    """True for the rows of a step column that were given no step; shape (n,)."""
    missing: NDArray[np.bool_] = np.isnan(steps) if steps.dtype.kind == "f" else steps == NO_STEP
    return missing


def _join(parts: list[tuple[NDArray[Any] | None, int]]) -> NDArray[Any]:
    kinds = {values.dtype.kind for values, _ in parts if values is not None}
    whole = all(values is not None for values, _ in parts)
    if whole and len(kinds) == 1:
        return np.concatenate([values for values, _ in parts if values is not None])
    if kinds <= {"f", "i", "b"} and "b" not in kinds:
        return np.concatenate(
            [np.full(n, np.nan) if values is None else values.astype(np.float64) for values, n in parts]
        )
    # Booleans with holes and columns that changed their type keep each value as it is.
    return np.concatenate(
        [np.full(n, None, dtype=object) if values is None else values.astype(object) for values, n in parts]
    )


def _join_steps(pieces: list[Points]) -> NDArray[Any]:
    if all(piece.steps is None or piece.steps.dtype.kind == "i" for piece in pieces):
        return np.concatenate(
            [np.full(len(p), NO_STEP, dtype=np.int64) if p.steps is None else p.steps for p in pieces]
        )
    found = []
    for piece in pieces:
        if piece.steps is None:
            found.append(np.full(len(piece), np.nan))
        else:
            as_float = piece.steps.astype(np.float64)
            if piece.steps.dtype.kind == "i":
                as_float[piece.steps == NO_STEP] = np.nan
            found.append(as_float)
    return np.concatenate(found)
