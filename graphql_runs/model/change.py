"""What one commit changed in a run tree: the journal's entries, with exact ranges, and the hints of a workspace.

An entry is stored as a JSON array of `[at, runs, metrics, logs, artifacts]`, with `purged` behind these where there are any;
a reader finds out with it what to read.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from graphql_runs.model.errors import RunsError
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros


@dataclass(frozen=True, slots=True)
class RunChange:
    """A run was created (`created`) or some of its fields changed; both statuses when the status did."""

    run: str
    created: bool = False
    status_from: RunStatus | None = None
    status_to: RunStatus | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """A stream grew by rows `[start, end)`: points of the metric, or bytes of the log file, that `id` names."""

    id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit to a run tree. `purged` are the server ids of runs that went away for good, the upper ones first; an entry
    that has some has nothing else."""

    at: Micros
    runs: tuple[RunChange, ...] = ()
    metrics: tuple[Growth, ...] = ()
    logs: tuple[Growth, ...] = ()
    artifacts: tuple[str, ...] = ()
    purged: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The bytes that the journal keeps."""
        return orjson.dumps(
            [
                self.at,
                [[c.run, c.created, c.status_from, c.status_to] for c in self.runs],
                [[g.id, g.start, g.end] for g in self.metrics],
                [[g.id, g.start, g.end] for g in self.logs],
                self.artifacts,
                *([self.purged] if self.purged else ()),
            ]
        )

    @staticmethod
    def decode(data: bytes) -> Entry:
        """The entry of these bytes. Raises RunsError when they are not one (a damaged store)."""
        try:
            at, runs, metrics, logs, artifacts, *more = orjson.loads(data)
            [purged] = more or [()]
            return Entry(
                at=at,
                runs=tuple(
                    RunChange(run, created, _status(before), _status(after))
                    for run, created, before, after in runs
                ),
                metrics=tuple(Growth(*growth) for growth in metrics),
                logs=tuple(Growth(*growth) for growth in logs),
                artifacts=tuple(artifacts),
                purged=tuple(purged),
            )
        except (ValueError, TypeError) as error:
            raise RunsError(f"a journal entry is damaged: {error}") from error


def _status(word: str | None) -> RunStatus | None:
    return None if word is None else RunStatus(word)


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened to a run that people who watch lists of its workspace may care about. Doubles are harmless."""

    workspace: str
    run: str
    root: str
    at: Micros
    n: int = 0
    """Position in the workspace's sequence of hints; the store assigns it."""
