"""Another process that uses a store: `python -m tests.store.child OPENER TARGET DEED ARGUMENT…`."""

from __future__ import annotations

import asyncio
import sys

from graphql_runs.store.port import Store
from tests.store.samples import Log, Place, a_run, eventually, share


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


async def follow(store: Store, stream: str, row: str) -> None:
    """Say when a row is there."""

    async def there() -> bool:
        [end] = await store.ends([stream])
        return end > int(row)

    await eventually(there)


DEEDS = {deed.__name__: deed for deed in (flood, shared, own, count, follow)}


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
