from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from graphql_runs.ingest.api import Limits
from graphql_runs.model.operation import Annotate
from graphql_runs.model.records import MetricKind
from graphql_runs.model.status import RunStatus
from graphql_runs_tabular import TabularConfig
from plugins.tabular.tests.table import Table

NOW = 1_704_067_200


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path, "metrics.jsonl")


# Values


def test_numbers_become_points_with_their_steps_and_times(table: Table) -> None:
    table.rows(
        {"step": 0, "time": NOW, "loss": 1.5, "acc": 0}, {"step": 2, "time": NOW + 1, "loss": 0.5, "acc": 1}
    )
    table.read()
    assert (table.values("loss"), table.steps("loss")) == ([1.5, 0.5], [0, 2])
    assert table.times("acc") == [NOW * 1_000_000, (NOW + 1) * 1_000_000]
    assert table.metrics() == {"loss", "acc"}


def test_consecutive_lines_become_one_array_per_metric(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits())
    table.rows(*({"step": step, "loss": step, "acc": step} for step in range(1000)))
    table.read()
    assert [len(one.values) for one in table.points("loss")] == [1000]
    assert len(table.operations) == 2
    assert isinstance(table.points("loss")[0].values, np.ndarray)


def test_nested_objects_are_flattened(table: Table) -> None:
    table.rows({"step": 1, "train": {"loss": 1, "lr": {"head": 0.1}}, "val": {"acc": 0.5}})
    table.read()
    assert table.metrics() == {"train/loss", "train/lr/head", "val/acc"}


def test_lists_of_numbers_are_lists(table: Table) -> None:
    table.rows({"step": 3, "bins": [1, 2.5, "NaN"], "empty": []}, {"step": 4, "bins": 7})
    table.read()
    found = table.values("bins")
    assert found[:2] == [1.0, 2.5]
    assert math.isnan(found[2])  # type: ignore[arg-type]  # a number
    assert (found[3], table.steps("bins")) == (7.0, [3, 3, 3, 4])
    assert {one.kind for one in table.points("bins")} == {MetricKind.LIST}
    assert "empty" not in table.metrics()


def test_texts_are_kept_as_texts(table: Table) -> None:
    table.rows(
        {"step": 1, "loss": 1, "phase": "warm-up"},
        {"step": 2, "loss": 1, "phase": 5},
        {"step": 3, "loss": 1, "phase": ["a", 1]},
    )
    table.read()
    assert table.texts("phase") == ["warm-up", "5", '["a", 1]']


def test_numbers_may_be_written_as_texts_and_booleans(table: Table) -> None:
    table.rows(
        {"step": "1", "loss": "0.5", "done": True, "bad": "Infinity"},
        {"step": 2, "loss": None, "done": False, "bad": "N/A"},
    )
    table.read()
    assert table.values("loss") == [0.5]
    assert table.values("done") == [1, 0]
    assert table.values("bad") == [math.inf]


def test_numbers_that_json_does_not_have_are_read(table: Table) -> None:
    table.append('{"step": 1, "loss": NaN, "low": -Infinity, "high": Infinity, "huge": 1e999}\n')
    table.read()
    assert math.isnan(table.values("loss")[0])  # type: ignore[arg-type]  # a number
    assert [table.values(name) for name in ("low", "high", "huge")] == [[-math.inf], [math.inf], [math.inf]]


def test_large_integers_stay_exact(table: Table) -> None:
    table.rows({"step": 2**53 + 1, "tokens": 2**53 + 1}, {"step": 2**53 + 3, "tokens": 2**62 + 1})
    table.read()
    assert table.values("tokens") == [2**53 + 1, 2**62 + 1]
    assert table.steps("tokens") == [2**53 + 1, 2**53 + 3]


def test_integers_beyond_64_bits_become_floats(table: Table) -> None:
    table.append(f'{{"step": 1, "big": {2**70}, "bigger": {"9" * 400}}}\n')
    table.read()
    assert table.values("big") == [float(2**70)]
    assert table.values("bigger") == [math.inf]


