from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from graphql_runs.ingest.api import Delivery, Limits
from graphql_runs.ingest.testing import read, units_of
from graphql_runs_text import TextConfig, ingester
from graphql_runs_text.rows import epoch_of, row_of
from plugins.text.tests.logs import Points, deliveries, points_in, points_of, text_of


def wanted(log: bytes) -> Points:
    """The points of a log, looked at line by line."""
    points: Points = {}
    epoch = None
    for line in log.split(b"\n")[:-1]:
        drawn = line.rstrip(b"\r").split(b"\r")[-1]
        if len(drawn) > 8192:
            continue
        if (announced := epoch_of(drawn)) is not None:
            epoch = announced
        elif (row := row_of(drawn, None, epoch)) is not None:
            for key, value in row.values.items():
                points.setdefault(f"train.log/{key}", []).append((row.step, repr(value), row.at))
    return points


def followed(folder: Path, checkpoint: Mapping[str, object] | None, size: int) -> list[Delivery]:
    return list(deliveries(folder, checkpoint, size))


_LINES = st.sampled_from(
    [
        b"step=1 loss=0.5 acc=1", b"step=2 loss=0.25", b"step=1.5 loss=3", b"Epoch 2/3", b"4/4 - 1s - 5ms/step - loss: 0.5",
        b"step=9007199254740993 loss=9007199254740993", b"2024-01-01T00:00:00Z step=3 loss=nan", b'{"step": 4, "loss": -1}',
        b"plain words", b"", b"Epoch 1:  10%|#  | loss=3]\rEpoch 1: 100%|###| loss=2]", b"Epoch 1: loss=3\r        \r", b"\xff\x00step=1 a=2",
        b"step=1 " + b"x" * 9000 + b" loss=1", b"x" * 9000 + b"\rstep=5 loss=5", b"step=6 loss=6\r" + b"x" * 9000, b"step=7 loss=7 " + b"x" * 9000,
    ]
)  # fmt: skip
_LOGS = st.lists(
    st.tuples(_LINES, st.sampled_from([b"\n", b"\r\n", b"\r\r\n", b"\r", b""])), max_size=25
).map(lambda parts: b"".join(line + end for line, end in parts))


