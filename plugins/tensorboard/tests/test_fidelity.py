"""What the libraries write comes out as it went in."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorboardX
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from graphql_runs.model.operation import Annotate, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs_tensorboard import TensorboardConfig
from plugins.tensorboard.tests.folders import deliveries, operations, points, reasons

TIME = 1_700_000_000.123456
MICROS = 1_700_000_000_123_456
VALUES = [0.5, -1.25e-30, 3.0e38, math.nan, math.inf, -math.inf, 0.0, -0.0, 1 / 3]


def written(folder: Path, *events: Event) -> None:
    """An event file of these, by TensorBoard's own writer."""
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()


def event(summary: Summary, step: int = 1, at: float = TIME) -> Event:
    return Event(wall_time=at, step=step, summary=summary)


def single(value: float) -> float:
    """As a 32-bit float, which is what the format has."""
    found: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return found


def same(one: float, other: float) -> bool:
    return struct.pack("<d", one) == struct.pack("<d", other) or (one != one and other != other)


def test_scalars_of_tensorboardx(tmp_path: Path) -> None:
    writer = tensorboardX.SummaryWriter(str(tmp_path / "exp" / "a"))
    steps = [0, 1, 2, 1, 10**15, 5, 6, 7, 8]
    for step, value in zip(steps, VALUES, strict=True):
        writer.add_scalar("train/löss_.x", value, step, walltime=TIME + step % 10)
    writer.close()
    found = points(deliveries(tmp_path))
    rows = found["source/exp/a", "train/löss_.x"]
    assert [step for step, _, _ in rows] == steps
    assert [at for _, at, _ in rows] == [MICROS + step % 10 * 1_000_000 for step in steps]
    assert all(same(value, single(given)) for (_, _, value), given in zip(rows, VALUES, strict=True))


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
)  # fmt: skip
@pytest.mark.parametrize("rank", [0, 1])
def test_scalars_as_tensors_of_every_type(tmp_path: Path, dtype: str, rank: int) -> None:
    numbers = np.array([0, 1, 3, 100]).astype(dtype)
    events = []
    for step, number in enumerate(numbers):
        array = np.full((1,) * rank, number, dtype=dtype)
        proto = tensor_util.make_tensor_proto(array)
        events.append(event(Summary(value=[Summary.Value(tag="x", tensor=proto)]), step))
    written(tmp_path / "r", *events)
    found = deliveries(tmp_path)
    assert points(found)["source/r", "x"] == [
        (step, MICROS, number.item()) for step, number in enumerate(numbers)
    ]
    assert reasons(found) == []


def test_half_precision_by_lists(tmp_path: Path) -> None:
    """bfloat16 and lists of halves, as TensorFlow writes them; no library here makes them from numpy."""
    proto = tensor_util.make_tensor_proto(np.float32(1.5))
    proto.ClearField("float_val")
    proto.ClearField("tensor_content")
    proto.dtype = 14
    proto.half_val.append(0x3FC0)
    half = tensor_util.make_tensor_proto(np.float16(0))
    half.ClearField("tensor_content")
    half.ClearField("half_val")
    half.dtype = 19
    half.half_val.append(0x3E00)
    values = [Summary.Value(tag="bfloat", tensor=proto), Summary.Value(tag="half", tensor=half)]
    written(tmp_path / "r", event(Summary(value=values)))
    found = points(deliveries(tmp_path))
    assert found["source/r", "bfloat"] == [(1, MICROS, 1.5)]
    assert found["source/r", "half"] == [(1, MICROS, 1.5)]


def test_scalars_with_the_metadata_of_tensorboard(tmp_path: Path) -> None:
    about = scalar_metadata.create_summary_metadata("accuracy", "of the test set")
    written(tmp_path / "r", event(shown("acc", np.float32(0.25), about), -3))
    assert points(deliveries(tmp_path))["source/r", "acc"] == [(-3, MICROS, 0.25)]


def shown(tag: str, array: Any, metadata: SummaryMetadata) -> Summary:
    """As tf.summary writes it."""
    tensor = tensor_util.make_tensor_proto(array)
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])


