"""Opening the store that a setting names."""

from __future__ import annotations

from pathlib import Path

from graphql_runs.model.errors import InvalidInput
from graphql_runs.store.port import Store

_SQLITE = "sqlite:///"
_MONGODB = ("mongodb://", "mongodb+srv://")


async def open_store(url: str, *, create: bool = True) -> Store:
    """The store of `sqlite:///FILE` or `mongodb://HOST/DATABASE`, made if missing unless `create` is False.

    Raises InvalidInput for an address that names none, NotFound for a file that is not there and may not be made,
    StoreUnavailable when it cannot be opened.
    """
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        from graphql_runs.store.sqlite import SqliteStore

        return await SqliteStore.open(Path(url.removeprefix(_SQLITE)), create=create)
    if url.startswith(_MONGODB):
        from graphql_runs.store.mongo import MongoStore

        return await MongoStore.open(url)
    raise InvalidInput(
        f"store {url!r} is not understood; sqlite:///FILE and mongodb://HOST/DATABASE are", field="store"
    )
