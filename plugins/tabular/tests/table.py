"""A table that is read on and on, and what came of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from graphql_runs.ingest.api import Limits, Skipped
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import LogPoints, LogRows, RunOperation, SetStatus
from graphql_runs_tabular import TabularConfig, ingester


class Table:
    """One file of a run, at `path`, read with small deliveries."""

    def __init__(
        self, folder: Path, name: str, limits: Limits | None = None, config: TabularConfig | None = None
    ) -> None:
        self.folder = folder
        self.path = folder / "run" / name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.limits = limits or Limits(delivery_bytes=64, line_bytes=4096)
        self.config = config
        self.operations: list[RunOperation] = []
        self.skipped: list[Skipped] = []
        self.checkpoint: Mapping[str, object] | None = None

    def write(self, text: str | bytes) -> None:
        """Replace the content, in place."""
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)

    def append(self, text: str | bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def rows(self, *rows: Mapping[str, object]) -> None:
        """Append JSON lines."""
        self.append("".join(json.dumps(row) + "\n" for row in rows))

    def age(self, seconds: float) -> None:
        """As if nobody had written for so long."""
        os.utime(self.path, (time.time() - seconds,) * 2)

    def read(self, most: int = 1000) -> list[RunOperation]:
        """Read on, at most so many deliveries; gives what was new."""
        tree, units = units_of(ingester, self.folder)
        name = self.path.relative_to(self.folder).as_posix()
        [unit] = [unit for unit in units if [path.as_posix() for path in unit.files] == [name]]
        before = len(self.operations)
        deliveries = read(ingester, tree, unit, self.checkpoint, self.limits, self.config)
        for _, delivery in zip(range(most), deliveries, strict=False):
            self.operations += delivery.operations
            self.skipped += delivery.skipped
            self.checkpoint = delivery.checkpoint
        return self.operations[before:]

    # What came of it

    def points(self, metric: str) -> list[LogPoints]:
        return [one for one in self.operations if isinstance(one, LogPoints) and one.metric == metric]

    def values(self, metric: str) -> list[object]:
        return [_plain(value) for one in self.points(metric) for value in one.values]

    def steps(self, metric: str) -> list[object]:
        return [
            None if one.steps is None else _plain(one.steps[index])
            for one in self.points(metric)
            for index in range(len(one.values))
        ]

    def times(self, metric: str) -> list[object]:
        return [
            None if one.at is None else _plain(one.at[index])
            for one in self.points(metric)
            for index in range(len(one.values))
        ]

    def texts(self, metric: str) -> list[object]:
        return [
            text
            for one in self.operations
            if isinstance(one, LogRows) and one.metric == metric
            for text in one.columns["text"]
        ]

    def metrics(self) -> set[str]:
        return {one.metric for one in self.operations if isinstance(one, LogPoints | LogRows)}

    def statuses(self) -> list[SetStatus]:
        return [one for one in self.operations if isinstance(one, SetStatus)]

    def reasons(self) -> list[str]:
        return [f"{one.path}:{one.line}: {one.reason}" for one in self.skipped]


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
