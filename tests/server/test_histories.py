"""Random histories of runs, written by three server processes, against a plain model of what has to be there; clients of `runTree`
and `runs` come, lose their connection and go on through another server, and each ends with exactly what the model holds.

Writers append to the same runs at the same time. What they do to the same thing is so chosen that its end does not depend on the
order in which it arrives; moves of a tree (new runs, trash, restore, purge) have the tree for themselves.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.model import ids
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    LogPoints,
    LogText,
    RestoreRun,
    RunOperation,
    SetStatus,
    TrashRun,
)
from graphql_runs.model.status import RunStatus
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore
from tests.record.test_history import Model
from tests.server.followers import RUNS, TREE, Follower, ListFollower, TreeFollower, tidy
from tests.server.local import Local, local
from tests.store.mongo.opening import MOCK, mongo

HOME = ids.workspace_id("w")
WRITERS = 3
BEGAN = 1_700_000_000_000_000
BELOW = {"": None, "a": "", "b": "", "aa": "a", "ab": "a", "aaa": "aa"}
"""The runs of a tree by the end of their names, and the run above each."""
COMPACT = {"compact_seconds": 0.05, "compact_items": 4}


@dataclass
class Content:
    """What a run of the model holds; `values` and `lines` by name and writer, in order."""

    statuses: dict[int, RunStatus] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[int, list[Any]]] = field(default_factory=dict)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    @property
    def status(self) -> RunStatus:
        return self.statuses[max(self.statuses)]

    def last(self, metric: str) -> float:
        """The last value of a metric that only one writer writes; NaN without any."""
        for values in self.values.get(metric, {}).values():
            return float(values[-1])
        return math.nan


class Tree:
    """The model of one run tree."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.model = Model()
        self.contents: dict[str, Content] = {}

    def parent(self, name: str) -> str | None:
        above = BELOW[name.removeprefix(self.root)]
        return None if above is None else self.root + above

    def state(self, top: str) -> dict[str, Any]:
        """What a follower of `top` has to hold."""
        if top not in self.model.runs:
            return {}
        return {name: self.run(name) for name in self.model.below(top)}

    def run(self, name: str) -> dict[str, Any]:
        content, made = self.contents[name], self.model.runs[name]
        return {
            "parent": made.parent,
            "trashed": made.trashed is not None,
            "status": str(content.status),
            "tags": content.tags,
            "metrics": {
                name: [value for writer in sorted(by) for value in by[writer]]
                for name, by in content.values.items()
            },
            "logs": {
                path: "".join(line for writer in sorted(by) for line in by[writer])
                for path, by in content.lines.items()
            },
        }


Condition = Callable[[Content, bool], bool]
LISTS: list[tuple[Mapping[str, Any], Condition]] = [
    ({}, lambda run, trashed: not trashed),
    ({"where": "status = 'RUNNING'"}, lambda run, trashed: not trashed and run.status is RunStatus.RUNNING),
    ({"where": "metrics.m0 > 0.5"}, lambda run, trashed: not trashed and run.last("m0") > 0.5),
    (
        {"filter": {"or": [{"tag": {"key": "w1", "eq": "x"}}, {"metric": {"name": "m1", "lt": 0.5}}]}},
        lambda run, trashed: not trashed and (run.tags.get("w1") == "x" or run.last("m1") < 0.5),
    ),
    ({"filter": {"trashed": True}}, lambda run, trashed: trashed),
]


