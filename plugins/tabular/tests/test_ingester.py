from __future__ import annotations

from pathlib import Path

import pytest

from graphql_runs.ingest.api import Delivery, Unreadable
from graphql_runs.ingest.testing import content_of, read, units_of
from graphql_runs_tabular import ingester
from plugins.tabular.tests.table import Table


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        text = '{"step": 1, "loss": 1}\n' if path.endswith("jsonl") else "step,loss\n1,1\n"
        (folder / path).write_text(text)


def names(folder: Path) -> dict[str, str]:
    """The metric that each file gives its `loss`."""
    tree, units = units_of(ingester, folder)
    found = {}
    for unit in units:
        [(run, metric)] = content_of(read(ingester, tree, unit)).metrics
        found[f"{run}:{unit.key}"] = metric
    return found


def test_the_only_table_of_a_run_has_plain_names(tmp_path: Path) -> None:
    write(tmp_path, "a/train.jsonl", "b/outputs/metrics.csv")
    assert names(tmp_path) == {"source/a:train.jsonl": "loss", "source/b:outputs/metrics.csv": "loss"}


def test_several_tables_of_a_run_are_told_apart(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a/metrics.jsonl",
        "a/metrics.csv",
        "a/eval.jsonl",
        "b/train.jsonl",
        "b/eval.jsonl",
        "b/logs/eval.jsonl",
    )
    assert names(tmp_path) == {
        "source/a:metrics.jsonl": "loss",
        "source/a:eval.jsonl": "eval/loss",
        "source/a:metrics.csv": "metrics/loss",
        "source/b:train.jsonl": "train/loss",
        "source/b:eval.jsonl": "eval/loss",
        "source/b:logs/eval.jsonl": "eval.jsonl/loss",
    }


def test_names_stay_when_another_table_comes(tmp_path: Path) -> None:
    table = Table(tmp_path, "train.jsonl")
    table.rows({"step": 1, "loss": 1})
    table.read()
    write(tmp_path, "run/eval.jsonl")
    table.rows({"step": 2, "loss": 2})
    table.read()
    assert table.values("loss") == [1.0, 2.0]
    assert names(tmp_path)["source/run:eval.jsonl"] == "eval/loss"


def test_files_without_metrics_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "chat.jsonl").write_text('{"messages": []}\n')
    (tmp_path / "iris.csv").write_text("sepal,petal\n1,2\n")
    (tmp_path / "data.json").write_text('{"step": 1}\n')
    assert units_of(ingester, tmp_path)[1] == []


def test_a_table_that_cannot_be_read_says_so_when_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, "metrics.csv")
    tree, [unit] = units_of(ingester, tmp_path)
    (tmp_path / "metrics.csv").unlink()
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(Unreadable, match="no regular file"):
        list(read(ingester, tree, unit))


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "metrics.csv")
    tree, [unit] = units_of(ingester, tmp_path)
    with pytest.raises(ValueError, match="not a checkpoint"):
        list(read(ingester, tree, unit, {"offset": 3}))


def test_an_empty_delivery_has_a_checkpoint_too(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss\n")
    tree, [unit] = units_of(ingester, tmp_path)
    [delivery] = read(ingester, tree, unit)
    assert isinstance(delivery, Delivery)
    assert delivery.operations == []
    assert delivery.checkpoint
