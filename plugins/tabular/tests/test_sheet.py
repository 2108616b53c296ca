from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from graphql_runs.ingest.api import IDLE_SECONDS, Limits
from plugins.tabular.tests.table import Table

NOW = 1_704_067_200


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path, "metrics.csv")


def csv_of(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """As csv.DictWriter writes it, blanks where a row has no value."""
    lines = [",".join(columns), *(",".join(str(row.get(column, "")) for column in columns) for row in rows)]
    return "\n".join(lines) + "\n"


# Reading


def test_columns_become_metrics_with_blanks_left_out(table: Table) -> None:
    table.write("epoch,step,train_loss,val_acc\n0,9,1.5,\n0,10,,0.5\n1,19,0.5,\n")
    table.read()
    assert (table.values("train_loss"), table.steps("train_loss")) == ([1.5, 0.5], [9, 19])
    assert (table.values("val_acc"), table.steps("val_acc")) == ([0.5], [10])
    assert (table.values("epoch"), table.steps("epoch")) == ([0.0, 0.0, 1.0], [9, 10, 19])
    assert table.skipped == []


def test_one_column_is_the_step_of_all(table: Table) -> None:
    table.write("epoch,step,loss\n1,10,1\n2,,2\n")
    table.read(most=1)
    table.read()
    assert table.steps("loss") == [10, None]
    assert table.values("epoch") == [1.0, 2.0]


def test_keras_counts_epochs(table: Table) -> None:
    table.write("epoch,accuracy,loss\n0,0.5,1.25\n1,0.75,1\n")
    table.read()
    assert (table.values("accuracy"), table.steps("accuracy")) == ([0.5, 0.75], [0, 1])
    assert table.metrics() == {"accuracy", "loss"}


def test_time_columns_give_times(table: Table) -> None:
    table.write(f"timestamp,step,loss\n{NOW}.5,1,1\n2024-01-01T00:00:01Z,2,2\n")
    table.read()
    assert table.times("loss") == [NOW * 1_000_000 + 500_000, (NOW + 1) * 1_000_000]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.tsv", "step\tloss, total\n1\t0.5\n"),
        ("metrics.csv", "step;acc;loss, total\n1;0;0.5\n"),
        ("metrics.csv", 'step,"loss, total"\r\n1,0.5\r\n'),
        ("metrics.csv", '\ufeffstep,"loss, total"\n1,"0.5"\n'),
        ("metrics.csv", ' step , "loss, total"\n'.replace(' "', '"') + " 1 , 0.5 \n"),
    ],
)
def test_other_ways_to_write_a_table(tmp_path: Path, name: str, text: str) -> None:
    table = Table(tmp_path, name)
    table.write(text)
    table.read()
    assert (table.values("loss, total"), table.steps("loss, total")) == ([0.5], [1])


def test_numbers_texts_and_what_is_neither(table: Table) -> None:
    table.write(f"step,loss,note,best,tokens\n1,nan,warm-up,True,{2**53 + 1}\n2,-inf,ünï,False,{2**53 + 3}\n")
    table.read()
    assert math.isnan(table.values("loss")[0])  # type: ignore[arg-type]  # a number
    assert table.values("loss")[1] == -math.inf
    assert table.texts("note") == ["warm-up", "ünï"]
    assert table.values("best") == [1.0, 0.0]
    assert table.values("tokens") == [2**53 + 1, 2**53 + 3]


def test_columns_without_a_name_and_doubles_are_told_apart(table: Table) -> None:
    table.write(",step,loss,loss\n0,1,2,3\n")
    table.read()
    assert {name: table.values(name) for name in table.metrics()} == {
        "column 1": [0.0],
        "loss": [2.0],
        "loss.1": [3.0],
    }


def test_a_header_in_between_is_a_job_that_was_started_again(table: Table) -> None:
    table.write("step,loss\n1,1\n2,2\nstep,loss\n1,3\n")
    table.read()
    assert (table.values("loss"), table.steps("loss")) == ([1.0, 2.0, 3.0], [1, 2, 1])
    assert table.skipped == []


def test_wrong_lines_are_reported_with_their_place_and_the_rest_goes_on(table: Table) -> None:
    table.write(b'step,loss\n1,1\n2\n\n3,3,3\n4,"4\n5,\xff\n6,6\n')
    table.read()
    assert table.values("loss") == [1.0, 6.0]
    assert [one.line for one in table.skipped] == [3, 5, 6, 7]
    assert "1 cells, the header has 2 columns: '2'" in table.skipped[0].reason
    assert "malformed CSV" in table.skipped[2].reason
    assert "not UTF-8" in table.skipped[3].reason


def test_lines_over_the_limit_are_passed_over(tmp_path: Path) -> None:
    table = Table(tmp_path, "metrics.csv", Limits(delivery_bytes=64, line_bytes=100))
    table.write("step,loss\n1,1\n" + "x" * 500 + "\n3,3\n")
    table.read()
    assert table.values("loss") == [1.0, 3.0]
    assert [one.line for one in table.skipped] == [3]


# Growth


def test_growth_is_read_with_the_header_known(table: Table) -> None:
    table.write("step,loss\n")
    table.read()
    table.append("1,1\n2,")
    table.read()
    table.append("2\n")
    table.read()
    assert (table.values("loss"), table.steps("loss")) == ([1.0, 2.0], [1, 2])


def test_a_last_line_without_an_end_may_still_grow_for_long(table: Table) -> None:
    table.write("step,loss\n1,1\n2,0.1")
    table.age(60)
    table.read()
    assert table.values("loss") == [1.0]
    table.append("25\n")
    table.read()
    assert table.values("loss") == [1.0, 0.125]


