"""The recorder: takes what producers say, and answers when it is durable.

Each run tree has at most one committer in this process. It commits at once when idle and merges what queued meanwhile
into one batch; a purge has its turn among the batches. What it remembers of a tree is only trusted together with the tree's
position: a commit fails with Conflict when another process wrote first, and an answer that needs no commit (a repetition, a
refusal, nothing new) is given only after the position was read again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence

from graphql_runs.model import ids
from graphql_runs.model.errors import AlreadyExists, Conflict, InvalidInput, NotFound, RunsError
from graphql_runs.model.operation import Annotate, DeclareRun, DescribeCluster, RunOperation
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros, now
from graphql_runs.record.cluster import described
from graphql_runs.record.draft import Draft, Full, Known, T
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.purge import Purged, Removal, purge_of
from graphql_runs.record.request import Recorded, Request, prepare
from graphql_runs.record.routes import Astray, Routes
from graphql_runs.record.uniter import Uniter
from graphql_runs.record.validation import check_name, check_text, check_writer
from graphql_runs.store.port import Loose, Position, Store, TreeRecord, journal_of

log = logging.getLogger(__name__)

_LIMITS = RecordLimits()
_REMEMBERED_TREES = 256
_REMEMBERED_RECORDS = 50_000
_ATTEMPTS = 200
"""Each lost race means that another process got ahead, so this many in a row means that something is broken."""


class Recorder:
    """The write path of one server process. One per store and process; `close` waits for what was taken."""

    def __init__(self, store: Store, limits: RecordLimits = _LIMITS) -> None:
        self._store = store
        self._limits = limits
        self._trees: OrderedDict[str, Known] = OrderedDict()
        self._routes = Routes(store)
        self._standing: set[str] = set()
        """Ids of workspaces, experiments and clusters known to exist."""
        self._queues: dict[str, asyncio.Queue[Request | Removal]] = {}
        self._committers: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        self.uniter = Uniter(store, self._take, limits.evidence)
        """Keeps runs that are one united; each call settles the runs that it changed before it returns."""

    # Workspaces, experiments, clusters

    async def create_workspace(self, name: str, description: str | None = None) -> Workspace:
        """The workspace of that name, made if missing. Raises AlreadyExists when it has another description."""
        check_name(name, "name", self._limits)
        check_text(description, "description", self._limits)
        id = ids.workspace_id(name)
        found = await self._ensure(Workspace(id, name, now(), description))
        if description is not None and found.description != description:
            raise AlreadyExists(f"workspace {name!r} exists with another description", field="name")
        return found

    async def create_experiment(
        self, workspace: str, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """The experiment of that name, made if missing. Raises AlreadyExists when it has another description or tags."""
        check_name(name, "name", self._limits)
        check_text(description, "description", self._limits)
        home = await self._workspace(workspace, create=True)
        found = await self._ensure(
            Experiment(ids.experiment_id(home, name), home, name, now(), description, dict(tags or {}))
        )
        if (description is not None and found.description != description) or (
            tags and found.tags != dict(tags)
        ):
            raise AlreadyExists(
                f"experiment {name!r} exists with another description or other tags", field="name"
            )
        return found

    async def describe_cluster(self, workspace: str, cluster: DescribeCluster) -> Cluster:
        """Create or update a cluster; fields left None keep their value."""
        check_name(cluster.name, "cluster.name", self._limits)
        home = await self._workspace(workspace, create=True)
        id = ids.cluster_id(home, cluster.name)
        for _ in range(_ATTEMPTS):
            [was] = await self._store.get(Cluster, [id])
            new = described(was or Cluster(id, home, cluster.name, 0), cluster, now())
            if new is was:
                return new
            try:
                await self._store.upsert(new, was)
            except Conflict:
                continue
            self._standing.add(id)
            return new
        raise Conflict(f"cluster {cluster.name!r} is being written by too many at once")

    # Runs

    async def record(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
        create: bool = True,
    ) -> Recorded:
        """Write operations of one run tree durably, all or nothing, in order.

        With `writer` and `sequence` (0, 1, 2, … for each writer of a tree) a repetition is acknowledged and written once.
        `note` is kept with the writer's position. The workspace is made if missing, unless `create` is False.

        Raises InvalidInput, LimitExceeded, NotFound (a run that was never declared), SequenceGap, SequenceConflict, or
        StoreUnavailable; then nothing was acknowledged, and the same call may be tried again.
        """
        request = await self._take(
            workspace, operations, writer=writer, sequence=sequence, note=note, create=create
        )
        if request.unsettled:
            await self._settle(self.uniter.settle(request.unsettled))
        return request.done.result()

    async def _take(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
        create: bool = True,
    ) -> Request:
        """The call, once what it says is durable."""
        if self._closed:
            raise RunsError("the recorder is closed")
        if (writer is None) != (sequence is None):
            raise InvalidInput(
                "writer and sequence go together", field="writer" if writer is None else "sequence"
            )
        if writer is not None and sequence is not None:
            check_writer(writer, self._limits)
            if sequence < 0:
                raise InvalidInput("sequence starts at 0", field="sequence")
        prepared, digest = prepare(operations, self._limits)
        home = await self._workspace(workspace, create=create)
        request = Request(home, prepared, now(), digest, writer, sequence, note)
        await self._ensure_named(request)
        for _ in range(_ATTEMPTS):
            request.root = await self._routes.of(request)
            await self._queue(request.root, request)
            try:
                await request.done
                return request
            except Astray:
                self._routes.forget(request.named)
                request.renew()
        raise Conflict(f"the runs named are purged and made anew by others {_ATTEMPTS} times in a row")

    async def purge(self, run: str, *, trashed_before: Micros | None = None) -> Purged:
        """Take a run away for good, by its server id, with everything below it, in its turn among what is recorded of its tree.

        Their ids are free again then: a run that is created with one of them is a new one. Raises NotFound, InvalidInput
        for a run that is not in the trash (or only since `trashed_before`), StoreUnavailable.
        """
        if self._closed:
            raise RunsError("the recorder is closed")
        self._routes.forget([run])
        root = await self._routes.root_of(run)
        if root is None:
            raise NotFound(f"there is no run {run!r}", field="run")
        removal = Removal(run, trashed_before)
        await self._queue(root, removal)
        purged = await removal.done
        await self._settle(self.uniter.free(removal.gone))
        return purged

    async def position(self, workspace: str, root_run_id: str, writer: str) -> Position | None:
        """Where a writer of the tree of that root run stands, None when it never wrote. Raises NotFound when the tree was
        purged and not made anew since."""
        root = ids.run_id(ids.workspace_id(workspace), root_run_id)
        [found] = await self._store.positions(root, [writer])
        if found is None and await self._store.get(Run, [root]) == [None]:
            [n] = await self._store.ends([journal_of(root)])
            # Something was written, so there was a run; asked again, since it may just have come to be.
            if n and await self._store.get(Run, [root]) == [None]:
                raise NotFound(f"run {root_run_id!r} was purged", field="run")
        return found

    async def _settle(self, settling: Awaitable[None]) -> None:
        """What was written stays written: what cannot be settled now is left to the next round of `record.uniting`."""
        try:
            await settling
        except RunsError as error:
            log.warning("runs that are one could not be united: error %s", error)

    async def close(self) -> None:
        """Wait until everything that was taken is written or refused."""
        self._closed = True
        while self._committers:
            await asyncio.gather(*self._committers.values(), return_exceptions=True)

    # Standing records

    async def _workspace(self, name: str, *, create: bool) -> str:
        id = ids.workspace_id(name)
        if id in self._standing:
            return id
        if not create:
            [found] = await self._store.get(Workspace, [id])
            if found is None:
                raise NotFound(f"there is no workspace {name!r}", field="workspace")
            self._standing.add(id)
            return id
        check_name(name, "workspace", self._limits)
        return (await self._ensure(Workspace(id, name, now()))).id

    async def _ensure(self, record: Loose) -> Loose:
        kind = type(record)
        [found] = await self._store.get(kind, [record.id])
        if found is None:
            try:
                await self._store.upsert(record, None)
                found = record
            except Conflict:
                [found] = await self._store.get(kind, [record.id])
                assert found is not None
        self._standing.add(record.id)
        return found

    async def _ensure_named(self, request: Request) -> None:
        """Experiments and clusters that the operations name, made where missing."""
        experiments, clusters = {}, {}
        for operation in request.operations:
            if isinstance(operation, DeclareRun) and operation.experiment not in experiments:
                id = ids.experiment_id(request.workspace, operation.experiment)
                experiments[operation.experiment] = id
                if id not in self._standing:
                    await self._ensure(Experiment(id, request.workspace, operation.experiment, now()))
            if isinstance(operation, DeclareRun | Annotate) and operation.cluster is not None:
                id = ids.cluster_id(request.workspace, operation.cluster)
                clusters[operation.cluster] = id
                if id not in self._standing:
                    await self._ensure(Cluster(id, request.workspace, operation.cluster, now()))
        request.experiments, request.clusters = experiments, clusters

    # Committing

    async def _queue(self, root: str, request: Request | Removal) -> None:
        queue = self._queues.get(root)
        if queue is None:
            queue = self._queues[root] = asyncio.Queue(self._limits.queue)
        await queue.put(request)
        if root not in self._committers:
            self._committers[root] = asyncio.create_task(self._commit_all(root))

    async def _commit_all(self, root: str) -> None:
        queue = self._queues[root]
        requests: list[Request | Removal] = []
        try:
            while True:
                while not queue.empty():
                    requests.append(queue.get_nowait())
                if not requests:
                    return
                if isinstance(requests[0], Removal):
                    await self._purge(root, requests[0])
                    requests = requests[1:]
                    continue
                together = _before_removal(requests)
                rest = await self._commit_some(root, together)
                requests = [*rest, *requests[len(together) :]]
        except Exception as error:
            # A bug, not bad input: everybody who waits is told, and the next call starts afresh.
            log.exception("commit failed: root %s", root)
            self._trees.pop(root, None)
            while not queue.empty():
                requests.append(queue.get_nowait())
            for request in requests:
                request.fail(error)
        finally:
            del self._committers[root], self._queues[root]

    async def _commit_some(self, root: str, requests: list[Request]) -> list[Request]:
        """One batch of as many of the requests as fit; gives those that have to wait for the next one."""
        for attempt in range(_ATTEMPTS):
            try:
                known = await self._know(root, requests)
                draft = Draft(known, self._limits)
                taken, repeated, refused, rest = _draw_up(draft, requests)
                if not draft.empty:
                    await self._store.commit(draft.batch())
                    draft.accept()
                else:
                    [end] = await self._store.ends([journal_of(root)])
                    if end != known.n:
                        raise Conflict("the tree moved on")
            except Conflict:
                self._trees.pop(root, None)
                await _give_way(attempt)
                continue
            except RunsError as error:
                self._trees.pop(root, None)
                for request in requests:
                    request.fail(error)
                return []
            self._remember(known)
            for request in taken:
                self._routes.remember(request.runs, root)
                request.succeed(known.n, repeated=False)
            for request in repeated:
                request.succeed(known.n, repeated=True)
            for request, refusal in refused:
                request.fail(refusal)
            return rest
        raise _too_many(root)

    async def _purge(self, root: str, removal: Removal) -> None:
        for attempt in range(_ATTEMPTS):
            # What is read after the position may be newer than it; then the position has moved on, and the purge is refused.
            try:
                [n] = await self._store.ends([journal_of(root)])
                purge = purge_of(removal, root, n, await self._store.tree_runs(root))
                await self._store.purge(purge)
            except Conflict:
                await _give_way(attempt)
                continue
            except RunsError as error:
                removal.fail(error)
                return
            finally:
                self._trees.pop(root, None)
            self._routes.forget(purge.runs)
            removal.succeed(Purged(root, purge.runs, n + 1))
            return
        raise _too_many(root)

    async def _know(self, root: str, requests: Sequence[Request]) -> Known:
        """What is known of the tree, with all that these requests look at."""
        known = self._trees.get(root)
        if known is None:
            [n] = await self._store.ends([journal_of(root)])
            known = Known(root, n)
        else:
            self._trees.move_to_end(root)
        await self._fetch(known, requests)
        if not known.whole and any(request.needs_tree for request in requests):
            known.records |= {run.id: run for run in await self._store.tree_runs(root)}
            known.whole = True
        self._trees[root] = known
        return known

    async def _fetch(self, known: Known, requests: Sequence[Request]) -> None:
        wanted: dict[str, type[TreeRecord]] = {}
        writers: dict[str, None] = {}
        for request in requests:
            if request.writer is not None and request.writer not in known.positions:
                writers[request.writer] = None
            wanted |= {id: kind for kind, id in request.looked_at if id not in known.records}
        await self._fetch_kind(known, Run, wanted)
        await self._fetch_kind(known, Metric, wanted)
        await self._fetch_kind(known, LogFile, wanted)
        await self._fetch_kind(known, Artifact, wanted)
        if writers:
            places = await self._store.positions(known.root, list(writers))
            known.positions.update(zip(writers, places, strict=True))
        for request in requests:
            for operation in request.operations:
                if isinstance(operation, DeclareRun):
                    await self._draw_numbers(known, request, operation)

    async def _fetch_kind(self, known: Known, kind: type[T], wanted: Mapping[str, type[TreeRecord]]) -> None:
        unknown = [id for id, found in wanted.items() if found is kind]
        if unknown:
            known.records.update(zip(unknown, await self._store.get(kind, unknown), strict=True))

    async def _draw_numbers(self, known: Known, request: Request, operation: DeclareRun) -> None:
        for run_id in (operation.run_id, operation.parent, operation.root):
            if run_id is None:
                continue
            run = request.run(run_id)
            if known.records.get(run) is None and run not in request.numbers:
                request.numbers[run] = await self._store.next_number(
                    request.experiments[operation.experiment]
                )

    def _remember(self, known: Known) -> None:
        if len(known.records) > _REMEMBERED_RECORDS:
            self._trees.pop(known.root, None)
        while len(self._trees) > _REMEMBERED_TREES:
            self._trees.popitem(last=False)


def _draw_up(
    draft: Draft, requests: Sequence[Request]
) -> tuple[list[Request], list[Request], list[tuple[Request, RunsError | Astray]], list[Request]]:
    """Put requests into the draft: those taken, repeated, refused with their error, and left for the next batch."""
    taken: list[Request] = []
    repeated: list[Request] = []
    refused: list[tuple[Request, RunsError | Astray]] = []
    for index, request in enumerate(requests):
        try:
            (taken if draft.apply(request) else repeated).append(request)
        except Full:
            return taken, repeated, refused, list(requests[index:])
        except (RunsError, Astray) as error:
            refused.append((request, error))
    return taken, repeated, refused, []


def _before_removal(requests: Sequence[Request | Removal]) -> list[Request]:
    found: list[Request] = []
    for request in requests:
        if isinstance(request, Removal):
            break
        found.append(request)
    return found


async def _give_way(attempt: int) -> None:
    if attempt:
        await asyncio.sleep(random.uniform(0, 0.001 * min(attempt, 20)))


def _too_many(root: str) -> Conflict:
    return Conflict(f"the tree {root} was written by others {_ATTEMPTS} times in a row")
