"""The log files of a run and of all runs below it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from graphql_runs.model.records import LogFile
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros
from graphql_runs.read.logs import run_logs
from graphql_runs.read.paths import rank_of
from graphql_runs.store.port import Store

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class TreeLog:
    """A log file, and the run it is of."""

    log: LogFile
    run: Run

    @property
    def near(self) -> Micros:
        """A moment near to which its lines were written, which decides the year of times without one."""
        return self.run.created_at


async def tree_logs(
    store: Store,
    run: Run,
    *,
    below: bool = True,
    paths: Sequence[str] | None = None,
    ranks: Sequence[int] | None = None,
) -> list[TreeLog]:
    """Log files by depth of their run, its number, and path. `below`: of the runs below too, but for those in the trash.
    Paths may be patterns, in which `*` stands for any text and `?` for one character."""
    runs = [run]
    if below:
        known = {run.id}
        for other in await store.tree_runs(run.root):
            if other.parent in known and other.trashed_at is None:
                known.add(other.id)
                runs.append(other)
        runs.sort(key=lambda one: (one.depth, one.number, one.id))
    named = None if paths is None else [re.compile(translate(path)) for path in paths]
    wanted = None if ranks is None else set(ranks)
    found: list[TreeLog] = []
    for first in range(0, len(runs), _AT_ONCE):
        some = runs[first : first + _AT_ONCE]
        for one, logs in zip(
            some, await asyncio.gather(*(run_logs(store, one.id) for one in some)), strict=True
        ):
            found += [
                TreeLog(log, one)
                for log in logs
                if (named is None or any(pattern.match(log.path) for pattern in named))
                and (wanted is None or rank_of(log) in wanted)
            ]
    return found
