"""The commands `graphql-runs store …`, as a user calls them."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphql_runs.cli import app
from graphql_runs.model.errors import NotFound
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.sqlite import SqliteStore
from tests.maintain import damage
from tests.maintain.filling import contents, fill, metric_id
from tests.server.processes import SCRIPT

runner = CliRunner()


@pytest.fixture
def full(tmp_path: Path) -> str:
    async def make() -> None:
        store = await SqliteStore.open(tmp_path / "runs.sqlite")
        await fill(store)
        await store.close()

    asyncio.run(make())
    return f"sqlite:///{tmp_path / 'runs.sqlite'}"


async def held(path: Path) -> dict[str, object]:
    store = await SqliteStore.open(path, create=False)
    found = await contents(store)
    await store.close()
    return found


def test_help_names_every_command() -> None:
    shown = runner.invoke(app, ["store", "--help"])
    assert shown.exit_code == 0
    for command in ("copy", "check", "backup", "stats"):
        assert command in shown.output
        assert runner.invoke(app, ["store", command, "--help"]).exit_code == 0


def test_copy_says_what_it_brought(full: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'copy.sqlite'}"
    shown = runner.invoke(app, ["store", "copy", full, target])
    assert shown.exit_code == 0, shown.output
    assert "copied 4 runs in 2 trees, 72 points" in shown.output
    assert "compared 2 trees" in shown.output
    assert asyncio.run(held(tmp_path / "copy.sqlite")) == asyncio.run(held(tmp_path / "runs.sqlite"))
    again = runner.invoke(app, ["store", "copy", full, target])
    assert again.exit_code == 0
    assert "copied 0 runs in 0 trees" in again.output


def test_copy_refuses_what_is_no_target(full: str, tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'missing.sqlite'}"
    for arguments, words in (
        ([full, full], "same store"),
        ([missing, full], "there is no store at"),
        ([full, "postgres://x"], "is not understood"),
    ):
        shown = runner.invoke(app, ["store", "copy", *arguments])
        assert shown.exit_code == 1
        assert words in shown.output
    assert not (tmp_path / "missing.sqlite").exists()


def test_copy_names_what_it_could_not_bring(full: str, tmp_path: Path) -> None:
    damage.change_item(tmp_path / "runs.sqlite", metric_id("child-1", "loss"), 4, b"garbage", fitting=True)
    shown = runner.invoke(app, ["store", "copy", full, f"sqlite:///{tmp_path / 'copy.sqlite'}"])
    assert shown.exit_code == 1
    assert f"{metric_id('child-1', 'loss')} is damaged: rows [4, 6)" in shown.output


def test_check_lists_repairs_and_exits_accordingly(
    full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = metric_id("child-1", "loss")
    monkeypatch.setenv("GRAPHQL_RUNS_STORE", full)
    sound = runner.invoke(app, ["store", "check", "--blobs"])
    assert sound.exit_code == 0
    assert "4 runs" in sound.output
    assert "nothing is wrong" in sound.output
    damage.change_record(tmp_path / "runs.sqlite", "metric", loss, lambda document: document.update(max=9.0))
    wrong = runner.invoke(app, ["store", "check"])
    assert wrong.exit_code == 1
    assert f"{loss}: max is 9.0, its points say 1.0 (--repair mends it)" in wrong.output
    assert "1 wrong" in wrong.output
    repaired = runner.invoke(app, ["store", "check", full, "--repair"])
    assert repaired.exit_code == 0
    assert "(repaired)" in repaired.output
    assert "nothing is wrong, 1 repaired" in repaired.output
    assert runner.invoke(app, ["store", "check", full]).exit_code == 0


def test_check_makes_no_store(tmp_path: Path) -> None:
    shown = runner.invoke(app, ["store", "check", f"sqlite:///{tmp_path / 'typo.sqlite'}"])
    assert shown.exit_code == 1
    assert "there is no store at" in shown.output
    assert list(tmp_path.iterdir()) == []


def test_backup_writes_a_store(full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "backup.sqlite"
    shown = runner.invoke(app, ["store", "backup", full, str(target)])
    assert shown.exit_code == 0, shown.output
    assert asyncio.run(held(target)) == asyncio.run(held(tmp_path / "runs.sqlite"))
    monkeypatch.setenv("GRAPHQL_RUNS_STORE", full)
    again = runner.invoke(app, ["store", "backup", str(target)])
    assert again.exit_code == 1
    assert "already" in again.output
    assert runner.invoke(app, ["store", "backup", str(tmp_path / "second.sqlite")]).exit_code == 0
    assert "a path to write to" in runner.invoke(app, ["store", "backup", full]).output


def test_stats_shows_sizes_and_capabilities(full: str) -> None:
    shown = runner.invoke(app, ["store", "stats", full])
    assert shown.exit_code == 0, shown.output
    for words in ("streams", "blobs", "on disk", "sqlite", "change notification", "yes"):
        assert words in shown.output


def test_a_copy_that_is_killed_goes_on(tmp_path: Path) -> None:
    async def make() -> None:
        store = await SqliteStore.open(tmp_path / "many.sqlite")
        recorder = Recorder(store)
        for n in range(150):
            operations: list[RunOperation] = [
                DeclareRun(f"r{n}", "lab", "r", "test"),
                LogPoints(f"r{n}", "m", [1.0] * 50),
            ]
            await recorder.record("home", operations, writer="w", sequence=0)
        await recorder.close()
        await store.close()

    async def copied() -> int:
        try:
            store = await SqliteStore.open(tmp_path / "copy.sqlite", create=False)
        except NotFound:
            return 0
        found = await store.count_runs(None)
        await store.close()
        return found

    asyncio.run(make())
    command = [
        str(SCRIPT),
        "store",
        "copy",
        f"sqlite:///{tmp_path / 'many.sqlite'}",
        f"sqlite:///{tmp_path / 'copy.sqlite'}",
    ]
    for runs in (1, 60):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and asyncio.run(copied()) < runs:
            time.sleep(0.01)
        process.kill()
        process.wait()
        assert asyncio.run(copied()) >= runs
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compared 150 trees" in done.stdout
    assert asyncio.run(held(tmp_path / "copy.sqlite")) == asyncio.run(held(tmp_path / "many.sqlite"))
