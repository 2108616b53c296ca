"""What purges and trims leave in the file: it goes bit by bit, whatever else happens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from graphql_runs.model.records import Metric
from graphql_runs.store.port import Append, Batch, Item, Purge, journal_of
from graphql_runs.store.sqlite import SqliteStore, removal, writer
from graphql_runs.store.sqlite.connection import number
from tests.store.samples import Log, Place, a_metric, a_run, entry, eventually, read_all, save
from tests.store.suite.processes import child, line
from tests.store.suite.wakes import listening

RUN = a_run("r")
METRIC = a_metric(RUN, "loss")
NEVER = 1e8


def ask(path: Path, query: str) -> int:
    """The number that a query finds in the file, while others have it open."""
    # Not with Python's own module: when it closes the file, the locks of the SQLite in apsw go too.
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        return number(db.cursor(), query)


def items_left(path: Path) -> int:
    """Items in the file but for the marker, whoever they belong to."""
    return ask(path, "SELECT count(*) FROM item WHERE stream <> 0")


def left(path: Path, items: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return items_left(path) == items

    return look


def nothing_unused(path: Path) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return ask(path, "SELECT count(*) FROM unused") == 0

    return look


async def filled(store: SqliteStore, *, points: int, size: int = 10) -> int:
    """A tree with so many points; gives the end of its journal."""
    await save(store, RUN, METRIC)
    await asyncio.gather(
        *(
            store.commit(
                Batch(RUN.root, entry(n + 1), appends=(Append(METRIC.id, Item(n, n + 1, b"%d" % n * size)),))
            )
            for n in range(points)
        )
    )
    return points + 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.mark.parametrize(("points", "size"), [(700, 10), (30, 100_000)])
async def test_nothing_is_left(path: Path, points: int, size: int) -> None:
    store = await SqliteStore.open(path)
    end = await filled(store, points=points, size=size)
    await store.trim(RUN.root, end - 5)
    await eventually(left(path, points + 5))
    await store.purge(Purge(RUN.root, entry(end), (RUN.id,)))
    await eventually(left(path, 1))
    assert ask(path, "SELECT count(*) FROM stream") == 1
    await eventually(nothing_unused(path))
    assert ask(path, "SELECT count(*) FROM term WHERE text GLOB 'metric_*'") == 0
    for table in ("sweep", "run", "metric", "bag", "position"):
        assert ask(path, f"SELECT count(*) FROM {table}") == 0
    assert ask(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") == 0
    await store.close()


async def test_who_opens_it_later_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_SWEEP_PAUSE", NEVER)
        patch.setattr(writer, "_SWEEP_EVERY", NEVER)
        store = await SqliteStore.open(path)
        end = await filled(store, points=300)
        await store.purge(Purge(RUN.root, entry(end), (RUN.id,)))
        await save_again(store, end + 1)
        await store.close()
    assert items_left(path) == 300 + end + 3
    store = await SqliteStore.open(path)
    await eventually(left(path, 3))
    # What was made anew meanwhile is not touched.
    assert await read_all(store, METRIC.id) == [Item(0, 1, b"anew")]
    assert await store.tree_runs(RUN.root) == [RUN]
    await store.close()


async def save_again(store: SqliteStore, n: int) -> None:
    await store.commit(
        Batch(RUN.root, entry(n), creates=(RUN, METRIC), appends=(Append(METRIC.id, Item(0, 1, b"anew")),))
    )


async def test_another_process_goes_on_after_a_kill(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.01)
    store = await SqliteStore.open(path)
    end = await filled(store, points=300)
    place = Place("tests.store.opening:sqlite", str(path))
    async with child(place, "purge", "r", str(end)) as process:
        assert await line(process) == "purged"
        process.send_signal(signal.SIGKILL)
        await process.wait()
    # It looks when it has been idle after a commit.
    await save(store, a_run("mine"))
    await eventually(left(path, 2))
    await store.close()


async def test_it_goes_on_beside_steady_commits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_SWEEP_EVERY", 0.0)
    store = await SqliteStore.open(path)
    end = await filled(store, points=600)
    log = Log(store, a_run("log"))
    await log.begin()
    await store.purge(Purge(RUN.root, entry(end), (RUN.id,)))
    n = 0
    while items_left(path) > 2 * n + 2:
        await asyncio.gather(*(store.commit(log.step(n + i)) for i in range(20)))
        n += 20
    assert await log.check(n) == n
    await store.close()


async def test_followers_are_told_after_the_newest_items_went(path: Path) -> None:
    """Keys of items tell what is new; they must not come back."""
    store, other = await SqliteStore.open(path), await SqliteStore.open(path)
    end = await filled(store, points=5)
    for n in range(end, end + 5):
        await store.commit(Batch(RUN.root, entry(n)))
    end += 5
    async with listening(other) as heard:
        await store.trim(RUN.root, end)
        await eventually(left(path, 5))
        heard.clear()
        for n in range(end, end + 10):
            await store.commit(Batch(RUN.root, entry(n)))
            await heard.of(RUN.root)
            heard.clear()
    await store.close()
    await other.close()


async def test_names_that_were_swept_mean_what_they_say(path: Path) -> None:
    """Numbers stand for names in the file and are used again, whoever remembers them."""
    store, other = await SqliteStore.open(path), await SqliteStore.open(path)
    n = 0
    for turn in range(4):
        await other.commit(Batch(RUN.root, entry(n), creates=(RUN, METRIC)))
        point = Item(0, 1, b"of %d" % turn)
        await other.commit(Batch(RUN.root, entry(n + 1), appends=(Append(METRIC.id, point),)))
        assert await read_all(store, METRIC.id) == [point]
        await store.purge(Purge(RUN.root, entry(n + 2), (RUN.id,)))
        await eventually(nothing_unused(path))
        n += 3
        # It takes the place of the newest name.
        another = a_run(f"another {turn}")
        names = [a_metric(another, f"{turn} {i}") for i in range(3)]
        points = tuple(Append(name.id, Item(0, 1, name.id.encode())) for name in names)
        await store.commit(Batch(another.id, entry(0), creates=(another, *names), appends=points))
        for name in names:
            assert await read_all(other, name.id) == [Item(0, 1, name.id.encode())]
        assert await other.ends([METRIC.id]) == [0]
    await store.close()
    await other.close()


async def test_a_name_that_is_in_use_again_is_not_swept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_SWEEP_PAUSE", NEVER)
        patch.setattr(writer, "_SWEEP_EVERY", NEVER)
        store = await SqliteStore.open(path)
        end = await filled(store, points=3)
        await store.purge(Purge(RUN.root, entry(end), (RUN.id,)))
        await save_again(store, end + 1)
        await store.close()
    store = await SqliteStore.open(path)
    await eventually(nothing_unused(path))
    assert await store.list_named(Metric, RUN.id, first=9) == [METRIC]
    assert await store.get(Metric, [METRIC.id]) == [METRIC]
    assert await read_all(store, METRIC.id) == [Item(0, 1, b"anew")]
    await store.close()


async def test_a_sweep_that_fails_harms_nobody_and_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "_IDLE_SECONDS", 0.01)
    store = await SqliteStore.open(path)
    end = await filled(store, points=50)

    def fail(cursor: apsw.Cursor) -> bool:
        cursor.execute("DELETE FROM item")
        raise apsw.FullError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(removal, "sweep", fail)
        await store.purge(Purge(RUN.root, entry(end), (RUN.id,)))

        async def failed() -> bool:
            return "could not be swept" in caplog.text

        await eventually(failed)
        await save(store, a_run("mine"))
        assert await store.ends([journal_of(RUN.root), journal_of(a_run("mine").root)]) == [end + 1, 1]
    await save(store, a_run("another"))
    await eventually(left(path, 3))
    await store.close()