def test_texts(tmp_path: Path) -> None:
    writer = tensorboardX.SummaryWriter(str(tmp_path / "r"))
    writer.add_text("note", "größe\n| a | b |", 3, walltime=TIME)
    writer.close()
    about = text_metadata.create_summary_metadata(None, None)
    cells = np.array([["a", "b"], ["c", "d"]], dtype=object)
    written(tmp_path / "table", event(shown("cells", cells, about)))
    found = points(deliveries(tmp_path))
    [(key, rows)] = [(key, rows) for key, rows in found.items() if key[0] == "source/r"]
    assert key[1].startswith("note")
    assert rows == [(3, MICROS, {"text": "größe\n| a | b |"})]
    [(_, table)] = [(key, rows) for key, rows in found.items() if key[0] == "source/table"]
    assert [row["text"] for _, _, row in table] == ["a\tb\nc\td"]


def test_a_long_text_is_cut_and_said_so(tmp_path: Path) -> None:
    writer = tensorboardX.SummaryWriter(str(tmp_path / "r"))
    writer.add_text("note", "ü" * 100, 0)
    writer.close()
    found = deliveries(tmp_path, TensorboardConfig(text_bytes=11))
    [[(_, _, row)]] = points(found).values()
    assert row == {"text": "ü" * 5}
    assert "cut" in reasons(found)[0]


def test_histograms_of_both_kinds(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=1000)
    writer = tensorboardX.SummaryWriter(str(tmp_path / "old"))
    writer.add_histogram("weights", values, 4, bins="tensorflow", walltime=TIME)
    writer.close()
    expected, bounds = np.histogram(values, bins=7)
    buckets = np.stack([bounds[:-1], bounds[1:], expected], axis=1)
    about = histogram_metadata.create_summary_metadata(None, None)
    written(tmp_path / "new", event(shown("weights", buckets, about)))
    found = points(deliveries(tmp_path))
    [(step, at, old)] = found["source/old", "weights"]
    assert (step, at) == (4, MICROS)
    assert (old["count"], old["min"], old["max"]) == (1000, values.min(), values.max())
    assert old["sum"] == pytest.approx(values.sum())
    edges, counts = json.loads(old["edges"]), json.loads(old["counts"])
    assert len(edges) == len(counts) + 1
    assert sum(counts) == 1000
    [(name, new)] = [(key[1], rows) for key, rows in found.items() if key[0] == "source/new"]
    assert name.startswith("weights")
    edges, counts = json.loads(new[0][2]["edges"]), json.loads(new[0][2]["counts"])
    assert counts == expected.tolist()
    assert edges == pytest.approx(bounds.tolist())


def test_pictures_are_kept_as_they_are_up_to_a_size(tmp_path: Path) -> None:
    writer = tensorboardX.SummaryWriter(str(tmp_path / "r"))
    picture = np.random.default_rng(0).integers(0, 255, (3, 8, 10), dtype=np.uint8)
    writer.add_image("sample", picture, 2, walltime=TIME)
    writer.close()
    found = deliveries(tmp_path)
    [(step, at, row)] = points(found)["source/r", "sample"]
    assert (step, at, row["width"], row["height"]) == (2, MICROS, 10, 8)
    head, _, body = row["image"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body).startswith(b"\x89PNG")
    none = deliveries(tmp_path, TensorboardConfig(image_bytes=10))
    assert points(none) == {}
    assert "over 10 bytes" in reasons(none)[0]


def test_hyperparameters_and_how_the_session_ended(tmp_path: Path) -> None:
    values = {"lr": 0.1, "layers": 3, "act": "relu", "bias": True}
    written(
        tmp_path / "r",
        event(hparams.hparams_pb(values, start_time_secs=TIME)),
        event(end_of_session(), 0, TIME + 5),
    )
    said = operations(deliveries(tmp_path))
    [params] = [operation.params for operation in said if isinstance(operation, Annotate)]
    assert params == {"lr": "0.1", "layers": "3", "act": "relu", "bias": "true"}
    [status] = [operation for operation in said if isinstance(operation, SetStatus)]
    assert (status.status, status.at, status.original) == (RunStatus.FAILED, MICROS + 7_000_000, "FAILURE")


