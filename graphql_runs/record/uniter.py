"""Uniting runs that are one: looking at what the store holds, and writing what has to change until nothing has to.

A run is settled after each commit that changes what identifies it or what it tells its principal, by whoever committed. Each look
is at the store as it is then, after that commit, so of two that are declared at the same moment the later one to look sees both.
Whoever writes looks again. What a crash cut off, the rounds of `record.uniting` mend.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from graphql_runs.model.errors import Conflict, NotFound, SequenceConflict, SequenceGap
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    Op,
    Order,
)
from graphql_runs.model.operation import RunOperation, UniteRun
from graphql_runs.model.records import Cluster, Workspace
from graphql_runs.model.run import Run
from graphql_runs.record.forwarding import Told, news, writer_of
from graphql_runs.record.union import PLACEHOLDER, candidates, rank, united
from graphql_runs.store.port import FoundRun, Store

log = logging.getLogger(__name__)

_PAGE = 50
"""Runs that carry an identity which are looked at together."""
_ATTEMPTS = 100
"""Each one that is lost means that somebody else changed the same runs."""
_NEXT = 4
"""Runs of one source that are looked at when one came before them: so many may come at the same moment."""
_REMEMBERED = 1000
_BY_RANK = (Order(AttributeField(Attribute.DEPTH)), Order(AttributeField(Attribute.NUMBER)))


class Write(Protocol):
    """`Recorder.record` as it is used here."""

    async def __call__(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
        create: bool = True,
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of one identity: its candidates by source, and carriers by rank, page by page."""

    found: Mapping[str, Run]
    carriers: Sequence[Run]

    @property
    def sources(self) -> set[str]:
        return {run.source for run in self.carriers}