@given(_LOGS, st.integers(1, 200), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), max_size=8))
@settings(max_examples=100, deadline=None)
def test_every_point_comes_once_whatever_the_cuts(
    log: bytes, size: int, growth: list[tuple[float, int]]
) -> None:
    size = max(size, len(log) // 50)
    with TemporaryDirectory() as name:
        folder = Path(name)
        found: list[Delivery] = []
        for share, taken in [*sorted(growth), (1.0, 1000)]:
            (folder / "train.log").write_bytes(log[: int(share * len(log))])
            # What is not written is read again.
            found += followed(folder, found[-1].checkpoint if found else None, size)[:taken]
    assert text_of(found) == log
    assert points_of(found) == wanted(log)


def test_every_checkpoint_goes_on_the_same(tmp_path: Path) -> None:
    log = b"".join(b"Epoch 1: %d%%|\rstep=%d loss=%d a=0.5\n" % (n, n, n) for n in range(40)) + b"step=41 lo"
    (tmp_path / "train.log").write_bytes(log)
    whole = followed(tmp_path, None, 50)
    assert points_of(whole) == wanted(log)
    for place, delivery in enumerate(whole, 1):
        rest = followed(tmp_path, delivery.checkpoint, 50)
        assert points_of([*whole[:place], *rest]) == wanted(log)


@given(
    st.lists(st.sampled_from(["append", "rotate", "copy", "read", "one"]), max_size=40), st.integers(4, 120)
)
@settings(max_examples=60, deadline=None)
def test_every_point_comes_once_whatever_happens_to_the_file(actions: list[str], size: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "train.log"
        path.write_bytes(b"step=0 loss=0\n")
        log, found, rotated = b"step=0 loss=0\n", list[Delivery](), 0
        for number, action in enumerate(actions, 1):
            # Each piece begins with something of its own: a log that was cut and grew again is known by its first bytes.
            more = b"%03d\nstep=%d loss=0.%d\nstep=%d l" % (number, number, number, number + 1000)
            if action in ("rotate", "copy"):
                for older in range(rotated, 0, -1):
                    path.with_name(f"train.log.{older}").replace(path.with_name(f"train.log.{older + 1}"))
                rotated += 1
                if action == "copy":
                    path.with_name("train.log.1").write_bytes(path.read_bytes())
                    os.truncate(path, 0)
                else:
                    path.replace(path.with_name("train.log.1"))
            if action in ("append", "rotate", "copy"):
                with path.open("ab") as file:
                    file.write(more)
                log += more
            else:
                new = followed(folder, found[-1].checkpoint if found else None, size)
                found += new[:1] if action == "one" else new
        found += followed(folder, found[-1].checkpoint if found else None, size)
    assert text_of(found) == log
    assert points_of(found) == wanted(log)


def test_a_line_that_was_cut_off_does_not_go_on_in_another_log(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"step=1 loss=0.5\nstep=2 loss=0.25")
    found = followed(tmp_path, None, 1000)
    path.write_bytes(b"")
    path.write_bytes(b"5 step=3 loss=0.125\n")
    found += followed(tmp_path, found[-1].checkpoint, 1000)
    assert points_of(found)["train.log/loss"] == [(1, "0.5", None), (3, "0.125", None)]


def test_points_of_one_metric_keep_their_order_whether_they_have_times_or_not(tmp_path: Path) -> None:
    log = b"step=1 loss=1\n2024-01-01T00:00:00Z step=2 loss=2\nstep=3 loss=3\nstep=4 loss=9007199254740993 a=1\n"
    assert points_in(log, tmp_path)["loss"] == [
        (1, "1", None),
        (2, "2", 1_704_067_200_000_000),
        (3, "3", None),
        (4, "9007199254740993", None),
    ]


def test_steps_that_go_back_or_are_no_integers_are_kept(tmp_path: Path) -> None:
    log = b"step=3 loss=1\nstep=1 loss=2\nstep=1 loss=2\nstep=1.5 loss=3\nstep=-2 loss=4\n"
    assert [step for step, _, _ in points_in(log, tmp_path)["loss"]] == [3, 1, 1, 1.5, -2]


# The last line


def test_a_last_line_counts_once_it_has_an_end(tmp_path: Path) -> None:
    assert points_in(b"step=1 loss=0.5\nstep=2 loss=0.2", tmp_path)["loss"] == [(1, "0.5", None)]


def test_a_last_line_counts_at_once_when_nothing_follows(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"step=1 loss=0.5\nstep=2 loss=0.2")
    found = list(deliveries(tmp_path, final=True))
    assert points_of(found)["train.log/loss"] == [(1, "0.5", None), (2, "0.2", None)]
    assert text_of(found) == path.read_bytes()
    assert list(deliveries(tmp_path, found[-1].checkpoint, final=True)) == []
    with path.open("ab") as file:
        file.write(b"5 acc=1\nstep=3 loss=0.1\n")
    more = list(deliveries(tmp_path, found[-1].checkpoint))
    assert points_of(more) == {"train.log/loss": [(3, "0.1", None)]}
    [skipped] = [one for delivery in more for one in delivery.skipped]
    assert "the rest of a line that was taken before it had an end" in skipped.reason


def test_a_last_line_counts_when_all_of_it_was_read_before(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_bytes(b"step=2 loss=0.2")
    found = list(deliveries(tmp_path))
    assert points_of(found) == {}
    assert points_of(deliveries(tmp_path, found[-1].checkpoint, final=True)) == {
        "train.log/loss": [(2, "0.2", None)]
    }


def test_a_last_line_that_was_taken_may_get_its_end(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"step=2 loss=0.2")
    found = list(deliveries(tmp_path, final=True))
    path.write_bytes(path.read_bytes() + b"\r\nstep=3 loss=0.1\n")
    more = list(deliveries(tmp_path, found[-1].checkpoint))
    assert points_of(more) == {"train.log/loss": [(3, "0.1", None)]}
    assert [one for delivery in more for one in delivery.skipped] == []


# Settings and limits


def reasons(found: list[Delivery]) -> list[str]:
    return [one.reason for delivery in found for one in delivery.skipped]


def test_names_have_a_limit_which_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"step=1 a=1 b=2\nstep=2 c=3 a=4\n")
    found = list(deliveries(tmp_path, size=20, names=2))
    path.write_bytes(path.read_bytes() + b"step=3 d=5 b=6\n")
    found += deliveries(tmp_path, found[-1].checkpoint, names=2)
    assert points_of(found) == {
        "train.log/a": [(1, "1", None), (2, "4", None)],
        "train.log/b": [(1, "2", None), (3, "6", None)],
    }
    assert reasons(found) == [
        "the metric 'c', and others for the like reason: the log has more than 2 metrics"
    ]


def test_lines_have_a_limit_which_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_bytes(b"step=1 a=1 b=2 c=3\nstep=2 a=4 b=5 c=6\n")
    found = list(deliveries(tmp_path, keys=2))
    assert sorted(points_of(found)) == ["train.log/a", "train.log/b"]
    assert reasons(found) == ["a line has 3 numbers, those after the first 2 are left out"]


def test_names_that_are_too_long_for_the_server_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_bytes(b"step=1 a=1 longer=2\n")
    tree, [unit] = units_of(ingester, tmp_path)
    found = list(read(ingester, tree, unit, None, Limits(name_bytes=11)))
    assert points_of(found) == {"train.log/a": [(1, "1", None)]}
    assert reasons(found) == [
        "the metric 'longer', and others for the like reason: its name has more than 11 bytes"
    ]


def test_metrics_may_be_left_alone_and_taken_from_some_day_on(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"step=1 loss=1\nstep=2 lo")
    found = list(deliveries(tmp_path, metrics=False))
    assert (points_of(found), text_of(found)) == ({}, path.read_bytes())
    path.write_bytes(path.read_bytes() + b"ss=2\nstep=3 loss=3\n")
    assert points_of(deliveries(tmp_path, found[-1].checkpoint)) == {"train.log/loss": [(3, "3", None)]}


def test_a_metric_is_called_after_the_path_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "run/logs").mkdir(parents=True)
    (tmp_path / "run/logs/rank_1.out").write_bytes(b"step=1 val/loss=1\n")
    assert points_of(deliveries(tmp_path)) == {"logs/rank_1.out/val/loss": [(1, "1", None)]}


def test_settings_that_are_wrong_are_named() -> None:
    with pytest.raises(ValidationError, match="no time zone is called 'Mars/Olympus' here"):
        TextConfig.model_validate({"timezone": "Mars/Olympus"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        TextConfig.model_validate({"metric": True})
