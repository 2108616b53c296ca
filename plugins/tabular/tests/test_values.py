from __future__ import annotations

import math

import pytest

from graphql_runs.model.time import from_text
from graphql_runs_tabular.values import is_blank, moment, number, step

NEW_YEAR = from_text("2024-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0.5", -0.5),
        (" 1e-3 ", 0.001),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("True", 1),
        ("false", 0),
        ("9007199254740993", 9007199254740993),
        ("-9223372036854775808", -(2**63)),
        ("1_000", None),
        ("", None),
        ("abc", None),
        ("0x10", None),
        ("1,5", None),
    ],
)
def test_numbers_are_read_from_texts(text: str, value: float | None) -> None:
    assert number(text) == value


def test_nan_is_a_number() -> None:
    found = number("NaN")
    assert found is not None
    assert math.isnan(found)


@pytest.mark.parametrize("text", ["", " ", "N/A", "null", "None", "-"])
def test_blanks_are_no_values(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (3, 3),
        (3.0, 3),
        (2.5, 2.5),
        ("7", 7),
        ("7.0", 7),
        (True, None),
        ("x", None),
        (math.nan, None),
        (math.inf, None),
        (2**63, None),
        (None, None),
        ([1], None),
    ],
)
def test_steps_are_finite_numbers(value: object, found: object) -> None:
    assert step(value) == found
    assert type(step(value)) is type(found)


@pytest.mark.parametrize(
    "value",
    [
        1704067200,
        1704067200.0,
        "1704067200",
        1704067200_000,
        1704067200_000_000,
        1704067200_000_000_000,
        "2024-01-01T00:00:00Z",
        "2024-01-01 00:00:00",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01 00:00:00,000",
    ],
)
def test_times_are_read_in_every_unit(value: object) -> None:
    assert moment(value) == NEW_YEAR


def test_fractions_of_seconds_are_kept() -> None:
    assert moment(1704067200.25) == NEW_YEAR + 250_000
    assert moment("2024-01-01T00:00:00.123456789Z") == NEW_YEAR + 123_456


@pytest.mark.parametrize(
    "value",
    [12.5, 0, -1, True, None, math.nan, math.inf, "yesterday", "20240101", "2024-01-01", "12:00:00", 1e30],
)
def test_what_is_no_time_of_day_is_none(value: object) -> None:
    assert moment(value) is None
