"""A small plugin for tests: `*.points` files, a metric's name and a value a line, and words that make it fail."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from graphql_runs.ingest.api import Context, Delivery, RunFolder, Skipped, Stability, Tree, Unit, Unreadable
from graphql_runs.ingest.files import lines, open_file
from graphql_runs.model.operation import DeclareRun, DescribeCluster, LogPoints, RunOperation


class PointsConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    factor: float = 1.0


class Points:
    """A folder with a file `claim` is a run of that id, declared by the plugin. `*.cluster` files hold names of clusters."""

    description = "Points, for tests."
    stability = Stability.EXPERIMENTAL
    config: type[BaseModel] = PointsConfig

    def __init__(self, name: str = "points", precedence: int = 50, suffix: str = ".points") -> None:
        self.name = name
        self.precedence = precedence
        self.suffix = suffix
        self.reads: list[str] = []

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        for file in tree.files:
            if file.path.name == "claim":
                run_id = (tree.folder / file.path).read_text().strip()
                yield RunFolder(file.path.parent, run_id, run_id)

    def units(self, tree: Tree) -> Iterator[Unit]:
        for file in tree.files:
            if file.path.suffix == self.suffix:
                run = tree.owner(file.path)
                watches = (run.path / "watched",)
                yield Unit(str(file.path.relative_to(run.path)), run, (file.path,), watches)
            if file.path.suffix == ".cluster":
                yield Unit(str(file.path), None, (file.path,))
            if file.path.name == "break-units":
                raise RuntimeError("units broke")

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        self.reads.append(unit.key)
        assert isinstance(context.config, PointsConfig)
        offset: Any = 0 if checkpoint is None else checkpoint["offset"]
        number: Any = 0 if checkpoint is None else checkpoint["line"]
        with open_file(context.tree.folder, unit.files[0]) as file:
            for piece in lines(file, offset, context.limits):
                operations: list[RunOperation] = []
                skipped: list[Skipped] = []
                if checkpoint is None and unit.run is not None and unit.run.declared:
                    operations.append(DeclareRun(unit.run.run_id, "claimed", unit.run.run_id, self.name))
                for line in piece.data.decode().splitlines():
                    number += 1
                    self._line(line, number, unit, context.config.factor, operations, skipped)
                checkpoint = {"offset": piece.end, "line": number}
                if unit.run is None:
                    yield Delivery(checkpoint, clusters=[DescribeCluster(piece.data.decode().strip())])
                else:
                    yield Delivery(checkpoint, operations, skipped=skipped)

    def _line(
        self,
        line: str,
        number: int,
        unit: Unit,
        factor: float,
        operations: list[RunOperation],
        skipped: list[Skipped],
    ) -> None:
        path = unit.files[0]
        match line.split():
            case ["!unreadable"]:
                raise Unreadable("it says so", path=str(path), line=number)
            case ["!bug"]:
                raise ZeroDivisionError("a bug")
            case ["!oserror"]:
                raise OSError(5, os.strerror(5))
            case [metric, value]:
                assert unit.run is not None
                operations.append(LogPoints(unit.run.run_id, metric, [factor * float(value)]))
            case _:
                skipped.append(Skipped(str(path), f"not a point: {line}", number))