def end_of_session() -> Summary:
    from tensorboard.plugins.hparams import plugin_data_pb2

    end = plugin_data_pb2.SessionEndInfo(status=2, end_time_secs=TIME + 7)
    data = plugin_data_pb2.HParamsPluginData(version=0, session_end_info=end)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag="_hparams_/session_end_info", metadata=metadata)])


def test_folders_of_one_run_and_its_children(tmp_path: Path) -> None:
    for name in ("exp/a/train", "exp/a/validation", "exp/b"):
        writer = tensorboardX.SummaryWriter(str(tmp_path / name))
        writer.add_scalar("loss", 1.0, 0)
        writer.close()
    writer = tensorboardX.SummaryWriter(str(tmp_path / "exp" / "c"))
    writer.add_scalar("lr", 0.5, 0)
    writer.add_scalars("losses", {"fit": 1.0, "held_out": 2.0}, 0)
    writer.close()
    assert set(points(deliveries(tmp_path))) == {
        ("source/exp/a", "train/loss"),
        ("source/exp/a", "validation/loss"),
        ("source/exp/b", "loss"),
        ("source/exp/c", "lr"),
        ("source/exp/c/losses/fit", "losses"),
        ("source/exp/c/losses/held_out", "losses"),
    }


def test_files_of_one_folder_come_in_the_order_they_were_begun(tmp_path: Path) -> None:
    late, early = (
        tmp_path / "r" / "events.out.tfevents.1700000100.a",
        tmp_path / "r" / "events.out.tfevents.1700000000.b",
    )
    for path, step in ((late, 5), (early, 0), (late, 3)):
        append(path, step)
    rows = points(deliveries(tmp_path))["source/r", "loss"]
    assert [step for step, _, _ in rows] == [0, 5, 3]


def append(path: Path, step: int, value: Callable[[int], Any] = float) -> int:
    """Put what a writer makes of one scalar at the end of a file; gives its size."""
    folder = path.parent.parent / "written"
    writer = tensorboardX.SummaryWriter(str(folder))
    writer.add_scalar("loss", value(step), step, walltime=TIME)
    writer.close()
    [file] = folder.iterdir()
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as out:
        out.write(file.read_bytes())
    file.unlink()
    folder.rmdir()
    return path.stat().st_size


def test_damage_is_told_and_what_is_around_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r" / "events.out.tfevents.1700000000.a"
    first = append(path, 0)
    second = append(path, 1)
    append(path, 2)
    data = bytearray(path.read_bytes())
    for at, steps, words in ((second - 6, [0, 2], "checksum"), (first + 4, [0, 1, 2], "goes on")):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        found = deliveries(tmp_path)
        assert [step for step, _, _ in points(found)["source/r", "loss"]] == steps
        assert any(words in reason for reason in reasons(found))


def test_an_unfinished_record_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "r" / "events.out.tfevents.1700000000.a"
    whole = append(path, 0)
    append(path, 1)
    data = path.read_bytes()
    for size in range(whole + 1, len(data), 7):
        path.write_bytes(data[:size])
        found = deliveries(tmp_path)
        assert [step for step, _, _ in points(found)["source/r", "loss"]] == [0]
        assert reasons(found) == []


def test_what_is_left_out_is_named_up_to_a_bound(tmp_path: Path) -> None:
    cube = tensor_util.make_tensor_proto(np.zeros((2, 2, 2)))
    values = [Summary.Value(tag=f"cube-{index}", tensor=cube) for index in range(60)]
    written(tmp_path / "r", event(Summary(value=values)), event(Summary(value=values[:3]), 2))
    found = reasons(deliveries(tmp_path))
    assert found[:50] == [
        f"cube-{index}: an array of shape (2, 2, 2) is nothing that is kept" for index in range(50)
    ]
    assert found[50:] == ["more than 50 things are left out here; the others are not named"]


def test_what_is_no_event_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "events.out.tfevents.1.x").write_bytes(b"this holds no records at all")
    (tmp_path / "r" / "events.out.tfevents.2.x").write_bytes(b"")
    assert deliveries(tmp_path) == []
