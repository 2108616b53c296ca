"""The file of the embedded store: what is refused, and what damage looks like."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from graphql_runs.model.errors import InvalidInput, LimitExceeded, NotFound, RunsError, StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.port import Append, Batch, Item
from graphql_runs.store.sqlite import SqliteStore
from tests.store.samples import Log, a_run, chunks, entry, save


async def filled(path: Path) -> str:
    """A store with some content; gives its epoch."""
    store = await SqliteStore.open(path)
    log = Log(store, a_run("r"))
    await log.begin()
    for n in range(50):
        await store.commit(log.step(n))
    epoch = store.epoch
    await store.close()
    return epoch


async def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, however long it may be " * 50)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE t(x)")
    other.commit()
    other.close()
    for name, words in (
        ("text", "not a SQLite database"),
        ("other", "another program"),
        (".", "is a folder"),
    ):
        with pytest.raises(InvalidInput, match=words):
            await SqliteStore.open(tmp_path / name)
    with pytest.raises(NotFound):
        await SqliteStore.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


async def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    await filled(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.commit()
    db.close()
    with pytest.raises(InvalidInput, match="newer version"):
        await SqliteStore.open(path)


async def test_a_copy_has_another_epoch_and_the_original_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    epoch = await filled(path)
    shutil.copy(path, tmp_path / "copy.sqlite")
    copy = await SqliteStore.open(tmp_path / "copy.sqlite")
    assert copy.epoch != epoch
    await copy.close()
    again = await SqliteStore.open(path)
    assert again.epoch == epoch
    await again.close()


async def test_damage_is_an_error_and_never_wrong_data(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    await filled(path)
    whole = path.read_bytes()
    expected = b"".join([b"point %d" % n for n in range(50)])
    failed = 0
    for offset in range(4096 + 100, len(whole), 1531):
        damaged = tmp_path / f"{offset}.sqlite"
        damaged.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :])
        try:
            store = await SqliteStore.open(damaged)
        except RunsError:
            failed += 1
            continue
        run = a_run("r")
        try:
            [found] = await store.get(Run, [run.id])
            items = await store.read(Log(store, run).metric.id, 0)
            # What is read without an error is right: nothing of it was hit.
            assert found is None or (found.run_id, found.heartbeat_at) == ("r", 49)
            assert expected.startswith(b"".join(item.data for item in items))
        except RunsError:
            failed += 1
        finally:
            await store.close()
    assert failed


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.get(Run, ["run_x"])
    with pytest.raises(StoreUnavailable):
        await save(store, a_run("r"))
    with pytest.raises(StoreUnavailable):
        await store.check()


async def test_a_backup_put_in_place_has_another_epoch(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    epoch = await filled(path)
    backup = path.read_bytes()
    store = await SqliteStore.open(path)
    assert store.epoch == epoch
    await store.commit(Log(store, a_run("r")).step(50))
    await store.close()
    # Into the same file, so that it is the same inode.
    path.write_bytes(backup)
    restored = await SqliteStore.open(path)
    assert restored.epoch != epoch
    assert await Log(restored, a_run("r")).check(50) == 50
    await restored.close()


async def test_a_copy_made_while_it_is_open_has_another_epoch(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    for name in ("runs.sqlite", "runs.sqlite-wal", "runs.sqlite.lock"):
        shutil.copy(tmp_path / name, tmp_path / name.replace("runs", "copy"))
    copy = await SqliteStore.open(tmp_path / "copy.sqlite")
    assert copy.epoch != store.epoch
    await copy.close()
    await store.close()


async def test_a_destroyed_page_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    store = await SqliteStore.open(path)
    run = a_run("r")
    data = bytes(range(256)) * 400
    await store.commit(
        Batch(run.root, entry(0), creates=(run,), appends=(Append("log_x", Item(0, 5, data)),))
    )
    await store.close()
    whole = path.read_bytes()
    # Somewhere in the middle of the text, where no structure of SQLite's own notices.
    at = whole.index(data[:1000]) // 4096 * 4096
    path.write_bytes(whole[: at + 2000] + b"\xff" * 500 + whole[at + 2500 :])
    store = await SqliteStore.open(path)
    with pytest.raises(StoreUnavailable, match="damaged"):
        await store.read("log_x", 0)
    assert await store.get(Run, [run.id]) == [run]
    await store.close()


READ_ONLY = """
import asyncio, os, sys
from pathlib import Path
from graphql_runs.model.errors import RunsError
from graphql_runs.store.sqlite import SqliteStore
if os.geteuid() == 0:
    os.seteuid(65534)
async def main():
    try:
        await SqliteStore.open(Path(sys.argv[1]))
    except RunsError as error:
        print(type(error).__name__, error)
asyncio.run(main())
"""


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    # Not below the folder of the tests, which another user cannot enter.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        for name, words in (
            ("runs.sqlite", "cannot be written"),
            ("deeper/runs.sqlite", "cannot be created"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", READ_ONLY, f"{folder}/{name}"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.startswith("InvalidInput")
            assert folder in done.stdout
            assert words in done.stdout
        assert list(Path(folder).iterdir()) == []
        Path(folder).chmod(0o755)


async def test_a_blob_that_was_never_finished_leaves_no_file(tmp_path: Path) -> None:
    blobs = tmp_path / "runs.sqlite.blobs"
    blobs.mkdir()
    old, new = blobs / "unfinished-old", blobs / "unfinished-new"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    with pytest.raises(LimitExceeded):
        await store.put_blob(chunks(b"abc"), limit=2)
    # Another process may still be writing the new one.
    assert list(blobs.iterdir()) == [new]
    sha256, _ = await store.put_blob(chunks(b"abc"), limit=3)
    assert (blobs / sha256[:2] / sha256).read_bytes() == b"abc"
    await store.close()
