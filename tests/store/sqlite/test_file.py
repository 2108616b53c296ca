"""The file of the embedded store: what is refused, and what damage looks like."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from graphql_runs.model.errors import InvalidInput, NotFound, RunsError, StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.sqlite import SqliteStore
from tests.store.samples import Log, a_run, save


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
