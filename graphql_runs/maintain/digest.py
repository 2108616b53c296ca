"""What a run tree holds, as counts and one checksum that does not depend on the store or on how rows lie in items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphql_runs.maintain.mark import WRITER
from graphql_runs.maintain.walk import all_positions, owned, read_items, read_points
from graphql_runs.model.points import Points
from graphql_runs.model.records import Artifact, LogFile, Metric
from graphql_runs.store.port import Position, Record, Store

_SIZE = 32


@dataclass(frozen=True, slots=True)
class TreeSum:
    """Counts of a run tree, and a BLAKE2b checksum of its records, rows and writer positions."""

    runs: int
    metrics: int
    logs: int
    artifacts: int
    points: int
    text_bytes: int
    writers: int
    digest: bytes


async def sum_tree(store: Store, root: str) -> TreeSum:
    """Read all of a tree but its journal. Raises Damage when rows that a record counts are not there."""
    whole = blake2b(digest_size=_SIZE)
    metrics = logs = artifacts = points = text_bytes = 0
    runs = await store.tree_runs(root)
    for run in runs:
        whole.update(canonical(run))
        async for metric_page in owned(store, Metric, run.id):
            for metric in metric_page:
                whole.update(canonical(metric))
                whole.update(await _points(store, metric))
                points += metric.count
            metrics += len(metric_page)
        async for log_page in owned(store, LogFile, run.id):
            for log in log_page:
                whole.update(canonical(log))
                whole.update(await _text(store, log))
                text_bytes += log.size
            logs += len(log_page)
        async for artifact_page in owned(store, Artifact, run.id):
            for artifact in artifact_page:
                whole.update(canonical(artifact))
                size = None if artifact.blob is None else await store.blob_size(artifact.blob)
                whole.update(b"%d" % size if size is not None else b"no blob")
            artifacts += len(artifact_page)
    positions = [position for position in await all_positions(store, root) if position.writer != WRITER]
    for position in positions:
        whole.update(canonical(position))
    return TreeSum(len(runs), metrics, logs, artifacts, points, text_bytes, len(positions), whole.digest())


def canonical(record: Record | Position) -> bytes:
    """A record as bytes that are equal if and only if the records are, whatever the order in its mappings."""
    values = [getattr(record, field.name) for field in fields(record)]
    plain = [sorted(value.items()) if isinstance(value, Mapping) else value for value in values]
    return repr(plain).encode("utf-8", "surrogatepass")


async def _text(store: Store, log: LogFile) -> bytes:
    found = blake2b(digest_size=_SIZE)
    async for item in read_items(store, log.id, 0, log.size):
        found.update(item.data)
    return found.digest()


async def _points(store: Store, metric: Metric) -> bytes:
    found = _Columns()
    async for points in read_points(store, metric.id, 0, metric.count):
        found.add(points)
    return found.digest()


class _Columns:
    """A checksum for each column, so that it does not matter where one piece ends and the next begins."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._ends: dict[str, int] = {}

    def add(self, points: Points) -> None:
        columns = {"@at": points.at, **{f"={name}": values for name, values in points.columns.items()}}
        if points.steps is not None:
            columns["@step"] = points.steps
        for name, values in columns.items():
            key = f"{name}:{values.dtype.kind}"
            found = self._sums.setdefault(key, blake2b(digest_size=_SIZE))
            if self._ends.get(key) != points.start:
                # Which rows have a column is part of what it says.
                found.update(b"@%d:" % points.start)
            found.update(_bytes(values))
            self._ends[key] = points.end

    def digest(self) -> bytes:
        found = blake2b(digest_size=_SIZE)
        for name, column in sorted(self._sums.items()):
            found.update(name.encode("utf-8", "surrogatepass"))
            found.update(column.digest())
        return found.digest()


def _bytes(values: NDArray[Any]) -> bytes:
    if values.dtype == object:
        return "".join([f"{value!r}," for value in values.tolist()]).encode("utf-8", "surrogatepass")
    return np.ascontiguousarray(values).tobytes()
