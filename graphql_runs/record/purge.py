"""Taking runs away for good: what is asked, and what the store is to do for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql_runs.model.change import Entry, Hint
from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros, now
from graphql_runs.record.trash import below
from graphql_runs.store.port import Item, Purge


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did.

    root: server id of the tree's root run, which is gone too if it is among `runs`.
    runs: server ids of the runs that went away, upper ones first.
    n:    the tree's position after it.
    """

    root: str
    runs: tuple[str, ...]
    n: int


@dataclass(slots=True)
class Removal:
    """A purge on its way to a run tree: the run of that server id with everything below it, if it was trashed (before a time)."""

    run: str
    trashed_before: Micros | None = None
    gone: Sequence[Run] = ()
    """The runs as they were when they went."""
    done: asyncio.Future[Purged] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def succeed(self, purged: Purged) -> None:
        """Answer the caller, unless it went away."""
        if not self.done.done():
            self.done.set_result(purged)

    def fail(self, error: BaseException) -> None:
        """Answer the caller with an error, unless it went away."""
        if not self.done.done():
            self.done.set_exception(error)


def purge_of(removal: Removal, root: str, n: int, tree: Sequence[Run]) -> Purge:
    """What the store is to take away of the runs of a tree at position `n`. Raises NotFound, InvalidInput."""
    gone = below(tree, removal.run)
    if not gone or gone[0].id != removal.run:
        raise NotFound(f"there is no run {removal.run!r}", field="run")
    _check_trashed(gone[0], removal.trashed_before)
    removal.gone = gone
    at = now()
    entry = Entry(at, purged=tuple(run.id for run in gone))
    return Purge(
        root=root,
        entry=Item(n, n + 1, entry.encode()),
        runs=entry.purged,
        hints=tuple(Hint(run.workspace, run.id, run.root, at) for run in gone),
    )


def _check_trashed(run: Run, before: Micros | None) -> None:
    if run.trashed_at is None:
        raise InvalidInput(
            f"run {run.run_id!r} is not in the trash: only trashed runs can be purged", field="run"
        )
    if before is not None and run.trashed_at >= before:
        raise InvalidInput(f"run {run.run_id!r} has not been in the trash for so long", field="run")
