"""Record logs whose blocks are sound, but not what is in them: the plugin takes what it can and never fails."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import LogPoints, RunOperation
from graphql_runs.model.time import to_datetime
from graphql_runs_wandb import ingester
from graphql_runs_wandb.blocks import HEADER, records
from plugins.wandb.tests.folders import VERSIONS, written
from plugins.wandb.tests.test_blocks import framed
from tests.fuzz import bounded, damaged

PLACE = Path("wandb", "offline-run-20240101_000000-abcd1234")
NAME = "run-abcd1234.wandb"


@cache
def sound() -> tuple[bytes, ...]:
    """The records that today's client wrote, without the very long ones."""
    [path] = written(next(iter(VERSIONS)), 3).glob("*.wandb")
    with path.open("rb", buffering=0) as file:
        found = [record.data for record in records(file, 0, 1 << 20)]
    return tuple(dict.fromkeys(data for data in found if data and len(data) < 4000))


def taken(log: bytes) -> list[RunOperation]:
    """Read a run folder with this log through the plugin; what it delivers can be kept."""
    with TemporaryDirectory() as name:
        folder = Path(name) / PLACE
        folder.mkdir(parents=True)
        (folder / NAME).write_bytes(log)
        with bounded(len(log)):
            tree, units = units_of(ingester, Path(name))
            found = [delivery for unit in units for delivery in read(ingester, tree, unit)]
    for delivery in found:
        json.dumps(delivery.checkpoint)
    operations = [operation for delivery in found for operation in delivery.operations]
    for operation in operations:
        if isinstance(operation, LogPoints) and operation.at is not None:
            assert len(operation.values) == len(operation.at)
            assert all(map(to_datetime, operation.at))
    return operations


def test_the_whole_is_sound() -> None:
    found = taken(framed(list(sound())))
    assert {operation.metric for operation in found if isinstance(operation, LogPoints)} >= {
        "loss",
        "acc/top",
    }


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_records_in_sound_blocks(data: st.DataObject) -> None:
    taken(framed(data.draw(st.lists(damaged(sound()), min_size=1, max_size=4))))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_logs(data: st.DataObject) -> None:
    taken(data.draw(damaged((framed(list(sound()[:20])),))))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    taken(framed([data]))
    taken(HEADER + data)
    taken(data)
