from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty embedded store."""
    opened = await SqliteStore.open(tmp_path / "runs.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[Recorder]:
    """The write path of that store."""
    recording = Recorder(store)
    yield recording
    await recording.close()
