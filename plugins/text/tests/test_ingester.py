from __future__ import annotations

from pathlib import Path

import pytest

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import LogText
from graphql_runs.model.records import LogStream
from graphql_runs_text import ingester


def texts(folder: Path) -> list[LogText]:
    tree, units = units_of(ingester, folder)
    return [
        operation
        for unit in units
        for delivery in read(ingester, tree, unit)
        for operation in delivery.operations
        if isinstance(operation, LogText)
    ]


def test_a_log_has_the_path_that_it_has_in_its_run(tmp_path: Path) -> None:
    (tmp_path / "exp/run/logs").mkdir(parents=True)
    (tmp_path / "exp/run/logs/rank_1.err").write_bytes(b"oops\n")
    (tmp_path / "exp/run/train.log").write_bytes(b"fine\n")
    assert texts(tmp_path) == [
        LogText("source/exp/run", "logs/rank_1.err", b"oops\n", LogStream.STDERR, 1),
        LogText("source/exp/run", "train.log", b"fine\n", None, None),
    ]


def test_a_rotated_log_is_one_unit(tmp_path: Path) -> None:
    for name in ("train.log", "train.log.1", "train.log.2"):
        (tmp_path / name).write_text(name)
    [unit] = units_of(ingester, tmp_path)[1]
    assert unit.key == "train.log"
    assert [str(path) for path in unit.files] == ["train.log.2", "train.log.1", "train.log"]


def test_files_with_the_ending_of_a_log_that_are_none_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.out").write_bytes(b"\x7fELF\x02\x01\x01")
    (tmp_path / "features.txt").write_bytes(bytes(range(32)) * 10)
    (tmp_path / "requirements.txt").write_text("numpy\n")
    assert units_of(ingester, tmp_path)[1] == []


def test_a_log_that_cannot_be_read_says_so_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("x")
    tree, [unit] = units_of(ingester, tmp_path)
    (tmp_path / "train.log").unlink()
    (tmp_path / "train.log").mkdir()
    with pytest.raises(Unreadable, match="no regular file") as caught:
        list(read(ingester, tree, unit))
    assert caught.value.path == "train.log"


def test_large_settings_do_not_make_calls_larger_than_the_recorder_takes(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_bytes(b"x" * 80 + b"\n" * (9 << 20))
    tree, [unit] = units_of(ingester, tmp_path)
    sizes = [
        len(operation.data)
        for delivery in read(ingester, tree, unit, None, Limits(delivery_bytes=64 << 20))
        for operation in delivery.operations
        if isinstance(operation, LogText)
    ]
    assert sum(sizes) == 80 + (9 << 20)
    assert max(sizes) <= 4 << 20
