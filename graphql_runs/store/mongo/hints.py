"""The journal of a workspace: hints in the order of their numbers, without a number that shows up late.

    feed  {_id: workspace, n, tail: [[run, root, at], …]}
    hint  {_id: workspace/run, workspace, run, root, at, n}

Pushing to the tail and counting up `n` is one step, so a hint has its number by its place: the last one of the tail has `n`. Before
the tail grows too long, its older half is written to the documents of the runs, which keep the newest hint each; only then is it
cut off. Readers take what they are after from the documents up to where the tail begins, and from the tail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from graphql_runs.model.change import Hint
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.layout import hint_key
from graphql_runs.store.mongo.operations import Change, Document

TAIL = 64
"""Hints in the tail from which on it is cut."""

UNSAID = ""
"""The feed of batches without hints: nobody reads it, but it tells other processes that something was committed."""


class Hints:
    """All workspaces of a store."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def give(self, hints: Sequence[Sequence[str | int]]) -> None:
        """Add hints `[workspace, run, root, at]`. Repeating it doubles them, which is harmless."""
        by_workspace: dict[str, list[list[str | int]]] = defaultdict(list)
        for workspace, *hint in hints:
            by_workspace[str(workspace)].append(hint)
        for workspace, found in by_workspace.items():
            for start in range(0, len(found), TAIL):
                await self._push(workspace, found[start : start + TAIL])

    async def after(self, workspace: str, n: int, first: int) -> list[Hint]:
        """See `Store.hints`."""
        if first <= 0:
            return []
        feed = await self._feed(workspace)
        if feed is None:
            return []
        base = feed["n"] - len(feed["tail"])
        found: dict[str, Hint] = {}
        if n < base:
            query = {"workspace": workspace, "n": {"$gt": n, "$lte": base}}
            for document in await self._driver.find("hint", query, sort=(("n", 1),), limit=first):
                found[document["run"]] = Hint(
                    workspace, document["run"], document["root"], document["at"], document["n"]
                )
        if len(found) < first:
            for number, (run, root, at) in enumerate(feed["tail"], base + 1):
                if number > n:
                    found.pop(run, None)
                    found[run] = Hint(workspace, run, root, at, number)
        return list(found.values())[:first]

    async def end(self, workspace: str) -> int:
        """See `Store.hint_end`."""
        feed = await self._driver.find_one("feed", {"_id": workspace}, fields=("n",))
        return 0 if feed is None else int(feed["n"])

    async def ends(self) -> dict[str, int]:
        """The number of the last hint of every workspace."""
        return {feed["_id"]: feed["n"] for feed in await self._driver.find("feed", {}, fields=("n",))}

    async def roots(self, workspace: str, after: int) -> set[str] | None:
        """The trees of the hints after a number; None when they are too many to be known."""
        feed = await self._feed(workspace)
        if feed is None:
            return set()
        tail = feed["tail"]
        wanted = feed["n"] - after
        return None if wanted > len(tail) else {root for _, root, _ in tail[len(tail) - wanted :]}

    async def _push(self, workspace: str, hints: Sequence[Sequence[str | int]]) -> None:
        room = {"_id": workspace, f"tail.{TAIL - 1}": {"$exists": False}}
        change = {"$inc": {"n": len(hints)}, "$push": {"tail": {"$each": list(hints)}}}
        # Where there is a full tail, making another document meets its key.
        while not await self._driver.change("feed", room, change, make=True):
            await self._cut(workspace)

    async def _cut(self, workspace: str) -> None:
        feed = await self._feed(workspace)
        if feed is None or len(feed["tail"]) < TAIL:
            return
        n, tail = feed["n"], feed["tail"]
        keep = TAIL // 2
        numbered = {
            run: (number, root, at) for number, (run, root, at) in enumerate(tail[:-keep], n - len(tail) + 1)
        }
        await self._driver.apply(
            "hint",
            [
                Change(
                    {"_id": hint_key(workspace, run), "n": {"$lt": number}},
                    {"$set": {"workspace": workspace, "run": run, "root": root, "at": at, "n": number}},
                    make=True,
                )
                for run, (number, root, at) in numbered.items()
            ],
        )
        await self._driver.change(
            "feed", {"_id": workspace, "n": n}, {"$push": {"tail": {"$each": [], "$slice": -keep}}}
        )

    async def _feed(self, workspace: str) -> Document | None:
        return await self._driver.find_one("feed", {"_id": workspace})
