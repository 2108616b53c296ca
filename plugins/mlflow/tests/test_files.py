"""Files that are not what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import LogPoints
from graphql_runs_mlflow import ingester
from graphql_runs_mlflow.layout import parse_meta

RUN = "run_id: '{id}'\nstatus: 3\nstart_time: 5\nend_time: null\n"


def make(folder: Path, experiment: str = "1", run: str = "r1", meta: str = RUN) -> Path:
    place = folder / experiment / run
    (place / "metrics").mkdir(parents=True)
    (folder / experiment / "meta.yaml").write_text(f"experiment_id: '{experiment}'\nname: exp\n")
    (place / "meta.yaml").write_text(meta.format(id=run))
    return place


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read_as_a_document(data: bytes) -> None:
    assert parse_meta(data) is None or isinstance(parse_meta(data), dict)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "[" * 5000,
        "just text",
        "",
    ],
)
def test_what_is_no_plain_document_is_refused(text: str) -> None:
    assert parse_meta(text.encode()) is None


def test_a_folder_with_another_meta_file_is_no_run(tmp_path: Path) -> None:
    make(tmp_path, meta="name: something else\n")
    assert units_of(ingester, tmp_path)[1] == []


def test_parents_in_a_circle_do_not_hang(tmp_path: Path) -> None:
    for run, parent in (("r1", "r2"), ("r2", "r1"), ("r3", "gone")):
        place = make(tmp_path, run, run)
        (place / "tags").mkdir()
        (place / "tags" / "mlflow.parentRunId").write_text(parent)
    _, units = units_of(ingester, tmp_path)
    assert {unit.run.root_id for unit in units if unit.run is not None} <= {"r1", "r2", "gone"}


def test_lines_that_are_no_points_are_told(tmp_path: Path) -> None:
    place = make(tmp_path)
    (place / "metrics" / "loss").write_bytes(
        b"1000 0.5 1\nnonsense\n2000 0.25 2 name digest\n3000 0.125\n9 x 1\n"
    )
    tree, units = units_of(ingester, tmp_path)
    [unit] = [unit for unit in units if unit.key == "metrics/loss"]
    [delivery] = read(ingester, tree, unit)
    [points] = delivery.operations
    assert isinstance(points, LogPoints)
    assert (points.steps, points.values, points.at) == (
        [1, 2, 0],
        [0.5, 0.25, 0.125],
        [1_000_000, 2_000_000, 3_000_000],
    )
    assert [skipped.reason for skipped in delivery.skipped] == ["no point: b'nonsense'", "no point: b'9 x 1'"]
