from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from graphql_runs.ingest.api import File, Limits
from graphql_runs.ingest.scan import Stopped, Walk, Walker, folders_changed, look


def walked(folder: Path, limits: Limits | None = None, exclude: Sequence[str] = ()) -> Walk:
    return Walker(folder, limits or Limits(), lambda: False, None, exclude).walk({})


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def test_files_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write(tmp_path, "b/x", "a-b/x", "a/z", "a/b/y", "c")
    assert list(walked(tmp_path).files) == ["a/b/y", "a/z", "a-b/x", "b/x", "c"]


def test_a_file_is_described(tmp_path: Path) -> None:
    write(tmp_path, "a/log")
    found = (tmp_path / "a/log").stat()
    file = walked(tmp_path).files["a/log"]
    assert (file.path.as_posix(), file.size, file.modified_ns, file.inode) == (
        "a/log",
        5,
        found.st_mtime_ns,
        found.st_ino,
    )


def test_files_that_did_not_change_are_the_same_object(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    walker = Walker(tmp_path, Limits(), lambda: False)
    first = walker.walk({})
    (tmp_path / "b").write_text("longer")
    second = walker.walk(first.files)
    assert second.files["a"] is first.files["a"]
    assert second.files["b"] != first.files["b"]


def test_hidden_names_and_caches_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, ".git/config", "a/.hidden", "a/__pycache__/x.pyc", "node_modules/x/y", "a/seen")
    assert list(walked(tmp_path).files) == ["a/seen"]


def test_what_sqlite_keeps_beside_a_database_is_passed_over_but_for_its_log(tmp_path: Path) -> None:
    write(tmp_path, "a.db", "a.db-journal", "a.db-shm", "a.db-wal", "b.sqlite-journal", "my-journal")
    assert list(walked(tmp_path).files) == ["a.db", "a.db-wal", "my-journal"]
    alone = Walker(tmp_path, Limits(), lambda: False, "a.db").walk({})
    assert list(alone.files) == ["a.db", "a.db-wal"]


def test_excluded_names_and_paths_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "data/x.txt", "run/data/y", "run/a.log", "run/b.tmp")
    assert list(walked(tmp_path, exclude=["*.tmp", "data"]).files) == ["run/a.log"]
    assert list(walked(tmp_path, exclude=["run/data"]).files) == ["data/x.txt", "run/a.log", "run/b.tmp"]


def test_links_are_not_followed_and_those_that_lead_out_are_reported(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(tmp_path, "outside/secret", "source/run/log")
    source = tmp_path / "source"
    (source / "latest").symlink_to("run")
    (source / "run" / "loop").symlink_to(source)
    (source / "escape").symlink_to(outside)
    (source / "file").symlink_to(outside / "secret")
    found = walked(source)
    assert list(found.files) == ["run/log"]
    assert [(one.path, "out of the source" in one.reason) for one in found.problems] == [
        ("escape", True),
        ("file", True),
    ]


def test_pipes_and_sockets_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    write(tmp_path, "a.log")
    assert list(walked(tmp_path).files) == ["a.log"]


def test_files_beyond_the_limit_are_reported_and_always_the_same(tmp_path: Path) -> None:
    write(tmp_path, *(f"{number:02}" for number in range(10)))
    found = walked(tmp_path, Limits(files=4))
    assert list(found.files) == ["00", "01", "02", "03"]
    assert found.problem_count == 6
    assert found.problems[0].path == "04"
    assert "more than 4 files" in found.problems[0].reason


def test_reports_are_bounded_and_all_are_counted(tmp_path: Path) -> None:
    write(tmp_path, *(f"{number:04}" for number in range(1200)))
    found = walked(tmp_path, Limits(files=1))
    assert (len(found.problems), found.problem_count) == (1000, 1199)


def test_folders_beyond_the_limit_are_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c/d/log", "a/b/log")
    found = walked(tmp_path, Limits(depth=2))
    assert list(found.files) == ["a/b/log"]
    assert [one.path for one in found.problems] == ["a/b/c"]


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "closed/log", "open/log")
    scan = os.scandir

    def refuse(path: Path) -> object:
        # Root may read everything, so rights cannot be taken away for real.
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walked(tmp_path)
    assert list(found.files) == ["open/log"]
    assert [(one.path, one.reason) for one in found.problems] == [
        ("closed", "the folder cannot be read: Permission denied")
    ]


def test_names_that_are_no_text_are_reported(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"bad\xff.log")).write_text("x")
    found = walked(tmp_path)
    assert found.files == {}
    assert "not valid UTF-8" in found.problems[0].reason
    found.problems[0].path.encode()


def test_a_source_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        walked(tmp_path / "missing")


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    write(tmp_path, "a.log", "b.log")
    found = Walker(tmp_path, Limits(), lambda: False, "a.log").walk({})
    assert list(found.files) == ["a.log"]
    with pytest.raises(FileNotFoundError):
        Walker(tmp_path, Limits(), lambda: False, "missing.log").walk({})


def test_a_walk_can_be_stopped(tmp_path: Path) -> None:
    write(tmp_path, "a/b")
    with pytest.raises(Stopped):
        Walker(tmp_path, Limits(), lambda: True).walk({})


def test_looking_again_tells_only_what_changed(tmp_path: Path) -> None:
    write(tmp_path, "same", "grown", "gone", "piped")
    files: dict[str, File] = walked(tmp_path).files
    (tmp_path / "grown").write_text("grown more")
    (tmp_path / "gone").unlink()
    (tmp_path / "piped").unlink()
    os.mkfifo(tmp_path / "piped")
    changed = look(tmp_path, files)
    assert changed.keys() == {"grown", "gone", "piped"}
    assert changed["gone"] is None
    assert changed["piped"] is None
    grown = changed["grown"]
    assert grown is not None
    assert grown.size == 10


def test_new_files_are_seen_in_the_times_of_folders(tmp_path: Path) -> None:
    write(tmp_path, "a/log")
    folders = walked(tmp_path).folders
    assert folders.keys() == {"", "a"}
    assert not folders_changed(tmp_path, folders)
    os.utime(tmp_path / "a", ns=(1, 1))
    assert folders_changed(tmp_path, folders)
