from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from graphql_runs.ingest.api import QUIET_SECONDS, Unreadable
from graphql_runs.ingest.testing import read, units_of
from graphql_runs_tabular import ingester
from plugins.tabular.tests.recorded import Found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file beside a training."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(
        json.dumps({"global_step": 9, "log_history": [{"step": 9, "loss": 1}]})
    )
    return folder / "all_results.json"


def test_results_are_those_of_a_training(path: Path, tmp_path: Path) -> None:
    text = json.dumps({"epoch": 3.0, "perplexity": 1.5})
    path.write_text(text)
    for other in ("elsewhere/all_results.json", "out/sub/all_results.json"):
        (tmp_path / other).parent.mkdir()
        (tmp_path / other).write_text(text)
    assert [unit.key for unit in units_of(ingester, tmp_path)[1]] == [
        "trainer_state.json",
        "all_results.json",
    ]
    found = Found(tmp_path)
    found.read()
    assert found.points() == {
        ("source/out", "loss"): [(9, 1)],
        ("source/out", "all_results/perplexity"): [(3, 1.5)],
    }


def test_only_what_changed_comes_in(path: Path, tmp_path: Path) -> None:
    found = Found(tmp_path)
    for values in (
        {"epoch": 1.0, "eval_acc": 0.5, "train_samples": 100},
        {"epoch": 1.0, "eval_acc": 0.5, "train_samples": 100},
        {"epoch": 2.0, "eval_acc": 0.75, "train_samples": 100},
        {"epoch": 2.0, "eval_acc": 0.75, "train_samples": 100, "by_class": {"a": [1, 2]}},
    ):
        path.write_text(json.dumps(values))
        found.read()
    assert {metric: points for (_, metric), points in found.points().items() if metric != "loss"} == {
        "all_results/eval_acc": [(1, 0.5), (2, 0.75)],
        "all_results/train_samples": [(1, 100)],
        "all_results/by_class/a": [(2, 1), (2, 2)],
    }


def test_what_is_none_is_waited_for_then_reported_once(path: Path, tmp_path: Path) -> None:
    found = Found(tmp_path)
    path.write_text("[1,\n")
    found.read()
    assert found.skipped() == []
    os.utime(path, (time.time() - QUIET_SECONDS - 1,) * 2)
    found.read()
    found.read()
    assert found.skipped() == ["out/all_results.json:2: malformed JSON: Expecting value (column 1)"]
    path.write_text("[1]")
    os.utime(path, (time.time() - QUIET_SECONDS - 1,) * 2)
    found.read()
    assert found.skipped()[1:] == ["out/all_results.json:1: not an object: [1]"]


def test_a_file_over_the_limit_is_an_error(path: Path, tmp_path: Path) -> None:
    path.write_text(json.dumps({"epoch": 1, "note": "x" * 40_000}))
    tree, [_, unit] = units_of(ingester, tmp_path)
    with pytest.raises(Unreadable, match="larger than 32768 bytes"):
        list(read(ingester, tree, unit))
