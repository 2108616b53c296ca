"""Event files whose records are sound, but not what is in them: the plugin takes what it can and never fails."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from graphql_runs.ingest.api import Skipped
from graphql_runs.model.operation import LogPoints, LogRows, SetStatus
from graphql_runs.model.time import to_datetime
from graphql_runs_tensorboard.record import records
from plugins.tensorboard.tests.folders import deliveries, operations
from plugins.tensorboard.tests.test_parser import framed
from plugins.tensorboard.tests.written import RECORDED, VERSIONS, written
from tests.fuzz import bounded, damaged

NAME = "events.out.tfevents.1700000000.host"


@cache
def sound() -> tuple[bytes, ...]:
    """Different events that libraries wrote, the small ones of each file."""
    folders = (RECORDED, written("tensorboard", next(iter(VERSIONS["tensorboard"]))))
    found: dict[bytes, None] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*tfevents*")):
            with path.open("rb", buffering=0) as file:
                events = (record.data for record in records(file, 0, 1 << 20))
                few = islice((data for data in events if data and len(data) < 2000), 24)
                found |= dict.fromkeys(data for data in few if data)
    return tuple(found)


def taken(data: bytes) -> list[Skipped]:
    """Read a file of these bytes through the plugin; what it delivers can be kept."""
    with TemporaryDirectory() as name:
        folder = Path(name, "run")
        folder.mkdir()
        (folder / NAME).write_bytes(data)
        with bounded(len(data)):
            found = deliveries(Path(name))
    for delivery in found:
        json.dumps(delivery.checkpoint)
    for operation in operations(found):
        match operation:
            case LogPoints():
                assert operation.steps is not None
                assert operation.at is not None
                assert len(operation.steps) == len(operation.values) == len(operation.at)
                assert all(map(to_datetime, operation.at))
            case LogRows():
                assert operation.at is not None
                assert all(len(column) == len(operation.at) for column in operation.columns.values())
                assert all(map(to_datetime, operation.at))
            case SetStatus():
                assert operation.at is not None
                assert to_datetime(operation.at)
    return [skipped for delivery in found for skipped in delivery.skipped]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_events_in_sound_records(data: st.DataObject) -> None:
    events = data.draw(st.lists(damaged(sound()), min_size=1, max_size=3))
    taken(b"".join(map(framed, events)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files(data: st.DataObject) -> None:
    whole = b"".join(map(framed, sound()[:12]))
    taken(data.draw(damaged((whole,))))


def event(at: float, *sizes: int) -> bytes:
    """An event with a number, and with an array of these sizes that has one element."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
    array = TensorProto(dtype=1, tensor_shape=shape, float_val=[1])
    values = [Summary.Value(tag="x", simple_value=1), Summary.Value(tag="y", tensor=array)]
    found: bytes = Event(wall_time=at, summary=Summary(value=values)).SerializeToString()
    return found


@example(event(1e300))
@example(event(0, 2**62, 4, 0))
@example(event(0, 2**18, 3))
@example(event(0, *[1] * 33))
@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_in_a_sound_record(data: bytes) -> None:
    taken(framed(data))


def test_what_no_calendar_and_no_memory_has_is_told() -> None:
    assert "time of an event" in taken(framed(event(1e300)))[0].reason
    assert taken(framed(event(0, 2**62, 4, 0)))
    assert "over the limit" in taken(framed(event(0, 2**40)))[0].reason
