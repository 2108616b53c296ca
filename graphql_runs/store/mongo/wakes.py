"""Who is told that something was committed: by this process at once, by others through a change stream of the heads, or, on a
server that has none, by looking at the feeds of hints.

Either goes on only while somebody listens. A lost connection ends nothing: everybody is woken when it is there again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator

from graphql_runs.model.errors import RunsError, StoreUnavailable
from graphql_runs.store.listener import Listener
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.heads import Heads
from graphql_runs.store.mongo.hints import UNSAID, Hints
from graphql_runs.store.mongo.operations import Document, Query, Replace
from graphql_runs.store.port import Wake

log = logging.getLogger(__name__)

_WAIT_SECONDS = 0.5
"""How long the server holds a request for changes; closing takes as long at most."""
_EMPTY_SECONDS = 0.01
"""A stand-in for tests answers at once instead."""
_RETRY_SECONDS = 0.5
_REMEMBERED = 10_000
"""Trees of which the own commits are remembered."""
_ALONE = "alone"
"""Stands for a tree where a record of none was written."""

# Applying an entry replaces the head. The commit point before it sets `entry`, and comes too early to read anything.
_APPLIED: list[Query] = [
    {"$match": {"operationType": {"$in": ["insert", "replace", "update"]}}},
    {"$match": {"updateDescription.updatedFields.entry": {"$exists": False}}},
    {"$project": {"documentKey": 1, "fullDocument.turn": 1}},
]


class Wakes:
    """All iterators of one opened store; lives on the event loop."""

    def __init__(
        self, driver: Driver, heads: Heads, hints: Hints, *, stream: bool, poll_seconds: float
    ) -> None:
        self._driver = driver
        self._heads = heads
        self._hints = hints
        self._stream = stream
        self._poll_seconds = poll_seconds
        self._listeners: set[Listener] = set()
        self._watching: asyncio.Task[None] | None = None
        self._own: dict[str, int] = {}
        self._closed = False

    async def listen(self) -> AsyncGenerator[Wake]:
        """Wakes until the store closes. Raises StoreUnavailable when it is closed."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        listener = Listener()
        self._listeners.add(listener)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            while True:
                await listener.ready.wait()
                if listener.closed:
                    return
                yield listener.take()
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                await self._stop()

    def committed(self, root: str, turn: int) -> None:
        """This process has committed to a tree, at that turn of its head."""
        if len(self._own) > _REMEMBERED:
            self._own.clear()
        self._own[root] = turn
        self._tell(frozenset({root}))

    async def wrote(self) -> None:
        """This process has written a record that belongs to no tree."""
        self._tell(frozenset())
        if self._stream:
            alone = {"_id": _ALONE, "token": secrets.token_hex(8)}
            await self._driver.apply("tree", [Replace({"_id": _ALONE}, alone, make=True)])
        else:
            await self._hints.give([[UNSAID, "", _ALONE, 0]])

    async def close(self) -> None:
        """End every iterator."""
        self._closed = True
        for listener in self._listeners:
            listener.closed = True
            listener.ready.set()
        await self._stop()

    def _tell(self, roots: frozenset[str] | None) -> None:
        for listener in self._listeners:
            listener.add(roots)

    def _tell_others(self, root: str | None, turn: int | None) -> None:
        """Tell what was noticed, unless it is a commit of this process, which was told."""
        if root is None or root == _ALONE:
            self._tell(frozenset())
        elif turn is None or self._own.get(root, -1) < turn:
            self._tell(frozenset({root}))

    async def _stop(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            try:
                await (self._follow() if self._stream else self._poll())
            except RunsError as error:
                log.warning("changes cannot be followed now: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        async with self._driver.watch("tree", _APPLIED, _WAIT_SECONDS) as following:
            # Nobody knows what happened until now.
            self._tell(None)
            while True:
                event = await following()
                if event is None:
                    await asyncio.sleep(_EMPTY_SECONDS)
                else:
                    self._tell_others(*_change(event))

    async def _poll(self) -> None:
        known = await self._hints.ends()
        self._tell(None)
        unsettled: set[str] = set()
        while True:
            await asyncio.sleep(self._poll_seconds)
            ends = await self._hints.ends()
            for workspace, n in ends.items():
                if n > known.get(workspace, 0):
                    roots = await self._hints.roots(workspace, known.get(workspace, 0))
                    if roots is None:
                        self._tell(None)
                    else:
                        unsettled |= roots
            known = ends
            if unsettled:
                # Hints are given shortly before their commit can be read.
                heads = await self._heads.get(list(unsettled))
                for root in unsettled - heads.keys():
                    self._tell_others(root, None)
                settled = [head for head in heads.values() if head.entry is None]
                for head in settled:
                    self._tell_others(head.root, head.turn)
                unsettled = heads.keys() - {head.root for head in settled}


def _change(event: Document) -> tuple[str | None, int | None]:
    """The tree and the turn of its head that an event is about, as far as it says so."""
    key, document = event.get("documentKey", {}), event.get("fullDocument", {})
    root = key.get("_id")
    # A stand-in for tests has all of the document in `documentKey`.
    return root if isinstance(root, str) else None, document.get("turn", key.get("turn"))
