"""Which part of a run tree a follower asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

from graphql_runs.model import ids
from graphql_runs.model.run import Run


class Names:
    """Names asked for: all (None), none (empty), or globs (`*`, `?`, `[…]`, by case)."""

    def __init__(self, globs: Sequence[str] | None) -> None:
        self.none = globs is not None and not globs
        self._pattern = None if globs is None else re.compile("|".join(map(translate, globs)) or r"(?!)")

    def __contains__(self, name: str) -> bool:
        return self._pattern is None or self._pattern.match(name) is not None


class Scope:
    """A run and everything below it, with the metrics and logs asked for by name.

    A run's parent never changes and is created before it, so one pass in order of depth finds all that is below.
    """

    def __init__(
        self, run: str, root: str, metrics: Sequence[str] | None, logs: Sequence[str] | None
    ) -> None:
        self.run = run
        self.root = root
        self.metrics = Names(metrics)
        self.logs = Names(logs)
        self._members: dict[str, str] = {}

    def begin(self) -> None:
        """Forget who is in scope; all runs are given next."""
        self._members = {}

    def take(self, runs: Iterable[Run]) -> tuple[Run, ...]:
        """Those of the runs that are in scope, remembering them; give new runs in order of depth."""
        found = []
        for run in sorted(runs, key=lambda run: run.depth):
            if self.run in (self.root, run.id) or run.id in self._members or run.parent in self._members:
                self._members[run.id] = run.run_id
                found.append(run)
        return tuple(found)

    def drop(self, runs: Iterable[str]) -> None:
        """These runs are gone; one that comes with the same id is another one."""
        for run in runs:
            self._members.pop(run, None)

    def holds(self, id: str) -> bool:
        """Whether a metric or log file, by its id, belongs to a run in scope."""
        return ids.run_of(id) in self._members

    def run_id(self, run: str) -> str:
        """The producer's id of a run in scope."""
        return self._members[run]
