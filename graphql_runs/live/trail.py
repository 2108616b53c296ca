"""Where one follower stands, for whoever wants to bring several to the same place.

A follower gives an update when it is asked for one. Asked without a pause of its own (`paced`), it is its asker who sees to it
that updates do not come more often than wanted.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from graphql_runs.live.cluster import ClusterUpdate
from graphql_runs.live.log import LogUpdate
from graphql_runs.live.runs import RunsUpdate
from graphql_runs.live.update import TreeUpdate
from graphql_runs.model.cursor import LogCursor, TreeCursor, WorkspaceCursor

Update = TreeUpdate | RunsUpdate | ClusterUpdate | LogUpdate
U = TypeVar("U", TreeUpdate, RunsUpdate, ClusterUpdate, LogUpdate)
LONGEST = 3600.0
"""Seconds between two updates, at most."""


class Trail:
    """What one follower was told last.

    after:    a cursor to start from instead of the one that was asked for.
    position: how far it is: entries of a journal, hints, or bytes; comparable between followers of the same thing.
    timed:    what it is told follows from the time too, so that one who is at the same position may have been told more.
    read_at:  when it was told, by the monotonic clock.
    """

    def __init__(self, *, after: str | None = None, paced: bool = False) -> None:
        self.after = after
        self.paced = paced
        self.throttle = 0.0
        self.cursor: str | None = None
        self.caught_up = False
        self.position = -1
        self.timed = False
        self.read_at = 0.0

    def pace(self, throttle: float) -> float:
        """The pause that the follower itself is to make; a wrong one is left to it to refuse."""
        if not self.paced or not 0 <= throttle <= LONGEST:
            return throttle
        self.throttle = throttle
        return 0.0

    async def along(self, updates: AsyncGenerator[U]) -> AsyncGenerator[U]:
        """The same updates, noted as they go by."""
        async with aclosing(updates):
            while True:
                # What an update says is as of some time after it was asked for.
                asked_at = time.monotonic()
                try:
                    update = await anext(updates)
                except StopAsyncIteration:
                    return
                self._note(update, asked_at)
                yield update

    def meets(self, other: Trail) -> bool:
        """Whether one who follows this has been told all that the other one has, and nothing more."""
        same = self.caught_up and other.caught_up and self.position == other.position
        return same and (not self.timed or self.read_at >= other.read_at)

    def _note(self, update: Update, asked_at: float) -> None:
        told = update.runs if isinstance(update, ClusterUpdate) else update
        self.timed = isinstance(told, RunsUpdate)
        self.cursor, self.caught_up, self.read_at = told.cursor, told.caught_up, asked_at
        match told:
            case TreeUpdate():
                self.position = TreeCursor.decode(told.cursor).n
            case RunsUpdate():
                self.position = WorkspaceCursor.decode(told.cursor).n
            case LogUpdate():
                self.position = LogCursor.decode(told.cursor).offset
