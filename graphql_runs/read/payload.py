"""The payload of a metric's row: a JSON document, or what an image or a histogram was logged with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from graphql_runs.model.errors import RunsError
from graphql_runs.model.points import Points
from graphql_runs.model.records import PAYLOAD, Metric, MetricKind
from graphql_runs.read.points import cut
from graphql_runs.store import segment
from graphql_runs.store.port import Store

_AT_ONCE = 2 << 20
"""Bytes of segments that are asked for in one read, going back."""
_PATH, _EDGES, _COUNTS = "path", "edges", "counts"


@dataclass(frozen=True, slots=True)
class Payload:
    """A row of a metric by its columns, and the document in it, None where the row holds none."""

    kind: MetricKind
    columns: dict[str, Any]
    document: dict[str, Any] | None

    @property
    def value(self) -> dict[str, Any] | None:
        """What clients get: the document; of images and other histograms the columns that have a value; else None."""
        if self.document is not None:
            return self.document
        if self.kind in (MetricKind.IMAGE, MetricKind.HISTOGRAM):
            return {name: value for name, value in self.columns.items() if _present(value)}
        return None

    @property
    def path(self) -> str | None:
        """The path of the artifact that it names, if it does."""
        found = self.columns.get(_PATH)
        return found if isinstance(found, str) else None


async def read_payload(store: Store, metric: Metric, step: float | None = None) -> Payload | None:
    """The newest row of a metric, or the newest one of a step; None when there is none. A row that was given no step counts
    under its number. Rows are looked at from the newest back.

    Raises RunsError when a document is damaged.
    """
    end = metric.count
    while end > 0:
        items = await store.read_back(metric.id, end, limit=_AT_ONCE if step is not None else 1)
        for item in reversed(items):
            points = cut(segment.decode(item.start, item.data), 0, end)
            if (index := _last(points, step)) is not None:
                return _payload(metric, points, index)
        end = items[0].start if items else 0
    return None


def _last(points: Points, step: float | None) -> int | None:
    if step is None:
        return len(points) - 1 if len(points) else None
    rows = np.arange(points.start, points.end)
    steps = rows
    if points.steps is not None:
        steps = np.where(segment.step_missing(points.steps), rows, points.steps)
    found = np.flatnonzero(steps == step)
    return int(found[-1]) if len(found) else None


def _payload(metric: Metric, points: Points, index: int) -> Payload:
    columns = {name: values[index : index + 1].tolist()[0] for name, values in points.columns.items()}
    text = columns.get(PAYLOAD)
    document = None
    if isinstance(text, str):
        document = _json(metric, text)
    elif metric.kind is MetricKind.HISTOGRAM and isinstance(columns.get(_EDGES), str):
        document = _histogram(metric, columns)
    return Payload(metric.kind, columns, document if isinstance(document, dict) else None)


def _histogram(metric: Metric, columns: dict[str, Any]) -> dict[str, Any] | None:
    """The document of a histogram whose edges and counts were logged as columns, if they are lists that belong together."""
    edges = _json(metric, columns[_EDGES])
    counts = _json(metric, columns.get(_COUNTS) or "null")
    if not isinstance(edges, list) or not isinstance(counts, list) or len(edges) != len(counts) + 1:
        return None
    data = {"bin_edges": edges, "bin_counts": counts}
    return {"schema_type": "histogram", "schema_version": "1.0.0", "data": data}


def _json(metric: Metric, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RunsError(f"a payload of metric {metric.name!r} is damaged: {error}") from error


def _present(value: Any) -> bool:
    # Columns of numbers have NaN where a row has no value.
    return value is not None and value == value
