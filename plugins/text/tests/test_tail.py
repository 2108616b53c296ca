from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from graphql_runs_text.names import age, base_of
from graphql_runs_text.tail import Piece, Tail


class Followed:
    """A log that is read on and on; `data` is what came of it."""

    def __init__(self, folder: Path, name: str = "train.log", size: int = 16) -> None:
        self.folder = folder
        self.path = folder / name
        self.base = PurePosixPath(name)
        self.size = size
        self.data = b""
        self.remarks: list[str] = []
        self.checkpoint: Mapping[str, object] | None = None

    def read(self, most: int = 1000) -> bytes:
        """Read on, at most so many pieces; gives what was new."""
        names = [PurePosixPath(path.name) for path in self.folder.iterdir()]
        found = [name for name in names if base_of(name) == self.base]
        before = len(self.data)
        pieces = Tail(self.folder, self.base, self.size).read(self.checkpoint, sorted(found, key=age))
        for _, piece in zip(range(most), pieces, strict=False):
            self._take(piece)
        return self.data[before:]

    def _take(self, piece: Piece) -> None:
        self.data += piece.data
        self.checkpoint = json.loads(json.dumps(piece.checkpoint(len(piece.data))))
        if piece.remark:
            self.remarks.append(piece.remark)

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def rotate(self, keep: int = 5) -> None:
        """As logrotate and RotatingFileHandler do."""
        for number in range(keep, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            if newer.exists():
                newer.replace(older)


@pytest.fixture
def log(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def test_bytes_are_kept_as_they_are(log: Followed) -> None:
    junk = bytes(range(256)) * 3 + b"\r\n\xff\xfe no end"
    log.append(junk)
    log.read()
    assert log.data == junk


def test_pieces_end_with_lines_where_they_can(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_bytes(b"one\ntwo\nthree\nfour\n" + b"x" * 40 + b"\nrest")
    pieces = list(Tail(tmp_path, PurePosixPath("train.log"), 16).read(None, [PurePosixPath("train.log")]))
    assert [piece.data for piece in pieces][:2] == [b"one\ntwo\nthree\n", b"four\n"]
    assert pieces[-1].data.endswith(b"\nrest")
    assert b"".join(piece.data for piece in pieces) == (tmp_path / "train.log").read_bytes()


def test_growth_is_read_from_where_it_was_left(log: Followed) -> None:
    log.append(b"half a l")
    assert log.read() == b"half a l"
    assert log.read() == b""
    log.append(b"ine\nmore\n")
    assert log.read() == b"ine\nmore\n"


def test_an_empty_log_gives_nothing_until_it_grows(log: Followed) -> None:
    log.append(b"")
    assert log.read() == b""
    log.append(b"x")
    assert log.read() == b"x"


def test_a_log_that_is_rotated_is_read_to_its_end_first(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    log.append(b"two\n")
    log.rotate()
    log.append(b"three\n")
    log.read()
    assert log.data == b"one\ntwo\nthree\n"
    assert log.remarks == []


def test_several_rotations_between_two_reads_lose_nothing(log: Followed) -> None:
    log.append(b"1 one\n")
    log.read()
    for number in range(2, 5):
        log.append(f"{number} tail\n".encode())
        log.rotate()
        log.append(f"{number} head\n".encode())
    log.read()
    assert log.data == b"1 one\n2 tail\n2 head\n3 tail\n3 head\n4 tail\n4 head\n"


def test_what_was_rotated_before_the_first_read_comes_first(log: Followed) -> None:
    for number in range(1, 4):
        log.append(f"{number}\n".encode())
        log.rotate()
    log.append(b"now\n")
    log.read()
    assert log.data == b"1\n2\n3\nnow\n"


def test_a_rotation_may_be_read_piece_by_piece(log: Followed) -> None:
    for number in range(1, 4):
        log.append(f"{number} {'x' * 30}\n".encode())
        log.rotate()
    log.append(b"now\n")
    while log.read(most=1):
        pass
    assert log.data == b"".join(f"{number} {'x' * 30}\n".encode() for number in range(1, 4)) + b"now\n"


def test_a_rotation_that_leaves_no_new_file_yet_is_waited_out(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    log.append(b"two\n")
    log.rotate()
    assert log.read() == b"two\n"
    assert log.read() == b""
    log.append(b"three\n")
    assert log.read() == b"three\n"


def test_a_log_that_is_copied_and_cut_is_read_to_its_end_first(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    log.append(b"two\n")
    (log.folder / "train.log.1").write_bytes(log.path.read_bytes())
    os.truncate(log.path, 0)
    log.append(b"three\n")
    log.read()
    assert log.data == b"one\ntwo\nthree\n"
    assert log.remarks == []


def test_a_log_that_is_cut_goes_on_with_its_new_beginning(log: Followed) -> None:
    log.append(b"one\ntwo\n")
    log.read()
    os.truncate(log.path, 0)
    assert log.read() == b""
    log.append(b"new\n")
    assert log.read() == b"new\n"
    assert log.remarks == ["the log was cut or replaced; it goes on with its new beginning"]
    log.append(b"more\n")
    assert log.read() == b"more\n"
    assert len(log.remarks) == 1


def test_a_log_that_was_cut_and_grew_beyond_its_old_length_is_told_apart(log: Followed) -> None:
    log.append(b"one\ntwo\n")
    log.read()
    log.path.write_bytes(b"other text that is longer\n")
    log.read()
    assert log.data == b"one\ntwo\nother text that is longer\n"


def test_a_log_with_the_same_beginning_is_told_apart_by_what_was_read_last(log: Followed) -> None:
    banner = b"banner\n" * 300
    log.append(banner + b"first attempt\n")
    log.read()
    log.path.write_bytes(banner + b"second attempt\n")
    log.read()
    assert log.data == banner + b"first attempt\n" + banner + b"second attempt\n"


def test_a_new_file_that_takes_over_the_inode_is_told_apart(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    with log.path.open("r+b") as file:  # the same inode, other content
        file.write(b"TWO\n")
    log.read()
    assert log.data == b"one\nTWO\n"


def test_a_log_replaced_by_a_longer_copy_goes_on(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    copy = log.folder / "copy"
    copy.write_bytes(b"one\ntwo\n")
    copy.replace(log.path)
    log.read()
    assert log.data == b"one\ntwo\n"
    assert log.remarks == []


def test_a_log_that_is_removed_stays_as_it_was_read(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    log.path.unlink()
    assert log.read() == b""
    log.append(b"new\n")
    assert log.read() == b"new\n"


def test_a_rotated_log_whose_old_files_are_removed_goes_on(log: Followed) -> None:
    log.append(b"old\n")
    log.read()
    log.append(b"unread\n")
    log.rotate()
    log.append(b"new\n")
    (log.folder / "train.log.1").unlink()
    assert log.read() == b"new\n"
    assert len(log.remarks) == 1


def test_other_logs_of_the_folder_are_not_mixed_in(log: Followed) -> None:
    log.append(b"one\n")
    log.read()
    (log.folder / "train.log.txt").write_bytes(b"another log\n")
    (log.folder / "train2.log").write_bytes(b"another log\n")
    log.rotate()
    log.append(b"two\n")
    log.read()
    assert log.data == b"one\ntwo\n"
