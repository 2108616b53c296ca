from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from graphql_runs.model.records import LogStream
from graphql_runs_text.names import age, base_of, is_log, is_text, rank_of, stream_of


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("train.log", "train.log"),
        ("TRAIN.LOG", "TRAIN.LOG"),
        ("slurm-123.out", "slurm-123.out"),
        ("job.e12345", "job.e12345"),
        ("stderr", "stderr"),
        ("notes.txt", "notes.txt"),
        ("train.log.1", "train.log"),
        ("train.log.12", "train.log"),
        ("train.log-20240131", "train.log"),
        ("train.log.2024-01-31", "train.log"),
        ("train.log.2024-01-31_12-00-00", "train.log"),
        ("stdout.1", "stdout"),
        ("train.log.gz", None),
        ("train.log.1.gz", None),
        ("train.py", None),
        ("log", None),
        ("requirements.txt", None),
        ("requirements-dev.txt", None),
        ("LICENSE.txt", None),
        ("vocab.txt", None),
        ("top_level.txt", None),
    ],
)
def test_logs_are_known_by_their_names(name: str, base: str | None) -> None:
    found = base_of(PurePosixPath("run") / name)
    assert found == (None if base is None else PurePosixPath("run") / base)


@pytest.mark.parametrize(
    "names",
    [
        ["train.log.10", "train.log.2", "train.log.1", "train.log"],
        ["train.log-20231231", "train.log-20240101", "train.log"],
        ["train.log.2024-01-31_01-00-00", "train.log.2024-01-31_12-00-00", "train.log"],
    ],
)
def test_rotated_logs_are_sorted_by_age(names: list[str]) -> None:
    assert [path.name for path in sorted(map(PurePosixPath, reversed(names)), key=age)] == names


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("stdout", LogStream.STDOUT),
        ("rank_0_stdout.txt", LogStream.STDOUT),
        ("slurm-1.out", LogStream.STDOUT),
        ("job.o123", LogStream.STDOUT),
        ("stderr.log", LogStream.STDERR),
        ("slurm-1.err", LogStream.STDERR),
        ("job.e123", LogStream.STDERR),
        ("train.log", None),
        ("timeout.log", None),
    ],
)
def test_streams_are_guessed_by_name(name: str, stream: LogStream | None) -> None:
    assert stream_of(PurePosixPath("logs") / name) is stream


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        ("rank_3.log", 3),
        ("train-rank12.log", 12),
        ("logs/worker-3.log", 3),
        ("train_3.log", 3),
        ("rank_2/stdout.log", 2),
        ("node1/train.log", 1),
        ("rank_2/worker_7.log", 7),
        ("attempt_0/5/stdout.log", 5),
        ("5/stdout.log", None),
        ("train_2024.log", None),
        ("slurm-123.out", None),
        ("frank_3x.log", None),
        ("train.log", None),
    ],
)
def test_ranks_are_guessed_by_name(path: str, rank: int | None) -> None:
    assert rank_of(PurePosixPath(path)) == rank


@pytest.mark.parametrize(
    "head", [b"", b"plain\n", "ünïcode\n".encode(), "köln\n".encode("latin-1"), b"\x1b[31mred\x1b[0m\r 5%"]
)
def test_text_is_text(head: bytes) -> None:
    assert is_text(head)
    assert is_log(head)


@pytest.mark.parametrize(
    "head", [b"\x7fELF\x02\x01", b"PK\x03\x04rest", b"\x1f\x8b\x08", b"%PDF-1.7", b"\x93NUMPY\x01"]
)
def test_known_binary_formats_are_no_logs(head: bytes) -> None:
    assert not is_log(head)
    assert not is_text(head)


def test_junk_makes_no_text_but_may_stand_in_a_log() -> None:
    junk = bytes(range(256))
    assert is_log(junk)
    assert not is_text(junk)
    assert is_text(b"a few \x00 in between are no matter" * 3)
