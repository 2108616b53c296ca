"""Waiting out trouble that passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from graphql_runs.model.errors import StoreUnavailable

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class PassingTrouble(StoreUnavailable):
    """A lost connection, a primary that steps down: it may be over soon."""


def passing_trouble(error: BaseException) -> PassingTrouble:
    """For an error of the driver, which goes on to describe all that it knows of the cluster."""
    reason = str(error).partition(" (configured timeouts")[0].partition(", Timeout: ")[0]
    return PassingTrouble(f"MongoDB cannot answer now: {reason}")


async def steadily(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Again and again while it meets passing trouble, for so long."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            return await call()
        except PassingTrouble:
            if time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def uncut(call: Awaitable[T]) -> T:
    """Wait for something to its end, even if the waiting is cancelled meanwhile."""
    work = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.gather(work, return_exceptions=True)
        raise
