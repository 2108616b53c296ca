from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.ingest.api import File, Limits, Tree, Unreadable
from graphql_runs.ingest.files import Lines, Mark, lines, open_file, recognise


def lines_of(
    path: Path, offset: int = 0, *, inside: bool = False, delivery: int = 16, line: int = 20
) -> list[Lines]:
    with open_file(path.parent, PurePosixPath(path.name)) as file:
        return list(lines(file, offset, Limits(delivery_bytes=delivery, line_bytes=line), inside=inside))


def marked(path: Path, offset: int) -> Mark:
    with open_file(path.parent, PurePosixPath(path.name)) as file:
        return Mark.at(file, offset)


def known(mark: Mark, path: Path) -> tuple[bool, bool | None]:
    with open_file(path.parent, PurePosixPath(path.name)) as file:
        return mark.within(file), mark.begins(file)


# Opening


def test_a_file_in_a_folder_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/log").write_bytes(b"text")
    with open_file(tmp_path, PurePosixPath("a/b/log")) as file:
        assert file.read() == b"text"


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("make", [_folder, _pipe, _link])
def test_what_is_no_regular_file_is_unreadable(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "log")
    with pytest.raises(Unreadable) as caught:
        open_file(tmp_path, PurePosixPath("log"))
    assert caught.value.path == "log"


def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/log").write_text("secret")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/run").symlink_to(tmp_path / "outside")
    with pytest.raises(Unreadable, match=r"cannot be opened"):
        open_file(tmp_path / "source", PurePosixPath("run/log"))


def test_a_missing_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path, PurePosixPath("run/log"))


def test_missing_rights_are_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_text("x")
    open_ = os.open

    def refuse(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "log":
            raise PermissionError(13, "Permission denied")
        return open_(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Unreadable, match="Permission denied"):
        open_file(tmp_path, PurePosixPath("log"))


# Marks


def test_a_mark_is_known_again_after_growth_and_in_a_copy(tmp_path: Path) -> None:
    log, copy = tmp_path / "log", tmp_path / "copy"
    log.write_bytes(b"a" * 3000)
    mark = Mark.from_json(marked(log, 2500).to_json())
    assert known(mark, log) == (True, True)
    with log.open("ab") as file:
        file.write(b"more")
    assert known(mark, log) == (True, True)
    copy.write_bytes(log.read_bytes())
    assert known(mark, copy) == (True, True)


@pytest.mark.parametrize("size", [10, 3000])
def test_a_mark_is_not_known_in_other_content(tmp_path: Path, size: int) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a" * size)
    mark = marked(log, size)
    log.write_bytes(b"b" + b"a" * (size - 1))
    assert known(mark, log) == (False, False)
    log.write_bytes(b"a" * (size - 1) + b"b")
    assert known(mark, log) == (False, size > 1024)


def test_a_mark_is_not_within_a_file_that_was_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a" * 3000)
    mark = marked(log, 3000)
    os.truncate(log, 2000)
    assert known(mark, log) == (False, True)
    os.truncate(log, 100)
    assert known(mark, log) == (False, None)


@pytest.mark.parametrize("value", [{}, {"offset": "1", "inode": 1, "head": "", "tail": ""}, {"offset": 1}])
def test_a_damaged_mark_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a mark"):
        Mark.from_json(value)


# Lines


def test_whole_lines_come_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo\nthree\nfour\nrest")
    found = lines_of(log)
    assert b"".join(piece.data for piece in found) == b"one\ntwo\nthree\nfour\n"
    assert found[-1].end == 19
    assert all(piece.data.endswith(b"\n") for piece in found)


def test_a_line_over_the_limit_is_passed_over_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\n" + b"x" * 100 + b"\ntwo\n")
    found = lines_of(log)
    assert b"".join(piece.data for piece in found) == b"one\ntwo\n"
    assert [piece.too_long for piece in found].count(True) == 1


def test_a_long_line_within_one_piece_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\n" + b"x" * 21 + b"\ntwo\n" + b"y" * 20 + b"\n")
    found = lines_of(log, delivery=1000)
    assert b"".join(piece.data for piece in found) == b"one\ntwo\n" + b"y" * 20 + b"\n"
    assert [(piece.end, piece.too_long) for piece in found] == [(4, False), (26, True), (51, False)]


def test_a_long_line_without_an_end_is_left_and_found_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\n" + b"x" * 100)
    found = lines_of(log)
    last = found[-1]
    assert (last.inside, last.end) == (True, 104)
    with log.open("ab") as file:
        file.write(b"x" * 50 + b"\ntwo\n")
    again = lines_of(log, last.end, inside=True)
    assert b"".join(piece.data for piece in again) == b"two\n"
    assert [piece.too_long for piece in again].count(True) == 1


@given(
    parts=st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=12),
    end=st.sampled_from([b"", b"\n"]),
    delivery=st.integers(1, 64),
    limit=st.integers(1, 30),
)
def test_all_lines_but_the_long_ones_are_found_however_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], end: bytes, delivery: int, limit: int
) -> None:
    log = tmp_path_factory.mktemp("lines") / "log"
    content = b"\n".join(parts) + end
    log.write_bytes(content)
    found = lines_of(log, delivery=delivery, line=limit)
    whole = content.split(b"\n")[:-1]
    assert b"".join(piece.data for piece in found) == b"".join(
        one + b"\n" for one in whole if len(one) <= limit
    )
    assert [piece.too_long for piece in found].count(True) == sum(len(one) > limit for one in whole)


# Recognition


def test_a_file_is_looked_at_again_only_when_its_beginning_may_have_changed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked: list[bytes] = []

    def test(head: bytes) -> bool:
        asked.append(head)
        return head.startswith(b"ab")

    def ask() -> bool:
        found = log.stat()
        file = File(PurePosixPath("log"), found.st_size, found.st_mtime_ns, found.st_ino)
        return recognise(Tree(tmp_path, "source", (file,)), file, test, size=4)

    log.write_bytes(b"a")
    assert (ask(), ask()) == (False, False)
    log.write_bytes(b"abcd")
    assert ask()
    log.write_bytes(b"abcdefgh")
    assert ask()
    assert asked == [b"a", b"abcd"]
