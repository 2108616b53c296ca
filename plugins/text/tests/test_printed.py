"""Logs that other people's loggers wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.time import from_text
from graphql_runs_text import ingester
from plugins.text.tests.logs import Points, points_in, points_of
from tests.isolated import said_by

_JOB = Path(__file__).with_name("job.py")
_KERAS = Path(__file__).with_name("keras")


def test_loggers_of_python(tmp_path: Path) -> None:
    said = said_by("structlog", "26.1.0", _JOB, tmp_path, needs=("tqdm==4.70.1",))["said"]
    tree, units = units_of(ingester, tmp_path)
    assert {unit.key for unit in units} == said.keys()
    for unit in units:
        found = points_of(read(ingester, tree, unit))
        wanted: Points = {}
        for step, values, at in said[unit.key]:
            for key, value in values.items():
                wanted.setdefault(f"{unit.key}/{key}", []).append((step, value, at))
        assert found == wanted


def test_naive_times_of_python_count_when_their_zone_is_known(tmp_path: Path) -> None:
    line = b"2024-07-01 00:01:02,345 INFO step=1 loss=0.5\n"
    assert points_in(line, tmp_path)["loss"] == [(1, "0.5", None)]
    at = from_text("2024-06-30T22:01:02.345Z")
    assert points_in(line, tmp_path, timezone="Europe/Berlin")["loss"] == [(1, "0.5", at)]


@pytest.mark.parametrize("verbose", [1, 2])
def test_keras(verbose: int, tmp_path: Path) -> None:
    """Keras 3.15.1 with jax: `python job.py keras 2 verbose2.json > verbose2.log`. It prints four digits."""
    history = json.loads((_KERAS / f"verbose{verbose}.json").read_text())["history"]
    found = points_in((_KERAS / f"verbose{verbose}.log").read_bytes(), tmp_path)
    assert found.keys() == history.keys()
    for key, values in history.items():
        last = {step: float(value) for step, value, _ in found[key]}
        assert last == pytest.approx(dict(enumerate(values, 1)), abs=1e-4)
