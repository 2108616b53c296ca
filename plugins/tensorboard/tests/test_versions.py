"""What the libraries wrote over the years comes out as it went in, and what does not is named."""

from __future__ import annotations

import base64
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphql_runs.model.operation import Annotate, SetStatus
from graphql_runs.model.status import RunStatus
from plugins.tensorboard.tests.folders import deliveries, operations, points
from plugins.tensorboard.tests.job_values import HPARAMS, NUMBERS, STEPS, TEXT, TIME, VALUES
from plugins.tensorboard.tests.written import RECORDED, VERSIONS, written

MICROS = round(TIME * 1e6)
PARAMS = {"lr": "0.1", "layers": "3", "act": "relu", "bias": "true"}
BUCKETS = np.histogram(NUMBERS, 5)
Rows = list[tuple[Any, Any, Any]]


class Found:
    """What the plugin makes of a folder."""

    def __init__(self, folder: Path) -> None:
        self._deliveries = deliveries(folder)
        self.points = points(self._deliveries)
        self.operations = operations(self._deliveries)

    def of(self, run: str) -> dict[str, Rows]:
        return {metric: rows for (owner, metric), rows in self.points.items() if owner == f"source/{run}"}

    def skipped(self, folder: str) -> set[str]:
        """Reasons for what files right in a folder lost."""
        return {
            skipped.reason
            for delivery in self._deliveries
            for skipped in delivery.skipped
            if str(Path(skipped.path).parent) == folder
        }

    def all(self, kind: type[Any], run: str) -> list[Any]:
        return [one for one in self.operations if isinstance(one, kind) and one.run_id == f"source/{run}"]


def bits(value: float) -> bytes:
    return b"nan" if value != value else struct.pack("<d", value)


def single(value: float) -> float:
    found: float = np.float32(value).item()
    return found


def same_scalars(rows: Rows, values: list[float], times: bool = True) -> None:
    assert [step for step, _, _ in rows] == STEPS
    if times:
        assert [at for _, at, _ in rows] == [MICROS + index * 1_000_000 for index in range(len(STEPS))]
    assert [bits(value) for _, _, value in rows] == list(map(bits, values))


def same_buckets(row: dict[str, Any]) -> None:
    assert (row["count"], row["min"], row["max"], row["sum"]) == (len(NUMBERS), -7.0, 3.75, None)
    assert json.loads(row["counts"]) == BUCKETS[0].tolist()
    assert json.loads(row["edges"]) == pytest.approx(BUCKETS[1].tolist())


def same_old_histogram(row: dict[str, Any]) -> None:
    """Every number lies in a bucket whose count has it."""
    assert (row["count"], row["min"], row["max"], row["sum"]) == (len(NUMBERS), -7.0, 3.75, sum(NUMBERS))
    edges, counts = json.loads(row["edges"]), json.loads(row["counts"])
    assert edges == sorted(edges)
    assert len(edges) == len(counts) + 1
    expected, _ = np.histogram(NUMBERS, np.unique(edges))
    assert [count for count in counts if count] == [count for count in expected.tolist() if count]


def picture(row: dict[str, Any]) -> tuple[int, int]:
    """Width and height as the file itself says them."""
    head, _, body = row["image"].partition(",")
    data = base64.b64decode(body, validate=True)
    assert head == "data:image/png;base64"
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.mark.parametrize("version", VERSIONS["tensorboardX"])
def test_tensorboardx(version: str) -> None:
    found = Found(written("tensorboardX", version))
    run = found.of("exp/a")
    assert run.keys() == {"train/löss_.x", "note/text_summary", "weights", "sample"}
    # The points before the restart stay, also those from the purge step on.
    same_scalars(run["train/löss_.x"][:-1], list(map(single, VALUES)))
    assert run["train/löss_.x"][-1] == (5, MICROS + 100_000_000, 0.25)
    assert run["note/text_summary"] == [(3, MICROS, {"text": TEXT})]
    [(step, at, weights)] = run["weights"]
    assert (step, at) == (4, MICROS)
    same_old_histogram(weights)
    [(step, at, sample)] = run["sample"]
    assert (step, at, sample["width"], sample["height"]) == (2, MICROS, 5, 4)
    assert picture(sample) == (5, 4)
    assert found.of("exp/a/losses/fit") == {"losses": [(7, MICROS, 1.5)]}
    assert found.of("exp/a/losses/held_out") == {"losses": [(7, MICROS, 2.5)]}
    assert found.skipped("exp/a") == {
        "sound: sound is not kept",
        "curve: what the plugin pr_curves shows is not kept",
        "body_1: what the plugin mesh shows is not kept",
        "custom_scalars__config__: what the plugin custom_scalars shows is not kept",
        "a graph is not kept",
    }


@pytest.mark.parametrize("version", [version for version in VERSIONS["tensorboardX"] if version != "1.8"])
def test_add_hparams_makes_a_child_and_says_nothing_of_its_end(version: str) -> None:
    folder = written("tensorboardX", version)
    found = Found(folder)
    [child] = [path.name for path in (folder / "exp" / "a").iterdir() if path.name.startswith("1")]
    [(_, _, value)] = found.of(f"exp/a/{child}")["hparam/accuracy"]
    assert value == 0.75
    [params] = found.all(Annotate, f"exp/a/{child}")
    assert params.params == PARAMS
    assert not [one for one in found.operations if isinstance(one, SetStatus)]
    assert found.skipped(f"exp/a/{child}") == {
        "_hparams_/experiment: the description of an experiment is not kept",
        "_hparams_/session_end_info: the end of a session without a status or a time says nothing of the run",
    }


