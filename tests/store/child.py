"""Another process that uses a store: `python -m tests.store.child OPENER TARGET DEED ARGUMENT…`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from graphql_runs.store.port import Purge, Store
from tests.store.samples import (
    Log,
    Place,
    a_run,
    entry,
    eventually,
    purge_and_make,
    share,
    write_and_follow,
)


def say(text: object) -> None:
    """One line to the parent, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def flood(store: Store, run_id: str) -> None:
    """Commit steps to a tree of its own until killed; each is said when it is acknowledged."""
    log = Log(store, a_run(run_id))
    await log.begin()
    n = 0
    while True:
        await store.commit(log.step(n))
        say(n)
        n += 1


async def shared(store: Store, run_id: str, writer: str, times: str) -> None:
    """Commit to a tree that other processes commit to at the same time."""
    await share(store, a_run(run_id), writer, int(times))


async def own(store: Store, run_id: str, times: str) -> None:
    """Commit to a tree of its own."""
    log = Log(store, a_run(run_id))
    await log.begin()
    for n in range(int(times)):
        await store.commit(log.step(n))


async def count(store: Store, counter: str, times: str) -> None:
    """Draw numbers."""
    for _ in range(int(times)):
        say(await store.next_number(counter))


async def trio(store: Store, name: str, names: str, times: str) -> None:
    """Write to a tree of its own and follow those of all; says every entry it saw."""
    for seen in await write_and_follow(store, name, names.split(","), int(times)):
        say(seen)


async def remake(store: Store, run_id: str, times: str) -> None:
    """Purge a tree and make it anew, while others do the same; says how often it was the one to do so."""
    say(await purge_and_make(store, a_run(run_id), int(times)))


async def purge(store: Store, run_id: str, n: str) -> None:
    """Purge a tree, and do nothing more until killed."""
    run = a_run(run_id)
    await store.purge(Purge(run.root, entry(int(n)), (run.id,)))
    say("purged")
    await asyncio.Event().wait()


async def copy(store: Store, folder: str) -> None:
    """Make one copy after the other until killed; each is said when it is there."""
    for n in itertools.count():
        await store.backup(Path(folder) / f"{n}.sqlite")
        say(n)


async def follow(store: Store, stream: str, row: str) -> None:
    """Say when a row is there."""

    async def there() -> bool:
        [end] = await store.ends([stream])
        return end > int(row)

    await eventually(there)


DEEDS = {deed.__name__: deed for deed in (flood, shared, own, count, trio, remake, purge, copy, follow)}


async def main(opener: str, target: str, deed: str, *arguments: str) -> None:
    store = await Place(opener, target).open()
    say("ready")
    try:
        await DEEDS[deed](store, *arguments)
    finally:
        await store.close()
    say("done")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
