"""What the plugin makes of a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphql_runs.ingest.api import Delivery, Limits
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import LogPoints, LogRows, RunOperation
from graphql_runs_tensorboard import TensorboardConfig, ingester


def deliveries(folder: Path, config: TensorboardConfig | None = None, **limits: int) -> list[Delivery]:
    """All of all units, from their beginnings."""
    tree, units = units_of(ingester, folder)
    return [
        delivery for unit in units for delivery in read(ingester, tree, unit, None, Limits(**limits), config)
    ]


def operations(found: Iterable[Delivery]) -> list[RunOperation]:
    """All operations, in order."""
    return [operation for delivery in found for operation in delivery.operations]


def points(found: Iterable[Delivery]) -> dict[tuple[str, str], list[tuple[Any, Any, Any]]]:
    """(step, microseconds, value or columns) by run and metric."""
    rows: dict[tuple[str, str], list[tuple[Any, Any, Any]]] = {}
    for operation in operations(found):
        if isinstance(operation, LogPoints | LogRows):
            assert operation.steps is not None
            assert operation.at is not None
            values: list[Any] = (
                list(operation.values)
                if isinstance(operation, LogPoints)
                else [
                    dict(zip(operation.columns, row, strict=True))
                    for row in zip(*operation.columns.values(), strict=True)
                ]
            )
            rows.setdefault((operation.run_id, operation.metric), []).extend(
                zip(operation.steps, operation.at, values, strict=True)
            )
    return rows


def reasons(found: Iterable[Delivery]) -> list[str]:
    """Why things were left out."""
    return [skipped.reason for delivery in found for skipped in delivery.skipped]