def test_a_last_line_without_an_end_counts_once_when_nobody_is_expected_to_write(table: Table) -> None:
    table.write("step,loss\n1,1\n2,0.1")
    table.age(IDLE_SECONDS + 1)
    table.read()
    table.read()
    assert table.values("loss") == [1.0, 0.1]
    table.append("\n3,3\n")
    table.read()
    assert (table.values("loss"), table.skipped) == ([1.0, 0.1, 3.0], [])


def test_a_last_line_that_lacks_cells_is_reported_once(table: Table) -> None:
    table.write("step,loss,acc\n1,1,1\n2,0.")
    table.age(10)
    table.read()
    table.read()
    assert [(one.line, "cut off" in one.reason) for one in table.skipped] == [(3, True)]
    table.append("5,1\n")
    table.read()
    assert table.values("loss") == [1.0, 0.5]


# Rewriting


ROWS = [{"step": step, "loss": step / 8} for step in range(40)]


def test_a_new_column_adds_only_what_is_new(table: Table) -> None:
    table.write(csv_of(["step", "loss"], ROWS))
    table.read()
    rows = [{**row, "acc": row["step"] / 4} if row["step"] >= 20 else row for row in ROWS] + [
        {"step": 40, "loss": 5, "acc": 10}
    ]
    table.write(csv_of(["acc", "step", "loss"], rows))
    table.read()
    assert table.values("loss") == [row["loss"] for row in rows]
    assert (table.values("acc"), table.steps("acc")) == (
        [step / 4 for step in range(20, 41)],
        list(range(20, 41)),
    )
    assert table.skipped == []
    table.append("11,41,6\n")
    table.read()
    assert (table.values("loss")[-1], table.values("acc")[-1]) == (6.0, 11.0)


def test_columns_may_come_one_after_the_other_at_any_point(tmp_path: Path) -> None:
    """Killed in the middle of reading a rewritten file, which is rewritten again meanwhile."""
    table = Table(tmp_path, "metrics.csv")
    rows = [{"step": step, "a": step, "b": step * 2, "c": step * 3} for step in range(60)]
    table.write(csv_of(["step", "a"], rows[:40]))
    table.read()
    table.write(csv_of(["step", "a", "b"], rows[:50]))
    table.read(most=3)
    table.write(csv_of(["step", "a", "b", "c"], rows))
    table.read()
    for factor, name in enumerate("abc", 1):
        assert table.values(name) == [float(step * factor) for step in range(60)]
        assert table.steps(name) == list(range(60))
    assert table.skipped == []


@pytest.mark.parametrize("most", [1, 2, 5])
def test_reading_a_rewritten_file_may_be_stopped_anywhere(tmp_path: Path, most: int) -> None:
    table = Table(tmp_path, "metrics.csv")
    rows = [{"step": step, "a": step, "b": step * 2} for step in range(60)]
    table.write(csv_of(["step", "a"], rows[:50]))
    table.read()
    table.write(csv_of(["step", "a", "b"], rows))
    while table.read(most=most):
        pass
    table.read()
    assert table.values("a") == [float(step) for step in range(60)]
    assert table.values("b") == [float(step * 2) for step in range(60)]


def test_a_file_that_is_being_written_anew_is_waited_for(table: Table) -> None:
    text = csv_of(["step", "loss"], ROWS)
    table.write(text)
    table.read()
    for size in (20, len(text) // 2):
        table.write(text[:size])
        table.read()
    table.write(text + "40,5\n")
    table.read()
    assert table.values("loss") == [*(row["loss"] for row in ROWS), 5.0]
    assert table.skipped == []


def test_a_file_with_other_rows_is_read_from_its_beginning(table: Table) -> None:
    table.write(csv_of(["step", "loss"], ROWS))
    table.read()
    table.write("step,loss\n0,9\n1,8\n")
    table.read()
    assert table.values("loss") == [*(row["loss"] for row in ROWS), 9.0, 8.0]
    assert [one.reason for one in table.skipped] == [
        "the file was written anew; it is read again from its beginning"
    ]


def test_a_file_without_the_columns_it_had_is_read_from_its_beginning(table: Table) -> None:
    table.write("step,loss\n0,1\n")
    table.read()
    table.write("step,acc\n0,1\n")
    table.read()
    assert (table.values("loss"), table.values("acc")) == ([1.0], [1.0])
    assert len(table.skipped) == 1


@pytest.mark.parametrize("more", [1, 40])
def test_a_file_that_was_cut_to_an_earlier_row_goes_on_near_it(table: Table, more: int) -> None:
    table.write(csv_of(["step", "loss"], ROWS))
    table.read()
    table.write(csv_of(["step", "loss"], [*ROWS[:30], *({"step": 30 + n, "loss": -n} for n in range(more))]))
    table.age(10)
    table.read()
    table.read()
    found = table.values("loss")
    assert found[:40] == [row["loss"] for row in ROWS]
    assert found[-more:] == [float(-n) for n in range(more)]
    again = found[40:-more]
    assert again == [row["loss"] for row in ROWS[30 - len(again) : 30]]
    assert len(again) < 15
    assert len(table.skipped) == 1
    assert "cut or changed after this line" in table.skipped[0].reason


def test_an_emptied_file_is_read_when_rows_come(table: Table) -> None:
    table.write("step,loss\n0,1\n")
    table.read()
    os.truncate(table.path, 0)
    table.age(10)
    with pytest.raises(ValueError, match="not enough values"):
        table.read()  # nothing says that an empty file is a table
    table.write("step,loss\n0,7\n")
    table.read()
    assert table.values("loss") == [1.0, 7.0]