@pytest.mark.parametrize("version", VERSIONS["tensorboard"])
def test_tensorboards_own_writer(version: str) -> None:
    found = Found(written("tensorboard", version))
    run = found.of("exp/a")
    assert run.keys() == {
        "old", "new", "double", "whole", "note", "table", "weights", "nothing", "sample/0", "sample/1",
    }  # fmt: skip
    same_scalars(run["old"][:-1], list(map(single, VALUES)))
    assert run["old"][-1] == (5, MICROS + 100_000_000, 0.25)
    same_scalars(run["new"], list(map(single, VALUES)))
    same_scalars(run["double"], VALUES)
    assert [value for _, _, value in run["whole"]] == [2**60 + index for index in range(len(STEPS))]
    assert run["note"] == [(3, MICROS, {"text": TEXT})]
    assert run["table"] == [(3, MICROS, {"text": "a\tb\nc\tü"})]
    [(step, at, weights)] = run["weights"]
    assert (step, at) == (4, MICROS)
    same_buckets(weights)
    assert run["nothing"][0][2]["count"] == 0
    assert sum(json.loads(run["nothing"][0][2]["counts"])) == 0
    for tag in ("sample/0", "sample/1"):
        [(step, at, sample)] = run[tag]
        assert (step, at, sample["width"], sample["height"]) == (2, MICROS, 5, 4)
        assert picture(sample) == (1, 1)
    assert found.skipped("exp/a") == {
        "sound: sound is not kept",
        "curve: what the plugin pr_curves shows is not kept",
        "curve: an array of shape (6, 5) is nothing that is kept",
        "body: what the plugin mesh shows is not kept",
        "layout: what the plugin custom_scalars shows is not kept",
        "a graph is not kept",
    }
    [params] = found.all(Annotate, "exp/b")
    assert params.params == PARAMS
    assert set(HPARAMS) == set(PARAMS)
    [status] = found.all(SetStatus, "exp/b")
    assert (status.status, status.at, status.original) == (RunStatus.FAILED, MICROS + 7_000_000, "FAILURE")
    assert found.skipped("exp/b") == {"_hparams_/experiment: the description of an experiment is not kept"}


@pytest.fixture(params=sorted(path.name for path in RECORDED.iterdir() if path.is_dir()))
def tensorflow(request: pytest.FixtureRequest) -> Path:
    """What one version of TensorFlow wrote."""
    return RECORDED / str(request.param)


def test_tensorflow_2(tensorflow: Path) -> None:
    found = Found(tensorflow)
    said = json.loads((tensorflow / "said.json").read_text())
    run = found.of("v2")
    assert run.keys() == {"loss", "note", "weights", "sample/0", "sample/1"}
    # TensorFlow takes -0.0 for a constant that it has already, 0.0.
    same_scalars(run["loss"], [single(value) + 0.0 for value in VALUES], times=False)
    for rows in run.values():
        assert all(said["begin"] <= at / 1e6 <= said["end"] for _, at, _ in rows)
    [(step, _, note)] = run["note"]
    assert (step, note) == (3, {"text": TEXT})
    same_buckets(run["weights"][0][2])
    for tag in ("sample/0", "sample/1"):
        [(step, _, sample)] = run[tag]
        assert (step, sample["width"], sample["height"], *picture(sample)) == (2, 5, 4, 5, 4)
    assert found.skipped("v2") == {
        "sound: sound is not kept",
        "cube: an array of shape (2, 2, 2) is nothing that is kept",
    }


def test_tensorflow_1_says_only_once_what_a_value_is(tensorflow: Path) -> None:
    found = Found(tensorflow)
    run = found.of("v1")
    assert run.keys() == {"loss", "note", "weights", "sample/image/0"}
    same_scalars(run["loss"], list(map(single, VALUES)), times=False)
    assert [(step, row["text"]) for step, _, row in run["note"]] == [
        (step, f"{step}: {TEXT}") for step in STEPS
    ]
    for (step, _, weights), expected in zip(run["weights"], STEPS, strict=True):
        assert step == expected
        same_old_histogram(weights)
    assert [picture(row) for _, _, row in run["sample/image/0"]] == [(5, 4)] * len(STEPS)
    assert found.skipped("v1") == {
        "sound/audio/0: sound is not kept",
        "a graph is not kept",
        "the trace of a session is not kept",
    }


def test_keras(tensorflow: Path) -> None:
    found = Found(tensorflow)
    history = json.loads((tensorflow / "said.json").read_text())["history"]
    run = found.of("keras")
    for metric, column in (("train/epoch_loss", "loss"), ("validation/epoch_loss", "val_loss")):
        assert [step for step, _, _ in run[metric]] == [0, 1, 2]
        assert [value for _, _, value in run[metric]] == [single(value) for value in history[column]]
    iterations = run["validation/evaluation_loss_vs_iterations"]
    assert [value for _, _, value in iterations] == [single(value) for value in history["val_loss"]]
    weights = [rows for metric, rows in run.items() if metric.endswith("/histogram")]
    assert len(weights) == 2
    assert all([step for step, _, _ in rows] == [0, 1, 2] for rows in weights)
    assert all(math.fsum(json.loads(row["counts"])) == row["count"] for rows in weights for _, _, row in rows)
    [model] = found.skipped("keras/train")
    assert model == "keras: what the plugin graph_keras_model shows is not kept"
    assert found.skipped("keras/validation") == set()


def test_what_a_profiler_leaves_says_nothing() -> None:
    """An event file of a version alone. Later versions of TensorFlow write none."""
    assert list((RECORDED / "tensorflow-2.15.1" / "profiled").glob("*.profile-empty"))
    found = Found(RECORDED / "tensorflow-2.15.1")
    assert found.of("profiled") == {}
    assert found.skipped("profiled") == set()
