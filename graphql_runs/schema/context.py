"""What the resolvers of one operation share: the rooms of the server, and loaders that are thrown away with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

import strawberry

from graphql_runs.live.hub import Hub
from graphql_runs.live.trail import Trail
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.source import PluginReport, SourceReport
from graphql_runs.read import Store
from graphql_runs.read.aliases import aliases_of
from graphql_runs.read.records import get
from graphql_runs.record.recorder import Recorder
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.loaders import Loader
from graphql_runs.schema.viewer import Viewer

T = TypeVar("T")
R = TypeVar("R", Workspace, Cluster, Experiment, Run, Metric, LogFile, Artifact)


@dataclass(slots=True)
class Context:
    """The context of one operation; of a subscription, of one event at a time (`renew`).

    sources: what every source is doing now. plugins: those that are installed.
    url:     makes a path of this server (`/runs/…`) into the address that clients are shown.
    """

    store: Store
    recorder: Recorder
    hub: Hub
    sources: Callable[[], Sequence[SourceReport]]
    plugins: Sequence[PluginReport]
    limits: SchemaLimits
    version: str
    url: Callable[[str], str] = str
    viewer: Viewer = field(default_factory=Viewer)
    trail: Trail = field(default_factory=Trail)
    """Where the subscription of this context stands."""
    cursors: dict[str, str] = field(default_factory=dict)
    """Live cursors that were taken before the data they go with was read, by run tree or workspace."""
    _loaders: dict[type, Loader[Any]] = field(default_factory=dict)
    """By the kind of record; under `tuple` the aliases of a run."""

    def loader(self, kind: type[R]) -> Loader[R]:
        """The loader of a kind of record, made when first needed."""
        found = self._loaders.get(kind)
        if found is None:
            found = self._loaders[kind] = Loader(partial(get, self.store, kind))
        return found

    def load(self, kind: type[R], id: str) -> R | Awaitable[R | None] | None:
        """A record by its server id, for a resolver to return: there at once if it was read before."""
        return self.loader(kind).load(id)

    async def get(self, kind: type[R], id: str) -> R | None:
        """A record by its server id, through the same loader."""
        found = self.load(kind, id)
        return await found if isinstance(found, Awaitable) else found

    async def aliases(self, run: Run) -> Sequence[Run]:
        """The aliases of a run, in order of their numbers."""
        if not run.identities:
            return ()
        loader = self._loaders.get(tuple) or self._loaders.setdefault(
            tuple, Loader(partial(aliases_of, self.store))
        )
        found = loader.load(run.id)
        return (await found if isinstance(found, Awaitable) else found) or ()

    async def members(self, run: Run) -> Sequence[Run]:
        """A run and those of its aliases that lists would show with it: what is in the trash alone is left out."""
        found = await self.aliases(run)
        return (run, *(one for one in found if one.trashed_at is None or run.trashed_at is not None))

    def forget(self, id: str) -> None:
        """Read a record anew when it is next asked for, because it was written."""
        for loader in self._loaders.values():
            loader.forget(id)

    def renew(self) -> None:
        """Forget what was loaded, so that the next event sees the records as they are then."""
        self._loaders.clear()
        self.cursors.clear()

    def fresh(self) -> Context:
        """The same rooms with nothing loaded: one WebSocket carries many operations and starts with one context."""
        return replace(self, cursors={}, _loaders={})


Loaded: TypeAlias = T | Awaitable[T | None] | None
"""What a resolver may return: a value, none, or an awaitable of it."""
Info = strawberry.Info[Context, None]
