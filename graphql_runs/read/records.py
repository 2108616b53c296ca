"""Finding workspaces, clusters, experiments, runs, and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key, Order, RunFilter
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.store.port import FoundRun, Named, R, Store

KINDS: dict[str, type[Any]] = {
    "workspace": Workspace,
    "cluster": Cluster,
    "experiment": Experiment,
    "run": Run,
    "metric": Metric,
    "log": LogFile,
    "artifact": Artifact,
}
"""The records that server ids name, by the prefix of the id."""
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class RunsPlan:
    """How a list of runs is found: the steps in the store's words, and the seconds that its first page took."""

    steps: tuple[str, ...]
    seconds: float


async def get(store: Store, kind: type[R], ids: Sequence[str]) -> list[R | None]:
    """Records by server id, None for unknown ones."""
    return await store.get(kind, ids)


async def page(
    store: Store,
    kind: type[Named],
    owner: str,
    *,
    after: str | None,
    first: int,
    contains: str | None = None,
    prefix: str | None = None,
) -> list[Named]:
    """A page of what belongs to an owner, by name or path; see `Store.list_named`."""
    return await store.list_named(kind, owner, after=after, first=first, contains=contains, prefix=prefix)


async def count(
    store: Store, kind: type[Named], owner: str, *, contains: str | None = None, prefix: str | None = None
) -> int:
    """How many such records there are."""
    return await store.count(kind, owner, contains=contains, prefix=prefix)


async def every(store: Store, kind: type[Named], owner: str) -> list[Named]:
    """All of what belongs to an owner."""
    found: list[Named] = []
    while True:
        after = None if not found else name_of(found[-1])
        more = await store.list_named(kind, owner, after=after, first=_CHUNK)
        found += more
        if len(more) < _CHUNK:
            return found


async def find_run(store: Store, id: str, workspace: str | None = None, *, field: str = "id") -> Run | None:
    """The run of a server id or of a producer's id, in the workspace of that name if one is given; None if there is none.

    Raises InvalidInput when two workspaces have a run of that producer's id and none is named.
    """
    if ids.kind_of(id) == "run":
        [run] = await store.get(Run, [id])
        return (
            run if run is None or workspace is None or run.workspace == ids.workspace_id(workspace) else None
        )
    if workspace is not None:
        [run] = await store.get(Run, [ids.run_id(ids.workspace_id(workspace), id)])
        return run
    homes = await every(store, Workspace, "")
    runs = await store.get(Run, [ids.run_id(home.id, id) for home in homes])
    found = [(home, run) for home, run in zip(homes, runs, strict=True) if run is not None]
    if len(found) > 1:
        names = " and ".join(repr(home.name) for home, _ in found)
        raise InvalidInput(f"workspaces {names} each have a run {id[:80]!r}; name one of them", field=field)
    return found[0][1] if found else None


async def page_runs(
    store: Store, where: RunFilter | None, order: Sequence[Order], *, after: Key | None, first: int
) -> list[FoundRun]:
    """A page of runs, with the place of each in the order."""
    return await store.find_runs(where, order, after=after, first=first)


async def explain_runs(
    store: Store, where: RunFilter | None, order: Sequence[Order], *, first: int
) -> RunsPlan:
    """How the store finds the first page of a list, which it does to see how long that takes."""
    steps = await store.explain_runs(where, order, first=first)
    began = perf_counter()
    await store.find_runs(where, order, first=first)
    return RunsPlan(tuple(steps), perf_counter() - began)


async def count_runs(store: Store, where: RunFilter | None) -> int:
    """How many runs match."""
    return await store.count_runs(where)


async def count_statuses(store: Store, where: RunFilter | None) -> dict[RunStatus, int]:
    """How many runs that match are in each status."""
    return await store.count_statuses(where)


def name_of(record: Workspace | Cluster | Experiment | Metric | LogFile | Artifact) -> str:
    """The name that records of one owner are listed by."""
    return record.path if isinstance(record, LogFile | Artifact) else record.name