class Uniter:
    """Decides for runs which run they are an alias of, and lets aliases tell their principals what they know."""

    def __init__(self, store: Store, write: Write, most_evidence: int) -> None:
        self._store = store
        self._write = write
        self._most_evidence = most_evidence
        # Of identities that many runs carry, such as those of a job that started a sweep: the first of each source. Who comes
        # after it changes nothing, and thousands of them need not look.
        self._crowded: OrderedDict[tuple[str, str], Mapping[str, Run]] = OrderedDict()

    async def settle(self, runs: Iterable[str], *, anew: bool = False) -> None:
        """Bring runs, and those they are one with, to where they belong. `anew`: trust nothing that is remembered.
        Raises RunsError when the store cannot be read or written."""
        if anew:
            self._crowded.clear()
        waiting, seen = list(runs), set[str]()
        while waiting:
            run = waiting.pop()
            if run not in seen:
                seen.add(run)
                waiting += await self._settle(run)

    async def free(self, gone: Sequence[Run]) -> None:
        """Some runs were purged: settle their aliases, and those that carry the same."""
        self._crowded.clear()
        for run in gone:
            looks = [await self._look(run.workspace, identity) for identity in run.identities]
            near = [one.id for look in looks for one in look.found.values()]
            await self.settle([*await self._aliases([run.id]), *near])

    async def _settle(self, id: str) -> Iterable[str]:
        """Settle one run and its group. Gives the ids of other runs that have to be looked at after that."""
        written: set[str] = set()
        for _ in range(_ATTEMPTS):
            [run] = await self._store.get(Run, [id])
            if run is None:
                return await self._aliases([id])
            group, looks = await self._group(run)
            runs = {id: run, **group}
            wanted: dict[str, str | None] = {id: None, **united(group.values())}
            changes = [one for one in runs.values() if one.alias_of != wanted[one.id]]
            if not changes:
                break
            for one in changes:
                await self._unite(one, wanted[one.id])
                written.add(one.id)
        else:
            raise Conflict(f"run {id} is united and separated by others {_ATTEMPTS} times in a row")
        for alias, principal in wanted.items():
            if principal is not None:
                await self._forward(alias, principal)
        near = {*written, *await self._aliases(list(wanted)), *_parted(looks)}
        return near - wanted.keys()

    async def _group(self, run: Run) -> tuple[dict[str, Run], dict[str, _Look]]:
        """The runs that identities lead to from a run, itself among them if it is a candidate for one of its identities; and what
        was seen of each identity on the way."""
        group: dict[str, Run] = {}
        looks: dict[str, _Look] = {}
        waiting = [run]
        while waiting:
            one = waiting.pop()
            for identity in one.identities:
                if self._comes_after(one, identity):
                    continue
                if identity not in looks:
                    looks[identity] = await self._look(run.workspace, identity)
                found = {found.id: found for found in looks[identity].found.values()}
                # From a run that is no candidate for an identity it leads nowhere: seen from there, the run is not in the group.
                if one.id in found:
                    waiting += [other for other in found.values() if other.id not in group]
                    group |= found
        return group, looks

    async def _look(self, workspace: str, identity: str) -> _Look:
        """Who carries an identity in a workspace: of each source at least the first ones."""
        here = Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, workspace)
        carrying = Compare(BagField(Bag.IDENTITY, identity), Op.EXISTS, True)
        look = _Look({}, [])
        while True:
            others = Compare(AttributeField(Attribute.SOURCE), Op.NOT_IN, (PLACEHOLDER, *look.sources))
            page = await self._store.find_runs(And((here, carrying, others)), _BY_RANK, first=_PAGE)
            carriers = [*look.carriers, *(entry.run for entry in page)]
            look = _Look(candidates(identity, carriers), carriers)
            if len(page) < _PAGE:
                return look
            self._crowded[workspace, identity] = look.found
            while len(self._crowded) > _REMEMBERED:
                self._crowded.popitem(last=False)

    def _comes_after(self, run: Run, identity: str) -> bool:
        """The run is no candidate for the identity, as far as is remembered."""
        first = self._crowded.get((run.workspace, identity), {}).get(run.source)
        return first is not None and rank(first) < rank(run)

    async def _aliases(self, runs: Sequence[str]) -> list[str]:
        """The ids of all runs that are aliases of these."""
        where = Compare(AttributeField(Attribute.ALIAS_OF), Op.IN, tuple(runs))
        found: list[FoundRun] = []
        while True:
            after = found[-1].key if found else None
            page = await self._store.find_runs(where, (), after=after, first=_PAGE)
            found += page
            if len(page) < _PAGE:
                return [entry.run.id for entry in found]

    # Writing

    async def _unite(self, run: Run, principal: str | None) -> None:
        with suppress(NotFound):  # purged meanwhile
            await self._write(await self._home(run), [UniteRun(run.run_id, principal)], create=False)
            log.info(
                "run %s of %s is %s",
                run.id,
                run.source,
                f"one with {principal}" if principal else "its own again",
            )

    async def _forward(self, alias_id: str, principal_id: str) -> None:
        """Let an alias tell its principal what is new."""
        for _ in range(_ATTEMPTS):
            alias, principal = await self._store.get(Run, [alias_id, principal_id])
            if alias is None or principal is None or alias.alias_of != principal_id:
                return
            writer = writer_of(alias)
            [position] = await self._store.positions(principal.root, [writer])
            told = Told.decode(None if position is None else position.note, principal_id)
            operations, then = news(alias, principal, told, await self._cluster(alias), self._most_evidence)
            if not operations:
                return
            try:
                await self._write(
                    await self._home(principal),
                    operations,
                    writer=writer,
                    sequence=0 if position is None else position.sequence + 1,
                    note=then.encode(),
                    create=False,
                )
            except (SequenceConflict, SequenceGap):
                continue  # told by somebody else meanwhile
            except NotFound:
                return  # purged meanwhile
        raise Conflict(f"run {alias_id} tells its principal news by others {_ATTEMPTS} times in a row")

    async def _home(self, run: Run) -> str:
        [workspace] = await self._store.get(Workspace, [run.workspace])
        if workspace is None:
            raise NotFound(f"the workspace of run {run.id} is gone", field="workspace")
        return workspace.name

    async def _cluster(self, run: Run) -> str | None:
        [cluster] = [None] if run.cluster is None else await self._store.get(Cluster, [run.cluster])
        return None if cluster is None else cluster.name


def _parted(looks: Mapping[str, _Look]) -> Iterator[str]:
    """Runs that may have been candidates until others came before them: the next ones of each source, and whoever is an alias."""
    for look in looks.values():
        counts: Counter[str] = Counter()
        for run in sorted(look.carriers, key=rank):
            counts[run.source] += 1
            if run.alias_of is not None or (counts[run.source] <= _NEXT and not _idle(run, looks)):
                yield run.id


def _idle(run: Run, looks: Mapping[str, _Look]) -> bool:
    """The run is known to be no candidate for any of its identities."""
    return all(
        identity in looks and all(run.id != one.id for one in looks[identity].found.values())
        for identity in run.identities
    )
