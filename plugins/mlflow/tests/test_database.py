"""What a job logged into MLflow's database comes out as MLflow says it is, whichever version wrote it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.ingest.api import Delivery, Limits, Unreadable
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords, read, units_of
from graphql_runs.model.operation import AddArtifact, LogPoints
from graphql_runs.model.source import SourceState
from graphql_runs_mlflow import ingester
from plugins.mlflow.tests.compare import check, seen
from plugins.mlflow.tests.stores import DATABASE, TRACKED, VERSIONS, Tracked, said_by, tracked, written

SMALL = Limits(delivery_bytes=1000)
Places = dict[str, Mapping[str, object]]


@pytest.fixture(params=list(VERSIONS))
def any_version(request: pytest.FixtureRequest) -> Tracked:
    return tracked(request.param)


@pytest.fixture
def store(tmp_path: Path) -> Tracked:
    """A database of today's MLflow, in a folder of the test's own."""
    made = tracked("3.17.2")
    shutil.copyfile(made.first, tmp_path / "mlflow.db")
    return made


def deliveries(folder: Path, places: Places | None = None, limits: Limits | None = None) -> list[Delivery]:
    """All that is new since `places`, which are brought up to date."""
    tree, units = units_of(ingester, folder)
    found = []
    for unit in units:
        for delivery in read(ingester, tree, unit, (places or {}).get(unit.place), limits):
            found.append(delivery)
            if places is not None:
                places[unit.place] = delivery.checkpoint
    return found


def run_named(said: Mapping[str, dict[str, Any]], name: str) -> str:
    return next(run_id for run_id, run in said.items() if run["name"] == name)


def change(database: Path, *statements: str) -> None:
    connection = sqlite3.connect(database)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def points_in(found: list[Delivery]) -> int:
    return sum(
        len(one.values) for delivery in found for one in delivery.operations if isinstance(one, LogPoints)
    )


@pytest.mark.parametrize("limits", [None, SMALL], ids=["whole", "in pieces"])
def test_everything_comes_as_it_was_logged(
    any_version: Tracked, limits: Limits | None, tmp_path: Path
) -> None:
    database = tmp_path / "mlflow.db"
    shutil.copyfile(any_version.first, database)
    places: Places = {}
    found = deliveries(tmp_path, places, limits)
    check(seen(found), any_version.said_first)
    assert deliveries(tmp_path, places, limits) == []
    shutil.copyfile(any_version.later, database)
    found += deliveries(tmp_path, places, limits)
    check(seen(found), any_version.said_later)
    assert deliveries(tmp_path, places, limits) == []
    assert [skipped for delivery in found for skipped in delivery.skipped] == []


def test_points_keep_the_order_in_which_they_were_logged(store: Tracked, tmp_path: Path) -> None:
    run = seen(deliveries(tmp_path))[run_named(store.said_first, "first ✓")]
    assert [step for _, step, _ in run["points"]["loss"]] == [*range(9), 2, 2]
    assert [value for value, *_ in run["points"]["loss"]][:5] == ["0.5", "nan", "inf", "-inf", repr(1 / 3)]


def test_outputs_are_found_wherever_the_folder_of_runs_lies(store: Tracked, tmp_path: Path) -> None:
    shutil.copytree(store.artifacts, tmp_path / "elsewhere" / "mlruns")
    run_id = run_named(store.said_first, "first ✓")
    artifact = seen(deliveries(tmp_path))[run_id]["artifacts"]["sub/result.txt"]
    assert isinstance(artifact, AddArtifact)
    assert Path(artifact.location or "").read_text() == "result"
    assert artifact.size == 6
    _, units = units_of(ingester, tmp_path)
    [unit] = [unit for unit in units if unit.run is not None and unit.run.run_id == run_id]
    assert [path.name for path in unit.files] == ["result.txt"]


def test_what_the_database_names_elsewhere_is_left_alone(store: Tracked, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "mlflow.db").rename(source / "mlflow.db")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    change(source / "mlflow.db", f"UPDATE runs SET artifact_uri = 'file://{tmp_path}/secret'")
    assert all(run["artifacts"] == {} for run in seen(deliveries(source)).values())


def test_only_runs_that_changed_are_to_be_read_again(store: Tracked, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    ids = {
        name: run_named(store.said_first, name) for name in ("first ✓", "child", "open", "deleted", "queued")
    }

    def versions() -> dict[str, str]:
        _, units = units_of(ingester, tmp_path)
        return {unit.run.run_id: unit.version for unit in units if unit.run is not None}

    change(database, "DELETE FROM inputs")
    before = versions()
    assert versions() == before
    changes = {
        "open": "INSERT INTO metrics VALUES ('x', 1.5, 1, '{}', 1, 0)",
        "child": "INSERT INTO params VALUES ('x', '1', '{}')",
        "first ✓": "UPDATE tags SET value = 'other' WHERE key = 'team' AND run_uuid = '{}'",
        "deleted": "UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid = '{}'",
        "queued": "DELETE FROM tags WHERE run_uuid = '{}'",
    }
    for name, statement in changes.items():
        change(database, statement.format(ids[name]))
        while (after := versions()) == before:
            pass  # all tags are looked at a little later
        assert {run_id for run_id in before if before[run_id] != after[run_id]} == {ids[name]}
        before = after


def test_a_database_that_was_packed_is_read_on(store: Tracked, tmp_path: Path) -> None:
    places: Places = {}
    found = deliveries(tmp_path, places)
    # As `mlflow gc` does, and then a new version of MLflow, which copies the table: rows get other numbers.
    gone = run_named(store.said_first, "deleted")
    opened = run_named(store.said_first, "open")
    change(
        tmp_path / "mlflow.db",
        *(
            f"DELETE FROM {table} WHERE run_uuid = '{gone}'"
            for table in ("metrics", "latest_metrics", "tags", "params")
        ),
        f"DELETE FROM runs WHERE run_uuid = '{gone}'",
        "DELETE FROM metrics WHERE key = 'loss' AND value < 0.4 AND step < 5",
        "CREATE TABLE copy AS SELECT * FROM metrics",
        "DELETE FROM metrics",
        "INSERT INTO metrics SELECT * FROM copy",
        "DROP TABLE copy",
        f"INSERT INTO metrics VALUES ('late', 1.5, 1, '{opened}', 1, 0)",
    )
    new = deliveries(tmp_path, places)
    assert points_in(new) == 1
    assert seen(new)[opened]["points"] == {"late": [("1.5", 1, 1000)]}
    assert points_in(found) == sum(
        len(points) for run in store.said_first.values() for points in run["metrics"].values()
    )


def test_a_run_whose_points_were_replaced_is_not_read_twice(store: Tracked, tmp_path: Path) -> None:
    places: Places = {}
    deliveries(tmp_path, places)
    child = run_named(store.said_first, "child")
    change(tmp_path / "mlflow.db", f"UPDATE metrics SET value = 17 WHERE run_uuid = '{child}'")
    tree, units = units_of(ingester, tmp_path)
    [unit] = [unit for unit in units if unit.run is not None and unit.run.run_id == child]
    with pytest.raises(Unreadable, match="is not there any more"):
        list(read(ingester, tree, unit, places[unit.place]))


async def test_a_job_is_followed_while_it_logs(tmp_path: Path) -> None:
    records = MemoryRecords()
    host = Host(records, [ingester], [SourceConfig(tmp_path, "source")], Limits(), poll_seconds=0.2)
    await host.start()
    try:
        arguments = ("sqlite:///mlflow.db", "mlflow.db", "copy.tmp")
        said = await asyncio.to_thread(
            lambda: said_by("3.17.2", TRACKED, tmp_path, *arguments, needs=DATABASE)
        )
        for _ in range(400):
            if not _differs(records, said["later"]):
                break
            await asyncio.sleep(0.05)
    finally:
        await host.close()
    check(seen([Delivery({}, records.operations)]), said["later"])
    [report] = [report for report in host.reports() if report.plugin == "mlflow"]
    assert (report.last_error, report.skipped) == (None, ())


def _differs(records: MemoryRecords, said: Mapping[str, dict[str, Any]]) -> bool:
    try:
        check(seen([Delivery({}, records.operations)]), said)
    except (AssertionError, KeyError):
        return True
    return False


# The same run in several places


def moved(store: Tracked, folder: Path) -> str:
    """A file store with a run of a database's, as MLflow moves it, by its folder `mlruns`. Gives the run's id."""
    files, ids = written("3.17.2")
    shutil.copytree(files, folder / "mlruns")
    child = run_named(store.said_first, "child")
    [place] = folder.glob(f"mlruns/*/{ids['child']}")
    (place / "meta.yaml").write_text((place / "meta.yaml").read_text().replace(ids["child"], child))
    (place / "tags" / "mlflow.parentRunId").write_text(run_named(store.said_first, "first ✓"))
    place.rename(place.with_name(child))
    return child


def test_a_file_store_that_was_moved_into_a_database_beside_it_is_not_read_twice(
    store: Tracked, tmp_path: Path
) -> None:
    child = moved(store, tmp_path)
    found = seen(deliveries(tmp_path))
    assert found[child]["points"] == {"loss": [("2.0", -1, 1_700_000_000_000_000)]}
    assert len(found) == len(store.said_first) + 3


@pytest.mark.parametrize("order", [("database", "files"), ("files", "database")])
async def test_a_run_of_two_sources_is_read_from_one(
    store: Tracked, order: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "mlflow.db").rename(tmp_path / "database" / "mlflow.db")
    child = moved(store, tmp_path / "files")
    records = MemoryRecords()
    sources = [SourceConfig(tmp_path / name, name) for name in order]
    host = Host(records, [ingester], sources, Limits(), poll_seconds=0.2)
    await host.start()
    try:
        for _ in range(400):
            reports = [report for report in host.reports() if report.plugin == "mlflow"]
            clash = any("already" in (report.last_error or "") for report in reports)
            if (
                len(reports) == 2
                and clash
                and all(report.state is SourceState.FOLLOWING for report in reports)
            ):
                break
            await asyncio.sleep(0.02)
    finally:
        await host.close()
    assert any("already" in (report.last_error or "") for report in host.reports())
    assert len(records.values(child, "loss")) == 1


def test_a_run_that_was_read_from_files_is_not_read_from_a_database_too(
    store: Tracked, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    child = moved(store, tmp_path / "source")
    places: Places = {}
    deliveries(tmp_path / "source", places)
    tree, units = units_of(ingester, tmp_path)
    [unit] = [unit for unit in units if unit.run is not None and unit.run.run_id == child and unit.version]
    with pytest.raises(Unreadable, match="was read from MLflow's file store before"):
        list(read(ingester, tree, unit, places[unit.place]))


async def test_a_run_that_was_read_from_a_database_is_not_read_from_files_too(
    store: Tracked, tmp_path: Path
) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "mlflow.db").rename(tmp_path / "database" / "mlflow.db")
    child = moved(store, tmp_path / "files")
    records = MemoryRecords()
    error = None
    for name in ("database", "files"):
        host = Host(records, [ingester], [SourceConfig(tmp_path / name, name)], Limits(), poll_seconds=0.2)
        await host.start()
        try:
            for _ in range(400):
                if any(
                    report.state is SourceState.FOLLOWING
                    for report in host.reports()
                    if report.plugin == "mlflow"
                ):
                    break
                await asyncio.sleep(0.02)
            [error] = [report.last_error for report in host.reports() if report.plugin == "mlflow"]
        finally:
            await host.close()
    assert "was read from a database of MLflow's before" in (error or "")
    assert len(records.values(child, "loss")) == 1
