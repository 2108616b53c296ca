"""Following a filtered list of runs from a cursor: what matches now comes first, then what changes.

The workspace's hints say which runs were touched; those are looked at again, and come as changed where they match, as left
where they do not. Nothing is remembered of what a follower holds, so it makes no difference where it was told the beginning.
What follows from the time alone, staleness, has no hint: a run is looked at again when its time comes. While the list is told
for the first time the cursor holds the position of the hints it began at, and the run it has come to.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from graphql_runs.live.hub import LOOK_AGAIN, Hub, Signal
from graphql_runs.live.update import Gap
from graphql_runs.model.cursor import WorkspaceCursor
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Compare,
    Key,
    Not,
    Op,
    Or,
    Order,
    RunFilter,
    Under,
)
from graphql_runs.model.run import Run
from graphql_runs.model.status import StatusClass
from graphql_runs.model.time import Micros, now
from graphql_runs.store.port import Store

MESSAGE_RUNS = 500
"""Runs of one message, at most."""
_BREATH = 0.05
"""Least seconds between two looks at the hints of a store that is written to all the time."""
_BY_ID = (Order(AttributeField(Attribute.ID)),)

Where = Callable[[], Awaitable[RunFilter]]
"""Gives the condition as of now: names may have come to stand for other things, and time goes on."""


@dataclass(frozen=True, slots=True)
class RunsUpdate:
    """One message of a followed list of runs. With `cursor` another follower continues exactly after it.

    caught_up: at the time of reading there was nothing further.
    reset:     forget everything held of this list; it is told anew, beginning with this message.
    changed:   runs that match, as they are now.
    left:      server ids of runs that were touched and do not match, whether or not they did before.
    """

    cursor: str
    caught_up: bool
    reset: bool
    changed: tuple[Run, ...]
    left: tuple[str, ...]
    gap: Gap | None = None


async def follow_runs(
    store: Store,
    hub: Hub,
    workspace: str,
    where: Where,
    *,
    after: str | None = None,
    throttle: float = 0.5,
    beside: Callable[[], Awaitable[bool]] | None = None,
    look_again: float = LOOK_AGAIN,
) -> AsyncGenerator[RunsUpdate]:
    """The runs of a workspace (its server id) that match, and what becomes of them.

    after:      a live cursor to continue from; without it all runs that match come first.
    throttle:   least seconds between two messages once caught up; the first change after a pause goes out at once.
    beside:     asked at every look; a message goes out when it says so, even if no run was touched.
    look_again: seconds after which one looks without having been woken.

    Ends when the server closes. Raises InvalidInput for a cursor that is not one of this workspace.
    """
    if not 0 <= throttle <= 3600:
        raise InvalidInput("throttle is from 0 to 3600 seconds", field="throttle")
    cursor = None if after is None else WorkspaceCursor.decode(after)
    if cursor is not None and cursor.workspace != workspace:
        raise InvalidInput("after is a cursor of another workspace", field="after")
    async with hub.watch(None) as signal:
        follower = _Follower(store, workspace, where, signal)
        began = now()
        async for update in follower.start(cursor):
            yield update
            if signal.closed:
                return
        first = cursor is not None
        # What was stale when the list was told was told as stale; what became so after a cursor was not.
        await follower.learn_times(0 if first else began)
        while not signal.closed:
            update = await follower.look()
            told = beside is not None and await beside()
            # A follower that continues is always told where it stands, even when nothing happened meanwhile.
            spoken = first or told or update.changed or update.left or not update.caught_up
            if spoken:
                first = False
                yield update
            if update.caught_up:
                await signal.pause(throttle if spoken else _BREATH)
                await signal.wait(min(look_again, follower.next_time()))


class _Follower:
    def __init__(self, store: Store, workspace: str, where: Where, signal: Signal) -> None:
        self._store = store
        self._workspace = workspace
        self._where = where
        self._signal = signal
        self._n = 0
        self._times: list[tuple[Micros, str]] = []
        """When runs become stale unless they give another sign of life; looked up again when the time has come."""
        self._timed: dict[str, Micros] = {}

    async def start(self, cursor: WorkspaceCursor | None) -> AsyncGenerator[RunsUpdate]:
        """The list as it is, page by page, unless the cursor is beyond that."""
        end = await self._store.hint_end(self._workspace)
        gap = None if cursor is None else self._lost(cursor, end)
        if cursor is None or gap is not None:
            cursor = WorkspaceCursor(self._store.epoch, self._workspace, end, "")
        self._n = cursor.n
        run = cursor.run
        while run is not None:
            found = await self._page(run)
            run = found[-1].id if len(found) == MESSAGE_RUNS else None
            caught_up = run is None and await self._store.hint_end(self._workspace) == self._n
            yield RunsUpdate(self._cursor(run), caught_up, gap is not None, tuple(found), (), gap)
            gap = None

    async def look(self) -> RunsUpdate:
        """One message of what was touched after the hints that were seen."""
        hints = await self._store.hints(self._workspace, self._n, first=MESSAGE_RUNS)
        due = self._due()
        condition = await self._where()
        touched = dict.fromkeys([hint.run for hint in hints] + due)
        if _looks_around(condition):
            # A run may come and go because of another one in its tree.
            roots = dict.fromkeys(hint.root for hint in hints)
            touched |= dict.fromkeys([run.id for root in roots for run in await self._store.tree_runs(root)])
        if hints:
            self._n = hints[-1].n
        changed, left = await self._sorted(list(touched), condition)
        caught_up = len(hints) < MESSAGE_RUNS
        return RunsUpdate(self._cursor(None), caught_up, False, changed, left)

    async def learn_times(self, since: Micros) -> None:
        """When the runs that are not over become stale, those apart that were so before a time."""
        unfinished = tuple(str(found) for found in StatusClass if found is not StatusClass.TERMINAL)
        condition = And(
            (
                Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, self._workspace),
                Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, unfinished),
            )
        )
        after: Key | None = None
        while True:
            found = await self._store.find_runs(condition, _BY_ID, after=after, first=MESSAGE_RUNS)
            self._note([entry.run for entry in found if (entry.run.stale_at or 0) >= since])
            if len(found) < MESSAGE_RUNS:
                return
            after = found[-1].key

    def next_time(self) -> float:
        """Seconds until a run is to be looked at again because of the time."""
        return max(0.0, (self._times[0][0] - now()) / 1e6 + 0.001) if self._times else LOOK_AGAIN

    async def _sorted(
        self, touched: Sequence[str], condition: RunFilter
    ) -> tuple[tuple[Run, ...], tuple[str, ...]]:
        """Of the touched runs, those that match, and the ids of those that do not."""
        changed: list[Run] = []
        left: list[str] = []
        for start in range(0, len(touched), MESSAGE_RUNS):
            part = tuple(touched[start : start + MESSAGE_RUNS])
            self._note([run for run in await self._store.get(Run, part) if run is not None])
            among = And((self._inside(condition), Compare(AttributeField(Attribute.ID), Op.IN, part)))
            found = await self._store.find_runs(among, _BY_ID, first=len(part))
            matching = {entry.run.id: entry.run for entry in found}
            self._note(matching.values())
            changed += [matching[id] for id in part if id in matching]
            left += [id for id in part if id not in matching]
        return tuple(changed), tuple(left)

    async def _page(self, run: str) -> list[Run]:
        condition = self._inside(await self._where())
        after = Key((run,), run) if run else None
        found = await self._store.find_runs(condition, _BY_ID, after=after, first=MESSAGE_RUNS)
        return [entry.run for entry in found]

    def _inside(self, condition: RunFilter) -> RunFilter:
        return And((Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, self._workspace), condition))

    def _note(self, runs: Iterable[Run]) -> None:
        for run in runs:
            at = run.stale_at
            if at is None:
                self._timed.pop(run.id, None)
            elif self._timed.get(run.id) != at:
                self._timed[run.id] = at
                heapq.heappush(self._times, (at, run.id))

    def _due(self) -> list[str]:
        """The runs whose time has come, unless they gave a sign of life since it was noted."""
        found = []
        time = now()
        while self._times and self._times[0][0] < time:
            at, run = heapq.heappop(self._times)
            if self._timed.get(run) == at:
                found.append(run)
        return found

    def _lost(self, cursor: WorkspaceCursor, end: int) -> Gap | None:
        """Why one cannot continue from a cursor, if so."""
        if cursor.epoch != self._store.epoch:
            reason = "the store was restored or replaced since this cursor was given"
        elif cursor.n > end:
            reason = "the cursor is ahead of what the store holds"
        else:
            return None
        to = WorkspaceCursor(self._store.epoch, self._workspace, end, "")
        return Gap(cursor.encode(), to.encode(), reason)

    def _cursor(self, run: str | None) -> str:
        return WorkspaceCursor(self._store.epoch, self._workspace, self._n, run).encode()


def _looks_around(condition: RunFilter) -> bool:
    """Whether a condition on a run depends on other runs of its tree."""
    match condition:
        case And(parts) | Or(parts):
            return any(map(_looks_around, parts))
        case Not(part):
            return _looks_around(part)
        case Compare() | Under():
            return False
    return True