class History:
    """The model, the servers, and the clients."""

    def __init__(self, seed: int, servers: list[Local]) -> None:
        self.random = random.Random(seed)
        self.servers = servers
        self.trees = [Tree(f"t{index}") for index in range(3)]
        self.count = 0
        self.trees_followed = [
            (
                tree,
                tree.root + below,
                TreeFollower(TREE, {"run": ids.run_id(HOME, tree.root + below)}, seed + place),
            )
            for place, (tree, below) in enumerate((tree, below) for tree in self.trees for below in ("", "a"))
        ]
        self.lists = [
            (holds, ListFollower(RUNS, {"filter": None, "where": None, **condition}, seed + 100 + place))
            for place, (condition, holds) in enumerate(LISTS)
        ]

    @property
    def followers(self) -> list[Follower]:
        return [
            *(follower for _, _, follower in self.trees_followed),
            *(follower for _, follower in self.lists),
        ]

    async def round(self) -> None:
        """All writers write at once: some trees are appended to by each, others moved by one."""
        jobs: list[Awaitable[None]] = []
        for tree in self.trees:
            if tree.model.runs and self.random.random() < 0.65:
                jobs += [self.append(tree, writer, self.chance()) for writer in range(WRITERS)]
            else:
                jobs.append(self.move(tree, self.chance()))
        await asyncio.gather(*jobs)

    def chance(self) -> random.Random:
        return random.Random(self.random.random())

    def next(self) -> int:
        self.count += 1
        return self.count

    async def append(self, tree: Tree, writer: int, chance: random.Random) -> None:
        """One to three calls of a writer with numbers, some of them made again through another server."""
        for _ in range(chance.randint(1, 3)):
            operations: list[RunOperation] = []
            for _ in range(chance.randint(1, 4)):
                name = chance.choice(sorted(tree.model.runs))
                operations.append(self.write(tree.contents[name], name, writer, chance))
            sequence = tree.model.writers.get(str(writer), 0)
            tree.model.writers[str(writer)] = sequence + 1
            places = [writer] if chance.random() < 0.8 else [writer, chance.randrange(WRITERS)]
            for attempt, place in enumerate(places):
                recorder = self.servers[place].rooms.recorder
                found = await recorder.record("w", operations, writer=str(writer), sequence=sequence)
                assert found.repeated is (attempt > 0)

    def write(self, content: Content, name: str, writer: int, chance: random.Random) -> RunOperation:
        """Something for one run, in the model and as an operation."""
        number = self.next()
        match chance.randrange(6):
            case 0 | 1:
                metric = chance.choice([f"m{writer}", f"m{writer}", "shared"])
                # In `shared` the whole part tells the writer.
                values = [chance.random() for _ in range(chance.randint(1, 5))]
                if metric == "shared":
                    values = [writer + value / 2 for value in values]
                elif chance.random() < 0.1:
                    values[-1] = math.nan
                content.values.setdefault(metric, {}).setdefault(writer, []).extend(values)
                return LogPoints(name, metric, values)
            case 2 | 3:
                path = chance.choice([f"out{writer}.txt", "all.txt"])
                lines = [f"{writer} line {number}.{index} ü→\n" for index in range(chance.randint(1, 3))]
                content.lines.setdefault(path, {}).setdefault(writer, []).extend(lines)
                return LogText(name, path, "".join(lines).encode())
            case 4:
                status = chance.choice(list(RunStatus))
                content.statuses[BEGAN + number] = status
                # What says the same as the statement before it is passed over, and the time with it: these all say something else.
                return SetStatus(name, status, "t", at=BEGAN + number, detail=str(number))
            case _:
                key = f"w{writer}"
                if chance.random() < 0.3:
                    content.tags.pop(key, None)
                    return Annotate(name, remove_tags=[key])
                content.tags[key] = chance.choice("xyz")
                return Annotate(name, tags={key: content.tags[key]})

    async def move(self, tree: Tree, chance: random.Random) -> None:
        """A new run, or one put into the trash, brought back or taken away for good."""
        model, recorder = tree.model, self.servers[chance.randrange(WRITERS)].rooms.recorder
        new = [
            name
            for name in (tree.root + below for below in BELOW)
            if name not in model.runs and (tree.parent(name) in model.runs or name == tree.root)
        ]
        if new and (len(model.runs) < 2 or chance.random() < 0.5):
            name, at = chance.choice(new), BEGAN + self.next()
            declared = DeclareRun(name, "e", name, "t", parent=tree.parent(name), created_at=BEGAN)
            await recorder.record("w", [declared, SetStatus(name, RunStatus.QUEUED, "t", at=at)])
            model.declare(name, tree.parent(name))
            tree.contents[name] = Content({at: RunStatus.QUEUED})
            return
        name = chance.choice(sorted(model.runs))
        if model.runs[name].trashed is None:
            await recorder.record("w", [TrashRun(name)])
            model.trash(name)
        elif model.restorable(name) and chance.random() < 0.6:
            await recorder.record("w", [RestoreRun(name)])
            model.restore(name)
        else:
            await recorder.purge(ids.run_id(HOME, name))
            model.purge(name)
            tree.contents = {name: held for name, held in tree.contents.items() if name in model.runs}

    def check(self) -> None:
        """Every client holds what the model holds."""
        for tree, top, follower in self.trees_followed:
            assert tidy(by_writer(follower.state)) == tidy(spelled(tree.state(top))), top
        for holds, listing in self.lists:
            expected = {
                name: (str(content.status), content.tags)
                for tree in self.trees
                for name, content in tree.contents.items()
                if holds(content, tree.model.runs[name].trashed is not None)
            }
            assert tidy(listing.state) == tidy(expected), listing.variables


