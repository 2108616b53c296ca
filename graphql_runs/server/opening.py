"""Opening the store that a setting names."""

from __future__ import annotations

from pathlib import Path

from graphql_runs.model.errors import InvalidInput
from graphql_runs.store.port import Store

_SQLITE = "sqlite:///"
_MONGODB = ("mongodb://", "mongodb+srv://")


async def open_store(url: str) -> Store:
    """The store of `sqlite:///FILE` or `mongodb://HOST/DATABASE`. Raises InvalidInput for an address that names none, StoreUnavailable when it cannot be opened."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        from graphql_runs.store.sqlite import SqliteStore

        return await SqliteStore.open(Path(url.removeprefix(_SQLITE)))
    if url.startswith(_MONGODB):
        from graphql_runs.store.mongo import MongoStore

        return await MongoStore.open(url)
    raise InvalidInput(
        f"store {url!r} is not understood; sqlite:///FILE and mongodb://HOST/DATABASE are", field="store"
    )
