"""Reading scalars by their form gives what reading their fields gives, whatever the bytes."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tensorboardX.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2

from graphql_runs.ingest.wire import Malformed
from graphql_runs_tensorboard.event import Scalar, event
from graphql_runs_tensorboard.scalar import Scalars

_TAGS = st.sampled_from(["loss", "train/acc", "ü", ""])
_FLOATS = st.floats(width=32)
_STEPS = st.integers(-(2**63), 2**63 - 1)


@st.composite
def summaries(draw: st.DrawFn) -> Any:
    """A value as writers of several times have written it."""
    value = summary_pb2.Summary.Value(tag=draw(_TAGS))
    if draw(st.booleans()):
        value.metadata.plugin_data.plugin_name = draw(st.sampled_from(["scalars", "text", "hparams"]))
    number = draw(_FLOATS)
    match draw(st.integers(0, 3)):
        case 0:
            value.simple_value = number
        case 1:
            value.tensor.CopyFrom(tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[number]))
        case 2:
            value.tensor.CopyFrom(
                tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=struct.pack("<f", number))
            )
        case _:
            value.tensor.CopyFrom(tensor_pb2.TensorProto(dtype=types_pb2.DT_DOUBLE, double_val=[number]))
    return value


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A record: an event with one value, now and then with two."""
    values = draw(st.lists(summaries(), min_size=1, max_size=2 if draw(st.integers(0, 9)) == 0 else 1))
    made = event_pb2.Event(
        wall_time=draw(st.floats(-1e12, 1e12)), step=draw(_STEPS), summary=summary_pb2.Summary(value=values)
    )
    found: bytes = made.SerializeToString()
    return found


def same(data: bytes, scalars: Scalars) -> bool:
    """Whether the form says what the fields say; True when it says nothing. The event is learnt from."""
    number = scalars.read(data)
    try:
        found = event(data)
    except Malformed:
        return number is None
    scalars.learn(data, found)
    if number is None:
        return True
    [said] = found.said
    assert isinstance(said, Scalar)
    equal = struct.pack("<d", said.value) == struct.pack("<d", number.value)
    return equal and (said.tag, found.step, found.wall_time) == (number.tag, number.step, number.wall_time)


@given(st.lists(written(), max_size=12))
def test_what_libraries_write(records: list[bytes]) -> None:
    scalars = Scalars()
    assert all(same(data, scalars) for data in records * 2)


@given(st.lists(written(), min_size=1, max_size=3), st.data())
def test_whatever_the_bytes_are(records: list[bytes], data: st.DataObject) -> None:
    scalars = Scalars()
    for record in records:
        assert same(record, scalars)
        changed = bytearray(record)
        for _ in range(data.draw(st.integers(1, 4))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(changed)))
        for one in (bytes(changed), bytes(changed[:cut]), record + bytes(changed[:cut])):
            assert same(one, scalars)


def test_the_usual_one_is_read_by_its_form() -> None:
    scalars = Scalars()
    for step, number in enumerate([0.5, math.nan, -math.inf, 1e-40]):
        made = event_pb2.Event(wall_time=1.5, step=step)
        made.summary.value.add(tag="loss", simple_value=number)
        data = made.SerializeToString()
        assert (scalars.read(data) is not None) == (step > 0)
        assert same(data, scalars)
