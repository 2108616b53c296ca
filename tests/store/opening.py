"""How tests, and their child processes, open each store."""

from __future__ import annotations

from pathlib import Path

from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore


async def sqlite(target: str) -> Store:
    return await SqliteStore.open(Path(target))