def test_the_first_key_that_is_there_is_the_step(table: Table) -> None:
    table.rows(
        {"epoch": 1, "global_step": 10, "loss": 1},
        {"epoch": 2, "val": 2},
        {"step": "soon", "epoch": 3, "val": 3},
        {"loss": 4},
    )
    table.read()
    assert table.steps("loss") == [10, None]
    assert table.values("epoch") == [1.0]
    assert table.steps("val") == [2, 3]
    assert table.texts("step") == ["soon"]


def test_fractional_steps_are_kept(table: Table) -> None:
    table.rows({"epoch": 0.5, "loss": 1}, {"epoch": 1.0, "loss": 2})
    table.read()
    assert table.steps("loss") == [0.5, 1.0]


def test_a_time_that_is_a_duration_is_a_metric(table: Table) -> None:
    table.rows({"step": 1, "time": 12.5, "loss": 1}, {"step": 2, "time": "2024-01-01T00:00:00Z", "loss": 2})
    table.read()
    assert table.values("time") == [12.5]
    assert table.times("loss") == [None, NOW * 1_000_000]


def test_steps_and_times_may_have_other_names(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", config=TabularConfig(step=("Update",), time=("when",)))
    table.rows({"update": 4, "step": 9, "when": NOW, "loss": 1})
    table.read()
    assert (table.steps("loss"), table.times("loss")) == ([4], [NOW * 1_000_000])
    assert table.values("step") == [9.0]


def test_a_value_of_another_kind_is_left_out_and_reported(table: Table) -> None:
    table.rows(
        {"step": 1, "loss": 1},
        {"step": 2, "loss": "high"},
        {"step": 3, "loss": [1, 2]},
        {"step": 4, "loss": 4},
    )
    table.read(most=1)
    table.read()
    assert table.values("loss") == [1.0, 4.0]
    assert table.reasons() == [
        "run/metrics.jsonl:2: 'loss' has numbers, here it is 'high'",
        "run/metrics.jsonl:3: 'loss' has numbers, here it is [1, 2]",
    ]


# Parameters and status


def test_hyperparameters_become_params(table: Table) -> None:
    table.rows(
        {"config": {"lr": 0.1, "model": {"name": "mlp", "sizes": [1, 2]}, "seed": None}},
        {"step": 1, "loss": 1},
    )
    table.read()
    [found] = [one for one in table.operations if isinstance(one, Annotate)]
    assert found == Annotate("source/run", params={"lr": "0.1", "model/name": "mlp", "model/sizes": "[1, 2]"})


def test_a_status_is_told_once_with_its_place(table: Table) -> None:
    table.rows(
        {"step": 1, "loss": 1, "status": "running"},
        {"step": 2, "loss": 1, "status": "running"},
        {"time": NOW, "status": "FINISHED"},
        {"step": 3, "loss": 1, "status": "fine"},
    )
    for _ in range(4):
        table.read(most=1)
    assert [(one.status, one.source, one.at, one.original, one.reported) for one in table.statuses()] == [
        (RunStatus.RUNNING, "run/metrics.jsonl:1", None, "running", True),
        (RunStatus.COMPLETED, "run/metrics.jsonl:3", NOW * 1_000_000, "FINISHED", True),
    ]
    assert table.texts("status") == ["fine"]


# Bad input


def test_malformed_lines_are_reported_with_their_place_and_the_rest_goes_on(table: Table) -> None:
    table.append(
        '{"step": 1, "loss": 1}\n{"step": 2, "loss"\n\n[1, 2]\n"text"\n{"step": 3, "loss": 3}\n\xff\n'.encode(
            "latin-1"
        )
    )
    table.read()
    assert table.values("loss") == [1.0, 3.0]
    assert [one.line for one in table.skipped] == [2, 4, 5, 7]
    assert [one.path for one in table.skipped] == ["run/metrics.jsonl"] * 4
    assert "malformed JSON" in table.skipped[0].reason
    assert "not an object: [1, 2]" in table.skipped[1].reason


def test_lines_that_nest_too_deep_are_reported(table: Table) -> None:
    table.rows({"step": 1, "loss": 1})
    table.append('{"a":' * 30 + "1" + "}" * 30 + "\n" + "[" * 2000 + "]" * 2000 + "\n")
    table.rows({"step": 2, "loss": 2})
    table.read()
    assert table.values("loss") == [1.0, 2.0]
    assert [one.line for one in table.skipped] == [2, 3]
    assert "nested more than 16" in table.skipped[0].reason


def test_lines_over_the_limit_are_passed_over(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits(delivery_bytes=64, line_bytes=100))
    table.rows({"step": 1, "loss": 1}, {"step": 2, "text": "x" * 500}, {"step": 3, "loss": 3})
    table.read()
    assert table.values("loss") == [1.0, 3.0]
    assert table.reasons() == ["run/metrics.jsonl:2: the line is longer than 100 bytes"]


def test_a_long_line_that_is_still_being_written_is_reported_once_it_ends(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits(delivery_bytes=64, line_bytes=100))
    table.rows({"step": 1, "loss": 1})
    table.append('{"step": 2, "text": "' + "x" * 300)
    table.read()
    table.append("x" * 300)
    table.read()
    assert table.skipped == []
    table.append('"}\n')
    table.rows({"step": 3, "loss": 3})
    table.read()
    assert table.values("loss") == [1.0, 3.0]
    assert [one.line for one in table.skipped] == [2]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("x" * 10_000, "its name has 10000 bytes, the limit is 1024"),
        (" ", "it has no name"),
        ("a\x00b", "control character"),
        ("\ud800", "not valid Unicode"),
    ],
)
def test_a_metric_that_cannot_be_called_so_is_left_out_and_reported(
    tmp_path: Path, name: str, problem: str
) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits())
    table.rows({"step": 1, "loss": 1}, {"step": 2, name: 2, "loss": 2})
    table.read()
    assert table.values("loss") == [1.0, 2.0]
    assert [one.line for one in table.skipped] == [2]
    assert problem in table.skipped[0].reason
    assert len(table.skipped[0].reason) < 300


