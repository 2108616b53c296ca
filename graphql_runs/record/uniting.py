"""Rounds that mend what a crash cut off between a run's commit and its being united with others, behind everybody's backs.

A round follows the hints of all workspaces, which name every run that something happened to, and settles those that have identities
or are aliases. A process begins with the first hint, and again every hour, so that nothing stays wrong for ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from graphql_runs.model.change import Hint
from graphql_runs.model.records import Workspace
from graphql_runs.model.run import Run
from graphql_runs.record.rounds import Rounds
from graphql_runs.record.uniter import Uniter
from graphql_runs.store.port import Store

_PAGE = 1000
_WALK_SECONDS = 3600.0
"""How often all runs are looked at."""


class Uniting(Rounds):
    """The background task of one server process. `pause`: seconds between rounds, 0 for none; `runs`: most runs of a round."""

    def __init__(self, store: Store, uniter: Uniter, *, pause: float = 10.0, runs: int = 10_000) -> None:
        super().__init__("uniting", pause)
        self._store = store
        self._uniter = uniter
        self._runs = runs
        self._seen: dict[str, int] = {}
        """Of each workspace the last hint that was followed."""
        self._began = time.monotonic()

    async def round(self) -> int:
        """Settle what was touched since the last round, within the bounds of one; gives how many runs were looked at.
        Raises RunsError; the next round goes on where this one stood."""
        if time.monotonic() - self._began > _WALK_SECONDS:
            self._seen.clear()
            self._began = time.monotonic()
        done = 0
        after: str | None = None
        while page := await self._store.scan(Workspace, after=after, first=_PAGE):
            for workspace in page:
                done += await self._follow(workspace.id, self._runs - done)
            after = page[-1].id
        return done

    async def _follow(self, workspace: str, most: int) -> int:
        done = 0
        while done < most:
            hints = await self._store.hints(
                workspace, self._seen.get(workspace, 0), first=min(_PAGE, most - done)
            )
            if not hints:
                break
            await self._uniter.settle(await self._concerned(hints), anew=True)
            self._seen[workspace] = hints[-1].n
            done += len(hints)
        return done

    async def _concerned(self, hints: Sequence[Hint]) -> list[str]:
        ids = list(dict.fromkeys(hint.run for hint in hints))
        runs = await self._store.get(Run, ids)
        # Those that are gone may have been somebody's principal.
        return [
            id for id, run in zip(ids, runs, strict=True) if run is None or run.identities or run.alias_of
        ]
