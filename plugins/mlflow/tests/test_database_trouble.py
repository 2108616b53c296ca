"""Databases in all the states that others leave them in, and ones that mean harm."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords, read, units_of
from graphql_runs_mlflow import ingester
from graphql_runs_mlflow.database import listing
from graphql_runs_mlflow.database.opening import session
from plugins.mlflow.tests.compare import check, seen
from plugins.mlflow.tests.stores import tracked
from plugins.mlflow.tests.test_database import change, deliveries, points_in

PATH = PurePosixPath("mlflow.db")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A small database of MLflow's, alone in a folder."""
    place = tmp_path / "source" / PATH
    place.parent.mkdir()
    shutil.copyfile(tracked("1.30.1").first, place)
    return place


@contextmanager
def writing(database: Path, *statements: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


def beside(database: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(database.parent.iterdir())}


def trouble(folder: Path) -> str:
    """Why a database cannot be read."""
    tree, units = units_of(ingester, folder)
    [unit] = [unit for unit in units if unit.index]
    with pytest.raises((Unreadable, OSError)) as caught:
        list(read(ingester, tree, unit))
    return str(caught.value)


# Reading leaves no traces


def test_nothing_is_written(database: Path) -> None:
    before = beside(database)
    check(seen(deliveries(database.parent)), tracked("1.30.1").said_first)
    assert beside(database) == before


def test_a_database_in_wal_mode_that_nobody_has_open_is_read_without_a_trace(database: Path) -> None:
    with writing(database, "PRAGMA journal_mode = WAL"):
        pass
    before = beside(database)
    assert list(before) == [database.name]
    check(seen(deliveries(database.parent)), tracked("1.30.1").said_first)
    assert beside(database) == before


def test_commits_that_are_only_in_the_wal_are_read(database: Path) -> None:
    with writing(database, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0") as connection:
        connection.execute("UPDATE params SET value = 'new' WHERE key = 'lr'")
        names = list(beside(database))
        assert names == ["mlflow.db", "mlflow.db-shm", "mlflow.db-wal"]
        content = database.read_bytes()
        found = seen(deliveries(database.parent))
        assert [run["params"]["lr"] for run in found.values() if run["params"]] == ["new"]
        assert database.read_bytes() == content
    assert list(beside(database)) == ["mlflow.db"]  # the writer was the last to close


@pytest.mark.parametrize("alone", [False, True], ids=["in a folder", "alone"])
async def test_a_database_in_wal_mode_is_followed(database: Path, alone: bool) -> None:
    run_id = next(run_id for run_id, run in tracked("1.30.1").said_first.items() if run["name"] == "open")
    records, place = MemoryRecords(), database if alone else database.parent
    host = Host(records, [ingester], [SourceConfig(place, "source")], Limits(), poll_seconds=0.1)
    with writing(database, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0") as connection:
        await host.start()
        try:
            for step in range(3):
                connection.execute(
                    "INSERT INTO metrics VALUES ('live', ?, 1, ?, ?, 0)", (step / 2, run_id, step)
                )
                for _ in range(500):
                    if len(records.values(run_id, "live")) > step:
                        break
                    await asyncio.sleep(0.02)
        finally:
            await host.close()
    assert records.values(run_id, "live") == [0.0, 0.5, 1.0]


def test_a_writer_that_comes_while_it_is_read_is_noticed(database: Path) -> None:
    with writing(database, "PRAGMA journal_mode = WAL"):
        pass

    def asked() -> None:
        with session(database.parent, PATH, Limits()) as opened, writing(database) as connection:
            connection.execute("UPDATE params SET value = 'new'")
            opened.rows("SELECT count(*) FROM runs")

    with pytest.raises(BlockingIOError, match="began to write"):
        asked()


def test_a_wal_without_its_index_is_told(database: Path) -> None:
    with writing(database, "PRAGMA journal_mode = WAL", "UPDATE params SET value = 'new'"):
        copy = database.parent.parent / "copy"
        copy.mkdir()
        for name in ("mlflow.db", "mlflow.db-wal"):
            shutil.copyfile(database.parent / name, copy / name)
    before = beside(copy / "mlflow.db")
    assert "-wal file but no -shm" in trouble(copy)
    assert beside(copy / "mlflow.db") == before


def test_what_is_not_committed_does_not_show(database: Path) -> None:
    with writing(database, "BEGIN IMMEDIATE", "UPDATE params SET value = 'new'") as connection:
        check(seen(deliveries(database.parent)), tracked("1.30.1").said_first)
        connection.execute("COMMIT")
        assert any("new" in run["params"].values() for run in seen(deliveries(database.parent)).values())


def test_a_writer_is_waited_for_and_then_tried_again(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs_mlflow.database.opening._BUSY_SECONDS", 0.01)
    with writing(database, "BEGIN EXCLUSIVE"):
        assert "locked" in trouble(database.parent)
    check(seen(deliveries(database.parent)), tracked("1.30.1").said_first)


def test_what_changed_is_known_although_looking_was_cut_off(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions() -> dict[str, str]:
        _, units = units_of(ingester, database.parent)
        return {unit.place: unit.version for unit in units if unit.run is not None}

    def cut_off(opened: object) -> dict[str, str]:
        raise OSError("the database is locked")

    before = versions()
    with writing(database, "UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'open'"):
        pass
    with monkeypatch.context() as patch:
        patch.setattr(listing, "_parents", cut_off)
        assert versions() == before
    after = versions()
    assert after.keys() == before.keys()
    assert sum(after[place] != before[place] for place in after) == 1


def test_a_change_that_was_broken_off_is_told_and_left_to_mlflow(database: Path) -> None:
    with writing(
        database, "PRAGMA cache_size = 1", "BEGIN IMMEDIATE", "UPDATE metrics SET value = value + 1"
    ):
        copy = database.parent.parent / "copy"
        copy.mkdir()
        for name in ("mlflow.db", "mlflow.db-journal"):
            shutil.copyfile(database.parent / name, copy / name)
    before = beside(copy / "mlflow.db")
    assert "its last writer died" in trouble(copy)
    assert beside(copy / "mlflow.db") == before


# What is no database of MLflow's, or not an honest one


def test_other_databases_are_left_alone(tmp_path: Path) -> None:
    with writing(tmp_path / "app.db", "CREATE TABLE runs (run_uuid TEXT)", "CREATE TABLE metrics (key TEXT)"):
        pass
    (tmp_path / "junk.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    (tmp_path / "mlflow.db").write_bytes(b"not a database " * 100)
    assert units_of(ingester, tmp_path)[1] == []


def test_views_are_not_asked(database: Path) -> None:
    change(
        database,
        "ALTER TABLE metrics RENAME TO others",
        "CREATE VIEW metrics AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT 'a' AS key, i AS value, i AS timestamp, 'x' AS run_uuid, i AS step, 0 AS is_nan FROM n",
    )
    assert units_of(ingester, database.parent)[1] == []


def test_functions_are_not_called(database: Path) -> None:
    with session(database.parent, PATH, Limits()) as opened:
        for question in (
            "SELECT load_extension('x')",
            "SELECT randomblob(1000000000)",
            "ATTACH 'other.db' AS other",
            "PRAGMA journal_mode = WAL",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
            "DELETE FROM runs",
            "CREATE TEMP TABLE t (a)",
        ):
            with pytest.raises(sqlite3.Error):
                opened.rows(question)


def test_a_question_without_an_end_is_given_up(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs_mlflow.database.opening._QUESTION_SECONDS", 0.05)
    endless = "SELECT count(*) FROM metrics AS a, metrics AS b, metrics AS c, metrics AS d"
    with pytest.raises(Unreadable, match="took longer"), session(database.parent, PATH, Limits()) as opened:
        opened.rows(endless)


def test_a_database_that_is_a_link_out_of_the_source_is_not_opened(database: Path) -> None:
    source = database.parent.parent / "other"
    source.mkdir()
    (source / "mlflow.db").symlink_to(database)
    with pytest.raises(Unreadable), session(source, PATH, Limits()):
        pass


def test_rows_of_the_wrong_kind_are_told_once_and_the_others_taken(database: Path) -> None:
    run_id = next(run_id for run_id, run in tracked("1.30.1").said_first.items() if run["name"] == "open")
    change(
        database,
        "PRAGMA ignore_check_constraints = ON",
        f"INSERT INTO metrics VALUES ('good', 1, 1, '{run_id}', 1, 0)",
        f"INSERT INTO metrics VALUES (x'ff', 2, 2, '{run_id}', 2, 0)",
        f"INSERT INTO metrics VALUES ('text', 'abc', 3, '{run_id}', 3, 0)",
        f"INSERT INTO metrics VALUES ('late', 4, 9223372036854775807, '{run_id}', 4, 0)",
        f"INSERT INTO metrics VALUES ('step', 5, 5, '{run_id}', 1.5, 0)",
        f"INSERT INTO metrics VALUES ('flag', 6, 6, '{run_id}', 6, 7)",
    )
    places: dict[str, object] = {}
    found = deliveries(database.parent, places)  # type: ignore[arg-type] # any checkpoints
    assert seen(found)[run_id]["points"] == {"good": [("1.0", 1, 1000)]}
    assert sum(len(delivery.skipped) for delivery in found) == 5
    assert deliveries(database.parent, places) == []  # type: ignore[arg-type] # any checkpoints


@pytest.fixture(scope="module")
def bytes_of_a_database() -> bytes:
    return tracked("1.30.1").first.read_bytes()


@given(
    places=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), min_size=1, max_size=20),
    head=st.booleans(),
    cut=st.none() | st.floats(0, 1),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_database_is_borne(
    tmp_path: Path,
    bytes_of_a_database: bytes,
    places: list[tuple[float, bytes]],
    head: bool,
    cut: float | None,
) -> None:
    data = bytearray(bytes_of_a_database)
    for place, new in places:
        start = 24 + int(place * (12_000 if head else len(data) - 100))
        data[start : start + len(new)] = new
    if cut is not None:
        del data[int(cut * len(data)) :]
    # What a file was recognised as is remembered by its path.
    folder = Path(mkdtemp(dir=tmp_path))
    (folder / "mlflow.db").write_bytes(data)
    tree, units = units_of(ingester, folder)
    event("taken" if units else "left alone")
    for unit in units:
        with suppress(Unreadable, OSError):
            points_in(list(read(ingester, tree, unit)))
