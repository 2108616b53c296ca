"""What the real libraries wrote, moment by moment (see generate/README.md), and reading it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from os import utime
from pathlib import Path
from typing import Any

from graphql_runs.ingest.api import Delivery, Limits
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import Annotate, LogPoints, LogRows
from graphql_runs_tabular import ingester

_DATA = Path(__file__).with_name("data")
LIMITS = Limits(delivery_bytes=200)

Point = tuple[object, object]


def versions(library: str) -> list[str]:
    """The versions there are data of."""
    return sorted(path.name.removeprefix(f"{library}-") for path in _DATA.glob(f"{library}-*"))


class Recorded:
    """The job of one version, whose files come to lie in `folder`."""

    def __init__(self, library: str, version: str, folder: Path) -> None:
        data = _DATA / f"{library}-{version}"
        self.logged = json.loads((data / "logged.json").read_bytes())
        self._moments: list[dict[str, str | None]] = json.loads((data / "moments.json").read_bytes())
        self.folder = folder
        self._clock = time.time() - 1000

    def moments(self) -> Iterator[int]:
        """Make the folder what it was at each moment, one after the other."""
        for number, changes in enumerate(self._moments):
            for name, text in changes.items():
                path = self.folder / name
                if text is None:
                    path.unlink()
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
                self._clock += 1
                utime(path, (self._clock,) * 2)
            yield number

    def end(self) -> None:
        """Make the folder what it was at the end."""
        for _ in self.moments():
            pass


class Found:
    """What is read of all units of a folder, each from where it was left."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self._folder = folder
        self._limits = limits
        self._places: dict[str, Mapping[str, object]] = {}
        self.deliveries: list[Delivery] = []

    def read(self, most: int = 10_000) -> None:
        """Read on every unit, at most so many deliveries of each."""
        tree, units = units_of(ingester, self._folder)
        for unit in units:
            assert unit.run is not None
            for _, delivery in zip(
                range(most),
                read(ingester, tree, unit, self._places.get(unit.place), self._limits),
                strict=False,
            ):
                self._places[unit.place] = delivery.checkpoint
                self.deliveries.append(delivery)

    def points(self) -> dict[tuple[str, str], list[Point]]:
        """(step, value) by run and metric, in the order of reading."""
        found: dict[tuple[str, str], list[Point]] = {}
        for delivery in self.deliveries:
            for one in delivery.operations:
                if isinstance(one, LogPoints | LogRows):
                    values = one.values if isinstance(one, LogPoints) else one.columns["text"]
                    points = found.setdefault((one.run_id, one.metric), [])
                    for index, value in enumerate(values):
                        points.append((None if one.steps is None else plain(one.steps[index]), plain(value)))
        return found

    def facts(self, kind: str) -> dict[str, dict[str, str]]:
        """The last `params` or `properties` by run."""
        found: dict[str, dict[str, str]] = {}
        for delivery in self.deliveries:
            for one in delivery.operations:
                if isinstance(one, Annotate):
                    found.setdefault(one.run_id, {}).update(getattr(one, kind))
        return found

    def skipped(self) -> list[str]:
        """What was left out."""
        return [
            f"{one.path}:{one.line}: {one.reason}" for delivery in self.deliveries for one in delivery.skipped
        ]


def plain(value: Any) -> object:
    """A number as Python has it, so that equal ones are equal: NaN is a text, whole floats stay floats."""
    value = value.item() if hasattr(value, "item") else value
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def expected(
    rows: list[dict[str, Any]], run: str, step: str = "step", prefix: str = ""
) -> dict[tuple[str, str], list[Point]]:
    """What rows of values become: nested objects are flat, lists give a point each."""
    found: dict[tuple[str, str], list[Point]] = {}
    for row in rows:
        for name, value in flat(row):
            if name == step:
                continue
            for one in value if isinstance(value, list) else [value]:
                found.setdefault((run, prefix + name), []).append((row[step], plain(one)))
    return found


def flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}/")
        else:
            yield before + name, value
