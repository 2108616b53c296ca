"""Reading a folder with one plugin, without a host, and comparing what came of it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from graphql_runs.ingest.api import Context, Delivery, Ingester, Limits, Tree, Unit
from graphql_runs.ingest.plan import make_plan
from graphql_runs.ingest.scan import Walker
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows, LogText, RunOperation

Checkpoint = Mapping[str, object] | None
NAME = "source"


@dataclass(slots=True)
class Content:
    """The streams that operations make up: equal when the same came in the same order, however it was cut into pieces.

    logs:    bytes by run and path. metrics: rows by run and metric, each with its step, time and values as text.
    runs:    ids of the runs that were declared.
    """

    logs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    metrics: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    runs: set[str] = field(default_factory=set)

    def add(self, operation: RunOperation) -> None:
        """Take an operation in."""
        match operation:
            case LogText(run_id=run_id, path=path, data=data):
                if data:
                    self.logs[run_id, path] = self.logs.get((run_id, path), b"") + data
            case LogPoints(run_id=run_id, metric=metric):
                self._rows(run_id, metric, {"value": operation.values}, operation)
            case LogRows(run_id=run_id, metric=metric):
                self._rows(run_id, metric, operation.columns, operation)
            case DeclareRun(run_id=run_id):
                self.runs.add(run_id)

    def _rows(self, run_id: str, metric: str, columns: Mapping[str, Any], given: LogPoints | LogRows) -> None:
        count = len(next(iter(columns.values())))
        rows = self.metrics.setdefault((run_id, metric), [])
        for index in range(count):
            values = {name: _plain(column[index]) for name, column in columns.items()}
            step = None if given.steps is None else _plain(given.steps[index])
            at = None if given.at is None else _plain(given.at[index])
            rows.append(f"{step} {at} {values}")


def _plain(value: Any) -> Any:
    """The same text for the same number, whether it came in an array of integers, of floats, or in a list."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53:
        return float(value)
    return value


def content_of(deliveries: Iterable[Delivery]) -> Content:
    """The streams of all deliveries together."""
    content = Content()
    for delivery in deliveries:
        for operation in delivery.operations:
            content.add(operation)
    return content


def units_of(ingester: Ingester, folder: Path, limits: Limits | None = None) -> tuple[Tree, list[Unit]]:
    """What a plugin reads in a folder as it is now, with the tree that it read this from. Raises what the plugin does."""
    walk = Walker(folder.resolve(), limits or Limits(), lambda: False).walk({})
    plan = make_plan(folder.resolve(), NAME, walk.files, [ingester])
    [share] = plan.shares
    if share.error is not None or share.skipped:
        raise AssertionError(f"{ingester.name} could not choose: {share.error or share.skipped}")
    return share.tree, share.units


def read(
    ingester: Ingester,
    tree: Tree,
    unit: Unit,
    checkpoint: Checkpoint = None,
    limits: Limits | None = None,
    config: BaseModel | None = None,
) -> Generator[Delivery, None, None]:
    """The deliveries of a unit, their checkpoints as they come back from a store."""
    context = Context(tree, config or ingester.config(), limits or Limits())
    for delivery in ingester.read(unit, checkpoint, context):
        yield replace(delivery, checkpoint=json.loads(json.dumps(delivery.checkpoint, allow_nan=False)))
