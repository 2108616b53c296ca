"""Who a run is: the part of it that never changes, remembered, so that a stream of writes need not look it up each time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from graphql_runs.model import ids
from graphql_runs.model.errors import NotFound
from graphql_runs.model.records import Workspace
from graphql_runs.read.records import find_run
from graphql_runs.store.port import Store

REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Identity:
    """A run by its server id, its producer's id, the name of its workspace, and the server id of its tree's root."""

    id: str
    run_id: str
    workspace: str
    root: str


class Identities:
    """Remembers the identities of runs it was asked for, the latest `REMEMBERED` of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Identity] = OrderedDict()

    async def of(self, store: Store, id: str, *, field: str) -> Identity:
        """The run of a server id, or of a producer's id that only one workspace has.

        Raises NotFound, or InvalidInput when two workspaces have a run of that producer's id; both name `field`.
        """
        known = self._known.get((store.epoch, id))
        if known is not None:
            self._known.move_to_end((store.epoch, id))
            return known
        run = await find_run(store, id, field=field)
        if run is None:
            raise NotFound(f"there is no run {id[:80]!r}", field=field)
        [workspace] = await store.get(Workspace, [run.workspace])
        if workspace is None:
            raise NotFound(f"the workspace of run {id[:80]!r} is gone", field=field)
        found = Identity(run.id, run.run_id, workspace.name, run.root)
        # A producer's id may come to be ambiguous, a server's id never.
        if ids.kind_of(id) == "run":
            self._known[store.epoch, id] = found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found
