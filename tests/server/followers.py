"""Clients of `runTree` and `runs` that keep to the rules of updates, lose their connection at any time and go on from their cursor."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets

from tests.server.local import Local

TREE = """
subscription ($run: ID!, $after: String, $throttle: Float!) {
  runTree(run: $run, after: $after, throttle: $throttle) {
    cursor caughtUp reset purged gap { reason }
    runs { id runId status trashedAt parent { runId } tags { key value } }
    metrics { runId name start values }
    logs { runId path offset text }
  }
}
"""
RUNS = """
subscription ($filter: RunFilter, $where: String, $after: String, $throttle: Float!) {
  runs(workspace: "w", filter: $filter, where: $where, after: $after, throttle: $throttle) {
    cursor caughtUp reset left gap { reason }
    changed { id runId status tags { key value } }
  }
}
"""
_LOST = (TimeoutError, OSError, httpx.HTTPError, websockets.WebSocketException)


@dataclass
class Follower:
    """One subscription of a client that is cut off and comes back, through any of several servers."""

    query: str
    variables: Mapping[str, Any]
    seed: int
    cursor: str | None = None
    caught_up: bool = False
    connects: int = 0
    resumes: int = 0
    resets: int = 0

    async def follow(self, servers: Sequence[Local], transport: str, done: asyncio.Event) -> None:
        """Until a connection that was made after `done` has caught up."""
        chance = random.Random(f"{self.seed} {self.connects}")
        while True:
            ending = done.is_set()
            await self._connect(chance.choice(servers), transport, chance, ending=ending)
            if ending and self.caught_up:
                return
            await asyncio.sleep(chance.choice([0, 0.05, 0.2]))

    async def _connect(self, server: Local, transport: str, chance: random.Random, *, ending: bool) -> None:
        patience = 20 if ending else chance.choice([0.02, 0.1, 0.5, 1.0])
        count = None if ending else chance.choice([1, 2, 5, None, None])
        self.caught_up = False
        self.connects += 1
        self.resumes += self.cursor is not None
        throttle = chance.choice([0, 0.05])
        answers = server.follow(transport, self.query, **self.variables, after=self.cursor, throttle=throttle)
        try:
            async with asyncio.timeout(patience), aclosing(answers):
                async for answer in answers:
                    self._take(answer)
                    count = None if count is None else count - 1
                    if count == 0 or (ending and self.caught_up):
                        return
        except _LOST:
            if ending:
                raise

    def _take(self, answer: Mapping[str, Any]) -> None:
        if errors := answer.get("errors"):
            assert [error["extensions"]["code"] for error in errors] == ["NOT_FOUND"], errors
            self.forget()
            self.cursor, self.caught_up = None, True
            return
        [update] = answer["data"].values()
        assert update["reset"] is (update["gap"] is not None), update
        self.cursor, self.caught_up = update["cursor"], update["caughtUp"]
        if update["reset"]:
            self.resets += 1
            self.forget()
        self.take(update)

    def forget(self) -> None:
        """Drop everything held."""
        raise NotImplementedError

    def take(self, update: Mapping[str, Any]) -> None:
        """Do as an update says."""
        raise NotImplementedError


@dataclass
class TreeFollower(Follower):
    """All that it was told of a run and what is below. It fails on a gap in the points or the text."""

    runs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By server id."""
    values: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    """By the producer's id of the run, and name."""
    texts: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def forget(self) -> None:
        self.runs, self.values, self.texts = {}, {}, {}

    def take(self, update: Mapping[str, Any]) -> None:
        self.runs |= {run["id"]: run for run in update["runs"]}
        for delta in update["metrics"]:
            values = self.values.setdefault(delta["runId"], {}).setdefault(delta["name"], [])
            start = int(delta["start"])
            assert start <= len(values), (delta, len(values))
            values[start : start + len(delta["values"])] = delta["values"]
        for delta in update["logs"]:
            texts = self.texts.setdefault(delta["runId"], {})
            held, start = texts.get(delta["path"], b""), int(delta["offset"])
            assert start <= len(held), (delta, len(held))
            texts[delta["path"]] = held[:start] + delta["text"].encode()
        if self.variables["run"] in update["purged"]:
            self.forget()
        for id in update["purged"]:
            if (gone := self.runs.pop(id, None)) is not None:
                self.values.pop(gone["runId"], None)
                self.texts.pop(gone["runId"], None)

    @property
    def state(self) -> Any:
        """What is held, in the shape of the model's."""
        return {
            run["runId"]: {
                "parent": run["parent"] and run["parent"]["runId"],
                "trashed": run["trashedAt"] is not None,
                "status": run["status"],
                "tags": {tag["key"]: tag["value"] for tag in run["tags"]},
                "metrics": self.values.get(run["runId"], {}),
                "logs": {path: text.decode() for path, text in self.texts.get(run["runId"], {}).items()},
            }
            for run in self.runs.values()
        }


@dataclass
class ListFollower(Follower):
    """The runs of a filtered list."""

    runs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def forget(self) -> None:
        self.runs = {}

    def take(self, update: Mapping[str, Any]) -> None:
        self.runs |= {run["id"]: run for run in update["changed"]}
        for id in update["left"]:
            self.runs.pop(id, None)

    @property
    def state(self) -> Any:
        """What is held, in the shape of the model's."""
        return {
            run["runId"]: (run["status"], {tag["key"]: tag["value"] for tag in run["tags"]})
            for run in self.runs.values()
        }


def tidy(state: Any) -> str:
    """A state as text, so that a difference is shown line by line."""
    return json.dumps(state, indent=1, sort_keys=True)
