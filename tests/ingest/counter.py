"""A small plugin for addresses, for tests: `count:FILE` is a JSON file of values by run; words in it make it fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from graphql_runs.ingest.api import (
    Context,
    Delivery,
    Limits,
    RunFolder,
    Skipped,
    Stability,
    Unit,
    Unreadable,
)
from graphql_runs.ingest.remote import Look, Seen
from graphql_runs.model.operation import DeclareRun, DescribeCluster, LogPoints, RunOperation


class CounterConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    factor: float = 1.0


class Counter:
    name = "counter"
    description = "Values by run, for tests."
    stability = Stability.EXPERIMENTAL
    schemes: Sequence[str] = ("count",)
    poll_seconds = 0.05
    config: type[BaseModel] = CounterConfig

    def __init__(self) -> None:
        self.connections: list[CounterConnection] = []

    def connect(self, address: str, name: str, config: BaseModel, limits: Limits) -> CounterConnection:
        path = Path(address.partition(":")[2].partition("@")[2] or address.partition(":")[2])
        if path.suffix != ".json":
            raise ValueError(f"{path.name} is no JSON file")
        assert isinstance(config, CounterConfig)
        self.connections.append(CounterConnection(path, config.factor))
        return self.connections[-1]


class CounterConnection:
    def __init__(self, path: Path, factor: float) -> None:
        self.path = path
        self.factor = factor
        self.looks = 0
        self.reads: list[str] = []
        self.closed = False

    def look(self) -> Look:
        self.looks += 1
        found: dict[str, Any] = json.loads(self.path.read_text() or "{}")
        match found.pop("!", None):
            case "unreadable":
                raise Unreadable("it says so")
            case "bug":
                raise ZeroDivisionError("a bug")
        skipped = [Skipped("left", "it says so")] if found.pop("left out", None) else []
        seen = [
            Seen(
                Unit("values", RunFolder(PurePosixPath(run), run, run), (), hints={"values": values}),
                str(values),
            )
            for run, values in found.items()
            if run != "cluster"
        ]
        if "cluster" in found:
            cluster = found["cluster"]
            seen.append(Seen(Unit("cluster", None, (), hints={"values": [cluster]}), cluster))
        return Look(seen, skipped)

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        self.reads.append(unit.place)
        values: Any = unit.hints["values"]
        done: Any = 0 if checkpoint is None else checkpoint["done"]
        if unit.run is None:
            yield Delivery({"done": 1}, clusters=[DescribeCluster(values[0])])
            return
        for number in range(done, len(values)):
            if values[number] == "oserror":
                raise OSError("no answer")
            operations: list[RunOperation] = [
                LogPoints(unit.run.run_id, "value", [self.factor * values[number]])
            ]
            if number == 0:
                operations.insert(0, DeclareRun(unit.run.run_id, "counted", unit.run.run_id, "counter"))
            yield Delivery({"done": number + 1}, operations)

    def close(self) -> None:
        self.closed = True
