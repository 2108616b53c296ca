"""What the plugin makes of a log, in a form that is easy to compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql_runs.ingest.api import Context, Delivery, Limits
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import LogPoints, LogText
from graphql_runs_text import TextConfig, ingester

Points = dict[str, list[tuple[Any, str, Any]]]
"""By metric: step, value as text (so that -0.0, NaN and integers are told apart) and time."""


def deliveries(
    folder: Path,
    checkpoint: Mapping[str, object] | None = None,
    size: int = 1 << 20,
    *,
    final: bool = False,
    **settings: Any,
) -> Iterator[Delivery]:
    """The deliveries of the only log of a folder."""
    tree, [unit] = units_of(ingester, folder)
    limits, config = Limits(delivery_bytes=size), TextConfig(**settings)
    if not final:
        return read(ingester, tree, unit, checkpoint, limits, config)
    return ingester.read(unit, checkpoint, Context(tree, config, limits, final=True))


def points_of(found: Iterable[Delivery]) -> Points:
    """All points of deliveries, metrics by their whole names."""
    points: Points = {}
    for delivery in found:
        operations = [one for one in delivery.operations if isinstance(one, LogPoints)]
        assert len({one.metric for one in operations}) == len(operations)
        for one in operations:
            assert one.steps is not None
            at = [None] * len(one.values) if one.at is None else one.at
            rows = zip(one.steps, map(repr, one.values), at, strict=True)
            points.setdefault(one.metric, []).extend(rows)
    return points


def text_of(found: Iterable[Delivery]) -> bytes:
    """All bytes of deliveries."""
    return b"".join(one.data for delivery in found for one in delivery.operations if isinstance(one, LogText))


def points_in(log: bytes, folder: Path, **settings: Any) -> Points:
    """The points of a log with these bytes, without the name of the log before those of the metrics."""
    (folder / "train.log").write_bytes(log)
    found = points_of(deliveries(folder, **settings))
    assert all(name.startswith("train.log/") for name in found)
    return {name.removeprefix("train.log/"): rows for name, rows in found.items()}