def spelled(state: dict[str, Any]) -> dict[str, Any]:
    """The model's state with numbers as JSON has them."""
    for run in state.values():
        for name, values in run["metrics"].items():
            run["metrics"][name] = ["NaN" if value != value else value for value in values]
    return state


def by_writer(state: dict[str, Any]) -> dict[str, Any]:
    """A follower's state with what several writers wrote to one place sorted by writer; each one's order stays."""
    for run in state.values():
        if "shared" in run["metrics"]:
            run["metrics"]["shared"].sort(key=int)
        for path, text in run["logs"].items():
            run["logs"][path] = "".join(sorted(text.splitlines(keepends=True), key=lambda line: line[0]))
    return state


@asynccontextmanager
async def serving(
    open_store: Callable[[], Awaitable[Store]],
) -> AsyncIterator[tuple[list[Local], Callable[[int], Awaitable[None]]]]:
    """Three servers on one store, and the way to start one of them anew."""
    stacks = [AsyncExitStack() for _ in range(WRITERS)]
    servers: list[Local] = []

    async def restart(place: int) -> None:
        await stacks[place].aclose()
        servers[place] = await stacks[place].enter_async_context(local(await open_store(), **COMPACT))

    async with AsyncExitStack() as all_of_them:
        for stack in stacks:
            all_of_them.push_async_callback(stack.aclose)
            servers.append(await stack.enter_async_context(local(await open_store(), **COMPACT)))
        yield servers, restart


@pytest.mark.parametrize(
    ("kind", "transport", "seed", "rounds"),
    [("sqlite", "websocket", 1, 8), ("sqlite", "events", 2, 8), ("mongomock", "events", 3, 4)],
)
async def test_every_follower_ends_with_what_the_model_holds(
    tmp_path: Path, kind: str, transport: str, seed: int, rounds: int
) -> None:
    async def open_store() -> Store:
        if kind == "mongomock":
            return await mongo(f"{MOCK}{tmp_path}")
        return await SqliteStore.open(tmp_path / "runs.sqlite")

    async with asyncio.timeout(120), serving(open_store) as (servers, restart):
        history = History(seed, servers)
        for _ in range(2):
            await spell(history, transport, rounds, restart)
            history.check()
        followers = history.followers
        assert all(follower.connects > 2 for follower in followers)
        assert sum(follower.resumes for follower in followers) > len(followers)


async def spell(
    history: History, transport: str, rounds: int, restart: Callable[[int], Awaitable[None]]
) -> None:
    """Some rounds with clients that come and go, one server starting anew meanwhile, until everybody has caught up."""
    done = asyncio.Event()
    async with asyncio.TaskGroup() as clients:
        for follower in history.followers:
            clients.create_task(follower.follow(history.servers, transport, done))
        for number in range(rounds):
            await history.round()
            if number == rounds // 2:
                await restart(history.random.randrange(WRITERS))
        done.set()
