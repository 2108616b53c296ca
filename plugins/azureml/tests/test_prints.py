"""Metrics that an offline run printed."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.ingest.api import Limits
from graphql_runs.model.operation import LogPoints, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs_azureml.literal import NotLiteral, literal
from graphql_runs_azureml.numbers import number
from plugins.azureml.tests.builder import Reading, details, points, put, read, reasons, same


def printed(folder: Path, *lines: str, limits: Limits | None = None) -> Reading:
    put(
        folder / "r",
        {
            "run_details.json": details("r", "Running"),
            "user_logs/std_log.txt": "".join(f"{line}\n" for line in lines),
        },
    )
    return read(folder, limits=limits)


def test_scalars_that_an_offline_run_printed(tmp_path: Path) -> None:
    shown = [
        "0.5",
        "np.float64(0.25)",
        "nan",
        "tensor(0.125, device='cuda:0')",
        "1e-3",
        "True",
        "[7]",
        "-inf",
        "np.int64(3)",
    ]
    lines = [
        line
        for value in shown
        for line in ("Attempted to log scalar metric val/loss (a: b):", value, "something else")
    ]
    found = points(printed(tmp_path, *lines), "val/loss (a: b)")
    assert same(found, [0.5, 0.25, math.nan, 0.125, 1e-3, 1, 7, -math.inf, 3])


def test_a_progress_bar_before_the_line(tmp_path: Path) -> None:
    assert points(
        printed(tmp_path, "\r 10%|#\r 20%|##\rAttempted to log scalar metric loss:\r", "1.5\r"), "loss"
    ) == [1.5]


def test_lists_rows_and_tables_that_were_printed(tmp_path: Path) -> None:
    reading = printed(
        tmp_path,
        "Attempted to log list metric l:",
        "[1, np.float64(2.5), nan]",
        "Attempted to log list metric a:",
        "[0.1 0.2  3.]",
        "Attempted to log row metric r:",
        "{'x': 1, 'name': 'one', 'none': None}",
        "Attempted to log row metric r:",
        "{'x': np.int64(2), 'name': None, 'extra': True}",
        "Attempted to log table metric t:",
        "{'x': [1, 2], 'y': array([3., 4.])}",
    )
    one, other = reading.of(LogPoints)
    assert (one.kind, other.kind) == (MetricKind.LIST, MetricKind.LIST)
    assert same(one.values, [1, 2.5, math.nan])
    assert list(other.values) == [0.1, 0.2, 3.0]
    first, second, table = reading.of(LogRows)
    assert {name: list(values) for name, values in first.columns.items()} == {"x": [1], "name": ["one"]}
    assert {name: list(values) for name, values in second.columns.items()} == {
        "x": [2],
        "name": [None],
        "extra": [True],
    }
    assert (first.kind, table.kind) == (MetricKind.ROW, MetricKind.TABLE)
    assert {name: list(values) for name, values in table.columns.items()} == {"x": [1, 2], "y": [3.0, 4.0]}
    assert (reading.skipped, reading.errors) == ([], [])


def test_printed_metrics_that_cannot_be_taken_are_told_with_their_line(tmp_path: Path) -> None:
    reading = printed(
        tmp_path,
        "Attempted to log image metric plot:",
        "plot.png",
        "Attempted to log list metric l:",
        "[0.1 0.2",
        "Attempted to log row metric r:",
        "__import__('os').system('true')",
        "Attempted to log table metric t:",
        "{'x': [1, 2], 'y': [1]}",
        "Attempted to log scalar metric loss:",
        "1",
        "Attempted to log scalar metric loss:",
        "not a number",
        "Attempted to log list metric loss:",
        "[1]",
    )
    assert [(skipped.path, skipped.line) for skipped in reading.skipped] == [
        ("r/user_logs/std_log.txt", line) for line in (2, 4, 6, 8, 12, 14)
    ]
    assert reasons(reading.skipped)[0] == "metrics of the kind image are not read yet"
    assert points(reading, "loss") == [1]


def test_a_value_that_comes_later(tmp_path: Path) -> None:
    place = (
        put(tmp_path / "r", {"user_logs/std_log.txt": "Attempted to log scalar metric loss:\n"})
        / "user_logs/std_log.txt"
    )
    first = read(tmp_path)
    assert first.of(LogPoints) == []
    with place.open("a") as file:
        file.write("0.")
    second = read(tmp_path, first.checkpoints)
    assert second.of(LogPoints) == []
    with place.open("a") as file:
        file.write("5\nAttempted to log scalar metric loss:\n0.25\n")
    assert points(read(tmp_path, second.checkpoints), "loss") == [0.5, 0.25]


@given(st.integers(1, 60))
def test_printed_metrics_are_the_same_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    folder = tmp_path_factory.mktemp("source")
    lines = [line for k in range(4) for line in ("Attempted to log scalar metric loss:", str(k), "tick")]
    assert points(printed(folder, *lines, limits=Limits(delivery_bytes=size)), "loss") == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" -3 ", -3),
        ("np.int64(3)", 3),
        ("np.float32(0.5)", 0.5),
        ("1e400", math.inf),
        ("-Infinity", -math.inf),
        (".5", 0.5),
        ("5.", 5.0),
        ("'3'", None),
        ("1_000", None),
        ("", None),
        ("0x10", None),
        ("--3", None),
        ("np.int64()", None),
        ("three", None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


def test_nan_is_a_number() -> None:
    assert math.isnan(number("np.float64(nan)") or 0.0)


@given(st.text(max_size=60) | st.text("[]{}()'\"0123456789.,:-eEnaif np", max_size=60))
def test_whatever_was_printed_is_a_value_or_none(text: str) -> None:
    number(text)
    with suppress(NotLiteral):
        assert literal(text) is None or isinstance(literal(text), bool | int | float | str | list | dict)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 300,
        "[" * 100 + "]" * 100,
        "-" * 5000 + "1",
        "f(1)",
        "a.b",
        "1+1",
        "lambda: 1",
        "{**{}}",
        "{1: 2}[1]",
        "'" + "x" * 10,
    ],
)
def test_values_that_are_not_read(text: str) -> None:
    with pytest.raises(NotLiteral):
        literal(text)
