"""What one who listens for commits has not been told yet; every store's `wakes` keeps one for each iterator."""

from __future__ import annotations

import asyncio

from graphql_runs.store.port import Wake


class Listener:
    """What one iterator has not been given yet: one set of trees, whatever number of commits it stands for."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.closed = False
        # What happened before it listened is the first thing it is told.
        self.roots: set[str] | None = None
        self.ready.set()

    def add(self, roots: frozenset[str] | None) -> None:
        """Commits to these trees; None for commits to any."""
        if not self.ready.is_set():
            self.roots = set()
        if roots is None:
            self.roots = None
        elif self.roots is not None:
            self.roots |= roots
        self.ready.set()

    def take(self) -> Wake:
        """All that came since the last time."""
        self.ready.clear()
        return Wake(None if self.roots is None else frozenset(self.roots))