def test_metrics_beyond_the_limit_are_left_out_and_reported(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits(delivery_bytes=64, metrics_per_run=2))
    table.rows({"step": 1, "a": 1, "b": 1}, {"step": 2, "c": 1, "a": 2}, {"step": 3, "c": 1, "b": 3})
    for _ in range(3):
        table.read(most=1)
    assert table.metrics() == {"a", "b"}
    assert "more than 2 metrics" in table.skipped[0].reason


def test_reports_of_one_piece_are_bounded(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits())
    table.rows({"step": 1, "loss": 1})
    table.append("{oops\n" * 1000)
    table.read()
    assert len(table.skipped) == 101
    assert "900 more" in table.skipped[-1].reason


def test_texts_that_are_no_unicode_are_repaired(table: Table) -> None:
    table.append('{"step": 1, "loss": 1, "note": "\\ud800 half"}\n')
    table.read()
    assert table.texts("note") == ["? half"]


# Growth


def test_a_line_counts_when_it_is_complete(table: Table) -> None:
    table.rows({"step": 1, "loss": 1})
    table.append('{"step": 2, ')
    table.read()
    assert table.values("loss") == [1.0]
    table.append('"loss": 2}')
    table.read()
    assert table.values("loss") == [1.0]
    table.append("\n")
    table.read()
    assert table.values("loss") == [1.0, 2.0]


def test_a_last_line_without_an_end_is_taken_once_when_nobody_writes_any_more(table: Table) -> None:
    table.rows({"step": 1, "loss": 1})
    table.append('{"step": 2, "loss": 2}')
    table.age(10)
    table.read()
    table.read()
    assert table.values("loss") == [1.0, 2.0]
    table.append("\n")
    table.rows({"step": 3, "loss": "x"}, {"step": 4, "loss": 4})
    table.read()
    assert table.values("loss") == [1.0, 2.0, 4.0]
    assert [one.line for one in table.skipped] == [3]


def test_a_line_that_goes_on_after_it_was_taken_is_reported(table: Table) -> None:
    table.append('{"step": 1, "loss": 1}')
    table.age(10)
    table.read()
    table.append('{"step": 2, "loss": 2}\n{"step": 3, "loss": 3}\n')
    table.read()
    assert table.values("loss") == [1.0, 3.0]
    assert table.reasons() == ["run/metrics.jsonl:1: the line went on after it had been taken for complete"]


