"""Clocks that go back, places that cannot be written, copies that were broken off."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from graphql_runs.model.errors import InvalidInput
from graphql_runs.store.port import Purge, journal_of
from graphql_runs.store.sqlite import SqliteStore
from tests.store.samples import HOME, Log, Place, a_run, chunks, entry, eventually, read_all
from tests.store.suite.processes import child, line


class BackwardClock:
    """Every look at it is an hour before the last one."""

    def __init__(self) -> None:
        self.now = 1_900_000_000_000_000_000

    def nanoseconds(self) -> int:
        self.now -= 3600 * 10**9
        return self.now

    def seconds(self) -> float:
        return self.nanoseconds() / 1e9


async def test_a_clock_that_goes_back_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = BackwardClock()
    monkeypatch.setattr(time, "time", clock.seconds)
    monkeypatch.setattr(time, "time_ns", clock.nanoseconds)
    path = tmp_path / "runs.sqlite"
    store = await SqliteStore.open(path)
    log = Log(store, a_run("r"))
    await log.begin()
    n = hints = 0
    for _ in range(3):
        for _ in range(20):
            await store.commit(log.step(n))
            n += 1
            [hint] = await store.hints(HOME, hints, first=9)
            assert (hint.run, hint.at) == (log.run.id, n - 1)
            hints = hint.n
        assert await log.check(n) == n
        sha256, size = await store.put_blob(chunks(b"%d" % n), limit=9)
        assert await store.blob_size(sha256) == size
        await store.close()
        store = await SqliteStore.open(path)
        log = Log(store, log.run)
    await store.trim(log.run.root, n - 5)
    left = await read_all(store, journal_of(log.run.root))
    assert [item.start for item in left] == list(range(n - 5, n + 1))
    await store.purge(Purge(log.run.root, entry(n + 1), (log.run.id,)))
    assert await read_all(store, journal_of(log.run.root)) == [entry(n + 1)]
    assert await store.sweep_blobs(clock.now // 1000) == 0
    # A blob was put when the clock said so.
    await store.put_blob(chunks(b"x"), limit=9)
    put = clock.now // 1000
    # Those before it were put later, by that clock.
    assert await store.sweep_blobs(put) == 0
    assert await store.sweep_blobs(put + 1) == 1
    await store.close()


def unfinished(folder: Path) -> list[Path]:
    return list(folder.glob("*unfinished*"))


async def test_a_copy_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "half.blobs").mkdir()
    for name, words in (
        ("file/copy", "cannot be created"),
        ("file", "is there already"),
        ("half", "is there already"),
        ("runs.sqlite", "is there already"),
    ):
        with pytest.raises(InvalidInput, match=words) as caught:
            await store.backup(tmp_path / name)
        assert caught.value.field == "target"
    assert (tmp_path / "file").read_text() == "no folder"
    await store.close()
    assert unfinished(tmp_path) == []


async def test_a_copy_that_was_killed_is_not_there(tmp_path: Path) -> None:
    path, folder = tmp_path / "runs.sqlite", tmp_path / "copies"
    store = await SqliteStore.open(path)
    log = Log(store, a_run("r"))
    await log.begin()
    await asyncio.gather(*(store.commit(log.step(n)) for n in range(200)))
    await asyncio.gather(*(store.put_blob(chunks(b"blob %d" % n), limit=9) for n in range(50)))
    async with child(Place("tests.store.opening:sqlite", str(path)), "copy", str(folder)) as process:
        for _ in range(3):
            await line(process)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    copies = sorted(one for one in folder.iterdir() if one.suffix == ".sqlite")
    assert len(copies) >= 3
    for path in copies:
        copy = await SqliteStore.open(path)
        assert await Log(copy, log.run).check(200) == 200
        assert (await copy.sizes()).blobs == 50
        await copy.close()
    await store.close()


async def test_the_blobs_of_a_copy_do_not_take_space_twice(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    sha256, _ = await store.put_blob(chunks(b"content"), limit=9)
    await store.backup(tmp_path / "copy.sqlite")
    files = [tmp_path / f"{name}.sqlite.blobs" / sha256[:2] / sha256 for name in ("runs", "copy")]
    assert files[0].samefile(files[1])

    async def swept() -> bool:
        return await store.sweep_blobs(time.time_ns() // 1000) == 1

    await eventually(swept)
    assert files[1].read_bytes() == b"content"
    await store.close()
