from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, TrashRun
from graphql_runs.model.run import Run
from graphql_runs.record.retention import Keeping
from graphql_runs.server.application import build_application, build_rooms, keeping
from graphql_runs.server.settings import Settings
from graphql_runs.store.sqlite import SqliteStore


def test_settings_say_how_long_things_are_kept() -> None:
    assert keeping(Settings()) == Keeping()
    given = Settings(
        retention_seconds=5,
        trash_days=3,
        retain_days=90,
        journal_entries=100,
        journal_days=0.5,
        blob_days=2,
    )
    assert keeping(given) == Keeping(
        pause=5, trash_days=3, retain_days=90, journal_entries=100, journal_days=0.5, blob_days=2
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("trash_days", -1), ("retain_days", 0), ("journal_entries", 0), ("blob_days", 0), ("trash_days", 1e9)],
)
def test_settings_that_would_delete_too_much_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]  # of any name


async def test_a_running_server_empties_the_trash(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "runs.sqlite")
    rooms = build_rooms(store, Settings(retention_seconds=0.01, trash_days=1e-9), [])
    application = build_application(rooms, Settings())
    run = ids.run_id(ids.workspace_id("w"), "r")
    async with (
        application.router.lifespan_context(application),
        rooms.hub.watch(run) as signal,
        asyncio.timeout(20),
    ):
        await rooms.recorder.record("w", [DeclareRun("r", "e", "r", "t"), TrashRun("r")])
        while await store.get(Run, [run]) != [None]:
            await signal.wait()
