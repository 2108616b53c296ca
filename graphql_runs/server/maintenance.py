"""What the `store` commands do, without the command line around it. All raise CommandError."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from graphql_runs.maintain import check, copy
from graphql_runs.maintain.findings import CheckReport
from graphql_runs.model.errors import RunsError
from graphql_runs.server.fault import CommandError
from graphql_runs.server.opening import open_store
from graphql_runs.store.port import Capabilities, Sizes, Store

T = TypeVar("T")
_KINDS = {
    "Workspace": "workspaces",
    "Cluster": "clusters",
    "Experiment": "experiments",
    "Run": "runs",
    "Metric": "metrics",
    "LogFile": "log files",
    "Artifact": "artifacts",
}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def copy_store(source: str, target: str, told: copy.Told) -> copy.CopyReport:
    """Copy the store of one address to another, which is made if missing."""

    async def work(opened: Store) -> copy.CopyReport:
        other = await open_store(target)
        try:
            return await copy.copy_store(opened, other, told)
        finally:
            await other.close()

    return _with_store(source, work)


def check_store(store: str, *, mend: bool, blobs: bool, told: check.Told) -> CheckReport:
    """Check the store of an address."""
    return _with_store(store, lambda opened: check.check_store(opened, mend=mend, blobs=blobs, told=told))


def backup_store(store: str, target: Path) -> None:
    """Write a copy of the store of an address, as of one moment, while it is in use."""

    async def work(opened: Store) -> None:
        if not opened.capabilities.backup:
            raise CommandError(
                f"a {opened.capabilities.name} store is backed up with the tools of its database (mongodump); "
                "`graphql-runs store copy` writes one to SQLite"
            )
        await opened.backup(target)

    _with_store(store, work)


def store_facts(store: str) -> list[tuple[str, str]]:
    """What there is in the store of an address and what the store can do, as rows of name and value."""

    async def work(opened: Store) -> list[tuple[str, str]]:
        return [*_sizes(await opened.sizes()), *_capabilities(opened.capabilities)]

    return _with_store(store, work)


def _with_store(address: str, work: Callable[[Store], Awaitable[T]]) -> T:
    async def opened() -> T:
        store = await open_store(address, create=False)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(opened())
    except RunsError as error:
        raise CommandError(error.message) from error


def _sizes(sizes: Sizes) -> list[tuple[str, str]]:
    return [
        *((name, f"{sizes.records[kind]:,}") for kind, name in _KINDS.items()),
        ("streams", f"{sizes.streams:,} of {sizes.items:,} items, {size(sizes.stream_bytes)}"),
        ("blobs", f"{sizes.blobs:,}, {size(sizes.blob_bytes)}"),
        ("on disk", "unknown" if sizes.disk_bytes is None else size(sizes.disk_bytes)),
    ]


def _capabilities(capabilities: Capabilities) -> list[tuple[str, str]]:
    return [
        ("store", f"{capabilities.name} {capabilities.version}"),
        ("change notification", _yes(capabilities.change_notification)),
        ("explain", _yes(capabilities.explain)),
        ("backup", _yes(capabilities.backup)),
        *capabilities.facts.items(),
    ]


def size(count: int) -> str:
    """A number of bytes for people."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{count} {unit}" if unit == _UNITS[0] else f"{value:.1f} {unit}"


def _yes(able: bool) -> str:
    return "yes" if able else "no"
