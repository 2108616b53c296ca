"""A process that follows a folder into a store until it is killed: `python -m tests.ingest.serving FOLDER STORE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from graphql_runs.ingest.api import Limits
from graphql_runs.ingest.host import Host, SourceConfig, load_plugins
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.sqlite import SqliteStore


async def serve(folder: Path, store: Path) -> None:
    opened = await SqliteStore.open(store)
    # Small deliveries, so that there are many places to be killed at.
    host = Host(
        Recorder(opened),
        load_plugins(),
        [SourceConfig(folder, "src")],
        Limits(delivery_bytes=4096),
        poll_seconds=0.2,
    )
    await host.start()
    sys.stdout.write("following\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
