"""A process whose files may not grow any more after a while, as on a full disk: `python -m tests.store.sqlite.full STORE`."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import sys
from pathlib import Path

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.store.port import Purge
from graphql_runs.store.sqlite import SqliteStore
from tests.store.samples import Log, a_run, chunks, entry


async def refuses(store: SqliteStore, log: Log, path: Path, n: int) -> None:
    """Everything else that needs space fails in the same way, and nothing of it is there."""
    root, large = log.run.root, bytes(10_000_000)
    purge = Purge(root, entry(n + 1), (log.run.id,))
    for doing in (store.purge(purge), store.put_blob(chunks(large), limit=len(large))):
        try:
            await doing
        except StoreUnavailable:
            continue
        raise AssertionError(doing)
    await log.check(n)
    assert await store.blob_size(hashlib.sha256(large).hexdigest()) is None
    folder = path.parent / "copies"
    folder.mkdir()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
    try:
        await store.backup(folder / "copy")
    except StoreUnavailable:
        assert list(folder.iterdir()) == []
    else:
        raise AssertionError(list(folder.iterdir()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def main(path: Path) -> None:
    store = await SqliteStore.open(path)
    log = Log(store, a_run("r"))
    await log.begin()
    n = failed = after = 0
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.with_name(f"{path.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300_000, most))
    while failed < 3:
        try:
            await store.commit(log.step(n))
            n += 1
        except StoreUnavailable:
            failed += 1
            # What is there can be read all the same.
            await log.check(n)
    await refuses(store, log, path, n)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    for _ in range(5):
        await store.commit(log.step(n + after))
        after += 1
    await store.close()
    sys.stdout.write(f"{n} {failed} {after}\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