def test_a_last_line_that_is_cut_off_is_reported_once_and_taken_when_it_is_mended(table: Table) -> None:
    table.rows({"step": 1, "loss": 1})
    table.append('{"step": 2, "lo')
    table.age(10)
    table.read()
    table.read()
    assert [one.line for one in table.skipped] == [2]
    assert "cut off" in table.skipped[0].reason
    table.append('ss": 2}\n')
    table.read()
    assert table.values("loss") == [1.0, 2.0]


@pytest.mark.parametrize("changed", [False, True])
def test_rows_with_and_without_steps_go_to_different_deliveries(tmp_path: Path, changed: bool) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits())
    table.rows({"step": 1, "loss": 1}, {"loss" if changed else "acc": 2}, {"step": 3, "loss": 3})
    tree_reads = [table.read(most=1) for _ in range(5)]
    assert table.values("loss") == ([1.0, 2.0, 3.0] if changed else [1.0, 3.0])
    assert table.steps("loss") == ([1, None, 3] if changed else [1, 3])
    for operations in tree_reads:
        names = [getattr(one, "metric", None) for one in operations]
        assert len(names) == len(set(names))


def test_parameters_and_statuses_are_told_once_when_a_row_starts_a_new_delivery(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl", Limits())
    table.rows({"step": 1, "loss": 1}, {"loss": 2, "params": {"a": 1}, "status": "done", "\x00": 1})
    table.read()
    assert len([one for one in table.operations if isinstance(one, Annotate)]) == 1
    assert len(table.statuses()) == 1
    assert len(table.skipped) == 1


# Rewriting


def test_a_file_that_is_written_anew_is_read_from_its_beginning(table: Table) -> None:
    table.rows({"step": 1, "loss": 1}, {"step": 2, "loss": 2})
    table.read()
    table.write(json.dumps({"step": 1, "loss": 9}) + "\n")
    table.age(10)
    table.read()
    assert table.values("loss") == [1.0, 2.0, 9.0]
    assert table.reasons() == [
        "run/metrics.jsonl:None: the file was written anew; it is read again from its beginning"
    ]
    table.rows({"step": 2, "loss": 8})
    table.read()
    assert table.values("loss") == [1.0, 2.0, 9.0, 8.0]


def test_a_file_that_is_just_being_written_anew_with_the_same_rows_is_waited_for(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.jsonl")
    rows = [{"step": step, "loss": step} for step in range(100)]
    table.rows(*rows)
    table.read()
    content = table.path.read_bytes()
    for size in (0, 100, 1500):
        table.write(content[:size])
        if size:
            table.read()
    table.write(content)
    table.rows({"step": 100, "loss": 100})
    table.read()
    assert table.values("loss") == [float(step) for step in range(101)]
    assert table.skipped == []


@pytest.mark.parametrize("more", [1, 60])
def test_a_file_that_was_cut_to_an_earlier_line_goes_on_near_it(tmp_path: Path, more: int) -> None:
    table = Table(tmp_path, "metrics.jsonl")
    table.rows(*({"step": step, "loss": step} for step in range(100)))
    table.read()
    lines = table.path.read_bytes().splitlines(keepends=True)
    os.truncate(table.path, len(b"".join(lines[:80])))
    table.rows(*({"step": step, "loss": -step} for step in range(80, 80 + more)))
    table.age(10)
    table.read()
    table.read()
    found = table.values("loss")
    assert found[:100] == [float(step) for step in range(100)]
    assert found[-more:] == [float(-step) for step in range(80, 80 + more)]
    again = found[100:-more]
    assert again == [float(step) for step in range(80 - len(again), 80)]
    assert len(again) < 20
    assert [one.line for one in table.skipped] == [80 - len(again)]
    assert "cut or changed after this line" in table.skipped[0].reason


def test_a_replaced_file_with_the_same_rows_goes_on(table: Table) -> None:
    table.rows({"step": 1, "loss": 1})
    table.read()
    copy = table.path.with_name("copy")
    copy.write_bytes(table.path.read_bytes() + b'{"step": 2, "loss": 2}\n')
    copy.replace(table.path)
    table.read()
    assert table.values("loss") == [1.0, 2.0]
