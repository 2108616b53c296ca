"""What a job logged with MLflow comes out as it went in, whichever version wrote it."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.ingest.api import Delivery
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import AddArtifact, Annotate, DeclareRun, LogPoints, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs_mlflow import ingester
from plugins.mlflow.tests.job_values import LOSS
from plugins.mlflow.tests.stores import VERSIONS, written


class Store:
    """A copy of a store, and what the plugin makes of it."""

    def __init__(self, folder: Path, ids: dict[str, str]) -> None:
        self.folder = folder
        self.ids = ids

    def operations(self, kind: type[Any], run: str) -> list[Any]:
        return [
            operation
            for delivery in self.deliveries()
            for operation in delivery.operations
            if isinstance(operation, kind) and operation.run_id == self.ids[run]
        ]

    def deliveries(self) -> Iterable[Delivery]:
        tree, units = units_of(ingester, self.folder)
        for unit in units:
            yield from read(ingester, tree, unit)

    def points(self, run: str, metric: str) -> list[tuple[int, float]]:
        found = [one for one in self.operations(LogPoints, run) if one.metric == metric]
        return [pair for one in found for pair in zip(one.steps, one.values, strict=True)]


@pytest.fixture(params=list(VERSIONS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    source, ids = written(request.param)
    shutil.copytree(source, tmp_path / "mlruns")
    return Store(tmp_path, ids)


def bits(value: float) -> bytes:
    return b"nan" if value != value else struct.pack("<d", value)


def test_metrics(store: Store) -> None:
    loss = store.points("first", "loss")
    assert [step for step, _ in loss] == [*range(len(LOSS)), 2]
    assert [bits(value) for _, value in loss] == [bits(value) for value in (*LOSS, 9.0)]
    assert store.points("first", "val/acc top-1") == [(10**12, 0.5)]
    assert store.points("first", "no step") == [(0, -2.5)]
    assert store.points("child", "loss") == [(-1, 2.0)]
    [points] = [one for one in store.operations(LogPoints, "first") if one.metric == "loss"]
    [declared] = store.operations(DeclareRun, "first")
    assert all(0 <= at - declared.created_at < 60_000_000 for at in points.at)


def test_runs_and_their_tree(store: Store) -> None:
    [first], [child] = store.operations(DeclareRun, "first"), store.operations(DeclareRun, "child")
    assert (first.experiment, first.name, first.parent) == ("vision/größe", "first try", None)
    assert (child.parent, child.root, child.name) == (store.ids["first"], store.ids["first"], "child")
    _, units = units_of(ingester, store.folder)
    roots = {unit.run.run_id: unit.run.root_id for unit in units if unit.run is not None}
    assert roots[store.ids["child"]] == store.ids["first"]


def test_params_tags_and_description(store: Store) -> None:
    [facts] = store.operations(Annotate, "first")[:1]
    assert facts.params == {"lr": "0.1", "model/name": "mlp", "words": "ünï", "long": "y" * 240}
    assert facts.tags == {"team": "a b", "lines": "x\ny"}
    assert facts.description == "hello"
    assert facts.properties["mlflow.source.type"] == "LOCAL"


def test_statuses(store: Store) -> None:
    said = {
        run: [(one.status, one.original) for one in store.operations(SetStatus, run)]
        for run in ("first", "bad", "open")
    }
    assert said == {
        "first": [(RunStatus.COMPLETED, "FINISHED")],
        "bad": [(RunStatus.FAILED, "FAILED")],
        "open": [(RunStatus.RUNNING, "RUNNING")],
    }


def test_artifacts_stay_where_they_are(store: Store) -> None:
    [artifact] = store.operations(AddArtifact, "first")
    assert (artifact.path, artifact.size, artifact.content_type) == ("sub/result.txt", 6, "text/plain")
    assert Path(artifact.location).read_text() == "result"


def test_everything_of_a_run_is_taken(store: Store) -> None:
    tree, units = units_of(ingester, store.folder)
    taken = {path for unit in units for path in unit.files}
    left = {file.path for file in tree.files} - taken
    assert {path.name for path in left} <= {"meta.yaml"}  # of experiments


def test_facts_are_told_again_only_when_they_change(store: Store) -> None:
    tree, units = units_of(ingester, store.folder)
    [unit] = [
        unit for unit in units if unit.key == "facts" and unit.run and unit.run.run_id == store.ids["first"]
    ]
    *_, last = read(ingester, tree, unit)
    assert list(read(ingester, tree, unit, last.checkpoint)) == []
    [tag] = (store.folder / "mlruns").rglob("tags/team")
    tag.unlink()
    tree, units = units_of(ingester, store.folder)
    [unit] = [one for one in units if one.place == unit.place]
    facts = [
        operation
        for delivery in read(ingester, tree, unit, last.checkpoint)
        for operation in delivery.operations
        if isinstance(operation, Annotate)
    ]
    assert facts[0].remove_tags == ["team"]
