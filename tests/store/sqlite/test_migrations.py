"""Files of other versions."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.run import Run
from graphql_runs.store.sqlite import SqliteStore, migrations
from tests.store.samples import Log, a_run


async def filled(path: Path) -> None:
    store = await SqliteStore.open(path)
    log = Log(store, a_run("r"))
    await log.begin()
    await store.commit(log.step(0))
    await store.close()


def ask(path: Path, query: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        (value,) = db.execute(query).fetchone()
        return value


async def test_an_older_file_is_brought_up_and_keeps_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.sqlite"
    await filled(path)
    version = len(migrations.MIGRATIONS)
    newer = ("CREATE TABLE extra(x); INSERT INTO extra VALUES (1)", "UPDATE extra SET x = x + 1")
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *newer))
    for _ in range(2):
        store = await SqliteStore.open(path)
        assert await Log(store, a_run("r")).check(1) == 1
        await store.close()
        assert ask(path, "PRAGMA user_version") == version + 2
        assert ask(path, "SELECT x FROM extra") == 2


async def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.sqlite"
    await filled(path)
    version = len(migrations.MIGRATIONS)
    with monkeypatch.context() as patch:
        broken = ("CREATE TABLE extra(x); DELETE FROM run", "INSERT INTO nowhere VALUES (1)")
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *broken))
        with pytest.raises(apsw.SQLError, match="nowhere"):
            await SqliteStore.open(path)
    assert ask(path, "PRAGMA user_version") == version
    assert ask(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'") == 0
    store = await SqliteStore.open(path)
    assert await Log(store, a_run("r")).check(1) == 1
    await store.close()


async def test_a_process_of_an_older_version_stops(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    store = await SqliteStore.open(path)
    log = Log(store, a_run("r"))
    await log.begin()
    assert await store.get(Run, [log.run.id]) == [log.run]
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(migrations.MIGRATIONS) + 1}")
        db.commit()
    # What it would read could be wrong, as it does not know what the tables mean now.
    for doing in (store.commit(log.step(0)), store.get(Run, [log.run.id]), store.check()):
        with pytest.raises(StoreUnavailable, match="another version"):
            await doing
    await store.close()


async def test_two_processes_may_create_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "runs.sqlite"
    first = SqliteStore.open(path)
    second = SqliteStore.open(path)
    stores = await asyncio.gather(first, second)
    assert stores[0].epoch == stores[1].epoch
    await Log(stores[0], a_run("r")).begin()
    assert await Log(stores[1], a_run("r")).check(0) == 0
    for store in stores:
        await store.close()
