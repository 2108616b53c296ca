"""What the client logged comes out as it went in, whichever version wrote it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.ingest.api import Delivery
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    LogPoints,
    LogRows,
    LogText,
    SetStatus,
)
from graphql_runs.model.status import RunStatus
from graphql_runs_wandb import WandbConfig, ingester
from plugins.wandb.tests.folders import VERSIONS, written


@pytest.fixture(params=list(VERSIONS))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A source that holds what one version wrote."""
    shutil.copytree(written(request.param, 3), tmp_path / "wandb" / "offline-run-1")
    return tmp_path


def deliveries(folder: Path, config: WandbConfig | None = None) -> list[Delivery]:
    tree, units = units_of(ingester, folder)
    return [delivery for unit in units for delivery in read(ingester, tree, unit, None, None, config)]


def of_kind(found: list[Delivery], kind: type[Any]) -> list[Any]:
    return [operation for one in found for operation in one.operations if isinstance(operation, kind)]


def series(found: list[Delivery], metric: str) -> list[tuple[Any, Any]]:
    """Step and value, or columns, of a metric."""
    rows: list[tuple[Any, Any]] = []
    for operation in of_kind(found, LogPoints) + of_kind(found, LogRows):
        if operation.metric == metric:
            values = (
                operation.values
                if isinstance(operation, LogPoints)
                else [
                    dict(zip(operation.columns, row, strict=True))
                    for row in zip(*operation.columns.values(), strict=True)
                ]
            )
            rows += zip(operation.steps or [None] * len(values), values, strict=True)
    return rows


def test_the_history(run: Path) -> None:
    found = deliveries(run)
    loss = series(found, "loss")
    assert [step for step, _ in loss] == [0, 1, 2, 3, 4]
    assert [value for _, value in loss if value == value] == [0.5, math.inf, -math.inf, 1 / 3]
    assert math.isnan(loss[1][1])
    assert series(found, "acc/top") == [(0, 0), (1, 10**15), (2, -3)]
    assert series(found, "größe") == [(0, 1.5)]
    assert series(found, "nested.a") == [(0, 1)]
    assert series(found, "nested.b") == [(0, {"text": "word"})]
    assert series(found, "flag") == [(1, 1)]
    assert series(found, "text") == [(3, {"text": "first\nsecond"})]
    assert series(found, "bins") == [(4, 1), (4, 2.5), (4, 3)]
    assert series(found, "late") == [(100, 1)]
    [(_, long)] = series(found, "long")
    assert long == {"text": "y" * (64 << 10)}
    assert {skipped.reason for one in found for skipped in one.skipped} == {"a text over 65536 bytes is cut"}
    assert series(deliveries(run, WandbConfig(text_bytes=1 << 20)), "long")[0][1] == {"text": "y" * 70_000}


def test_times_are_those_of_the_rows(run: Path) -> None:
    [operation] = [one for one in of_kind(deliveries(run), LogPoints) if one.metric == "loss"]
    [status, *_] = of_kind(deliveries(run), SetStatus)
    assert len(operation.at) == 5
    assert operation.at == sorted(operation.at)
    assert all(0 <= at - status.at < 120_000_000 for at in operation.at)


def test_the_run_and_how_it_ended(run: Path) -> None:
    found = deliveries(run)
    [declared] = of_kind(found, DeclareRun)
    assert (declared.run_id, declared.experiment, declared.name) == ("abcd1234", "vision", "first try")
    assert (declared.description, declared.kind, declared.submitted_by) == ("hello", "train", "team")
    assert declared.tags == {"a": "", "b": "", "group": "g1"}
    params = dict(declared.params)
    for annotated in of_kind(found, Annotate):
        params |= annotated.params
    assert params == {
        "lr": "0.1", "model.name": "mlp", "model.layers": "[1, 2]", "n": str(2**53 + 1), "flag": "false", "later": "yes",
    }  # fmt: skip
    statuses = [(one.status, one.detail) for one in of_kind(found, SetStatus)]
    assert statuses == [(RunStatus.RUNNING, None), (RunStatus.FAILED, "exit code 3")]
    assert [one.exit_code for one in of_kind(found, Annotate) if one.exit_code is not None] == [3]
    properties: dict[str, str] = {}
    for annotated in of_kind(found, Annotate):
        properties |= annotated.properties
    summary = {name: value for name, value in properties.items() if name.startswith("wandb.summary.")}
    assert summary == {"wandb.summary.best": "0.9", "wandb.summary.note": "mine"}


def test_the_output_is_kept_as_it_was_printed(run: Path) -> None:
    text = b"".join(one.data for one in of_kind(deliveries(run), LogText)).decode()
    assert "epoch 1: lößs 0.5\n" in text.replace("\r\n", "\n")
    assert "progress 10%\rprogress 20%" in text
    _, units = units_of(ingester, run)
    # The client's own version of it, which not every client writes, is not a log beside it.
    folder = run / "wandb" / "offline-run-1"
    logs = {folder / "run-abcd1234.wandb", folder / "files" / "output.log"}
    assert {run / path for unit in units for path in unit.files} == {path for path in logs if path.exists()}


def test_files_stay_where_they_are(run: Path) -> None:
    found = {one.path: one for one in of_kind(deliveries(run), AddArtifact)}
    saved = found["files/result.txt"]
    assert saved.size == 6
    assert saved.content_type == "text/plain"
    assert saved.location == str(run / "wandb/offline-run-1/files/result.txt")


def test_every_prefix_of_the_log_is_a_beginning_of_it(tmp_path: Path) -> None:
    whole = (written("0.31.0", 3) / "run-abcd1234.wandb").read_bytes()
    folder = tmp_path / "run"
    folder.mkdir()
    path = folder / "run-abcd1234.wandb"
    path.write_bytes(whole)
    all_points = series(deliveries(tmp_path), "acc/top")
    for size in range(7, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:size])
        found = deliveries(tmp_path)
        points = series(found, "acc/top")
        assert points == all_points[: len(points)]
        assert not [skipped for one in found for skipped in one.skipped if "damaged" in skipped.reason]
