"""Space on the disk: too little of it, and how much the write-ahead log takes."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from graphql_runs.store.port import Append, Batch, Item, journal_of
from graphql_runs.store.sqlite import SqliteStore
from tests.store.samples import Log, a_run, entry, read_all

ROOT = Path(__file__).parents[3]


async def test_a_full_disk_is_an_error_and_nothing_is_half_there(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.sqlite.full", str(path), cwd=ROOT, stdout=PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    acknowledged, failed, after = map(int, said.split())
    assert acknowledged > 0
    assert failed == 3
    store = await SqliteStore.open(path)
    assert await Log(store, a_run("r")).check(0) == acknowledged + after
    await store.close()


async def test_the_log_of_writes_does_not_grow_without_bound(tmp_path: Path) -> None:
    path, run = tmp_path / "runs.sqlite", a_run("r")
    store = await SqliteStore.open(path)
    data = os.urandom(1 << 20)
    largest = 0
    for n in range(60):
        item = Item(n * len(data), (n + 1) * len(data), data)
        await store.commit(Batch(run.root, entry(n), appends=(Append("log_x", item),)))
        # A reader between all writes.
        await store.read("log_x", item.start, limit=1)
        largest = max(largest, path.with_name(f"{path.name}-wal").stat().st_size)
    assert largest < 30 << 20
    await store.close()
    assert not path.with_name(f"{path.name}-wal").exists()
    again = await SqliteStore.open(path)
    assert await again.ends(["log_x", journal_of(run.root)]) == [60 << 20, 60]
    assert {item.data for item in await read_all(again, "log_x")} == {data}
    await again.close()
