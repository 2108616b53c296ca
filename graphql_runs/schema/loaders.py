"""Reading records in batches: what is asked for in one turn of the event loop is read at once, and each record only once.

Much like a DataLoader, but a record that is there is given at once, so that a resolver need not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Loader(Generic[T]):
    """Loads values by id with `read`, which gives them in the order asked, None for an unknown id."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Sequence[T | None]]]) -> None:
        self._read = read
        self._known: dict[str, T | None] = {}
        self._asked: dict[str, asyncio.Future[T | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, id: str) -> T | Awaitable[T | None] | None:
        """The value if it is known, else an awaitable of it."""
        if id in self._known:
            return self._known[id]
        future = self._asked.get(id)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._asked:
                loop.call_soon(self._start)
            future = self._asked[id] = loop.create_future()
        # When a field fails, what is beside it is cancelled, which must not take the value from others who wait for it.
        return asyncio.shield(future)

    def prime(self, values: Iterable[tuple[str, T | None]]) -> None:
        """Take values that were read elsewhere."""
        self._known.update(values)

    def forget(self, id: str) -> None:
        """Read the value of an id anew when it is next asked for."""
        self._known.pop(id, None)

    def _start(self) -> None:
        asked, self._asked = self._asked, {}
        task = asyncio.get_running_loop().create_task(self._load(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self, asked: dict[str, asyncio.Future[T | None]]) -> None:
        try:
            found = await self._read(list(asked))
        except BaseException as error:
            for future in asked.values():
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (id, future), value in zip(asked.items(), found, strict=True):
            self._known[id] = value
            if not future.done():
                future.set_result(value)
