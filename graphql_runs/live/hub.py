"""Wake-ups: who waits for a run tree is woken when something was committed to it, by whatever process.

A wake-up says nothing but "look again". It may be lost, merged or doubled without harm, because everybody reads from a
cursor; so a wait also ends by itself after a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from graphql_runs.model.errors import RunsError
from graphql_runs.store.port import Store

log = logging.getLogger(__name__)

LOOK_AGAIN = 5.0
"""Seconds after which a waiter looks without having been woken."""
_RETRY = 0.5
"""Seconds between attempts to listen to a store that cannot answer."""


class Signal:
    """One waiter's bell."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def closed(self) -> bool:
        """The server is closing; stop following."""
        return self._closing.is_set()

    def ring(self) -> None:
        """Wake the waiter, now or when it next waits."""
        self._event.set()

    def close(self) -> None:
        """Wake the waiter for good."""
        self._closing.set()
        self._event.set()

    async def pause(self, seconds: float) -> None:
        """Return after this time, or at once when the server closes."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def wait(self, seconds: float = LOOK_AGAIN) -> None:
        """Return after a ring since the last wait, or after a while."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


class Hub:
    """All waiters of one server process. The store is listened to only while somebody waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._signals: dict[str | None, set[Signal]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._closed = False
        self._closing = asyncio.Event()

    @asynccontextmanager
    async def watch(self, root: str | None) -> AsyncIterator[Signal]:
        """A signal that rings for every commit to the tree (None: to any) that is made after the block was entered."""
        signal = Signal()
        if self._closed:
            signal.close()
        self._signals.setdefault(root, set()).add(signal)
        if self._listener is None and not self._closed:
            self._ready.clear()
            self._listener = asyncio.create_task(self._listen())
        try:
            if not self._closed:
                await self._ready.wait()
            yield signal
        finally:
            waiting = self._signals[root]
            waiting.discard(signal)
            if not waiting:
                del self._signals[root]
            if not self._signals:
                await self._stop_listening()

    @property
    def watchers(self) -> int:
        """How many follow something now."""
        return sum(map(len, self._signals.values()))

    @property
    def closed(self) -> bool:
        """The server stops: whoever follows something ends without having come to an end of it."""
        return self._closed

    async def pause(self, seconds: float) -> None:
        """Return after this time, or at once when the server closes."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Tell everybody who follows to stop, and stop listening."""
        self._closed = True
        self._closing.set()
        for signals in self._signals.values():
            for signal in signals:
                signal.close()
        self._ready.set()
        await self._stop_listening()

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self._store.wakes()) as wakes:
                    following = asyncio.ensure_future(anext(wakes))
                    try:
                        # One turn of the loop, so that the store listens before anybody reads.
                        await asyncio.sleep(0)
                        self._ready.set()
                        while True:
                            self._ring((await following).roots)
                            following = asyncio.ensure_future(anext(wakes))
                    finally:
                        following.cancel()
                        await asyncio.gather(following, return_exceptions=True)
            except (RunsError, StopAsyncIteration) as error:
                log.warning("the store does not tell changes now: error %s", error)
                self._ready.set()
                await asyncio.sleep(_RETRY)
                self._ring(None)

    def _ring(self, roots: frozenset[str] | None) -> None:
        for root in self._signals if roots is None else (None, *roots):
            for signal in self._signals.get(root, ()):
                signal.ring()
