"""Which run tree a call goes to.

A run stays in its tree as long as it is there, so where it lies is remembered. Only a purge and a new run of the same id may
move it; who finds out that a memory is wrong forgets it and asks again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.operation import DeclareRun
from graphql_runs.model.run import Run
from graphql_runs.record.request import Request
from graphql_runs.store.port import Store

_REMEMBERED = 100_000


class Astray(Exception):
    """A call came to a tree that one of its runs does not lie in (any more)."""


class Routes:
    """The roots of runs, by server id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._roots: OrderedDict[str, str] = OrderedDict()

    async def of(self, request: Request) -> str:
        """The one tree that all operations lie in. Raises InvalidInput when there are several, NotFound."""
        new: dict[str, str] = {}
        found: dict[str, str] = {}
        for operation in request.operations:
            run = request.run(operation.run_id)
            root = new.get(run) or await self.root_of(run)
            if root is None and isinstance(operation, DeclareRun):
                root = await self._root_of_new(request, operation, new)
                new[run] = root
            if root is None:
                raise NotFound(f"there is no run {operation.run_id!r} in this workspace", field="run")
            found.setdefault(root, operation.run_id)
        if len(found) > 1:
            one, other, *_ = found.values()
            raise InvalidInput(
                f"runs {one!r} and {other!r} lie in different run trees; one call writes to one", field="run"
            )
        return next(iter(found))

    async def root_of(self, run: str) -> str | None:
        """The root of a run's tree, None when there is no such run."""
        if root := self._roots.get(run):
            self._roots.move_to_end(run)
            return root
        [found] = await self._store.get(Run, [run])
        if found is None:
            return None
        self.remember([run], found.root)
        return found.root

    def remember(self, runs: Iterable[str], root: str) -> None:
        """These runs lie in that tree."""
        for run in runs:
            self._roots[run] = root
        while len(self._roots) > _REMEMBERED:
            self._roots.popitem(last=False)

    def forget(self, runs: Iterable[str]) -> None:
        """Ask for these runs again."""
        for run in runs:
            self._roots.pop(run, None)

    async def _root_of_new(self, request: Request, operation: DeclareRun, new: Mapping[str, str]) -> str:
        if operation.parent is None:
            return request.run(operation.run_id)
        above = (
            [operation.parent]
            if operation.root in (None, operation.parent)
            else [operation.parent, operation.root or ""]
        )
        for run_id in above:
            run = request.run(run_id)
            if root := new.get(run) or await self.root_of(run):
                return root
        return request.run(above[-1])
