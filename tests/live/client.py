"""A client of a followed run tree that keeps to the rules of updates, whatever happens to the runs."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field

from graphql_runs.live.follow import follow_tree
from graphql_runs.live.hub import Hub
from graphql_runs.live.update import TreeUpdate
from graphql_runs.model.time import Micros
from graphql_runs.store.port import Store


@dataclass
class Client:
    """What it holds, by server ids of runs. It fails on a gap in the points or the text."""

    root: str
    run: str
    run_id: str = ""
    runs: dict[str, Micros | None] = field(default_factory=dict)
    """When each was trashed."""
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    cursor: str | None = None
    resets: int = 0
    ended: bool = False

    async def follow(self, store: Store, hub: Hub, updates: int | None = None) -> None:
        """Take so many updates, or all until it has caught up or the run is gone; then the connection is lost."""
        self.ended = False
        stream = follow_tree(store, hub, self.root, run=self.run, after=self.cursor, throttle=0)
        async with aclosing(stream) as found:
            async for update in found:
                assert not self.ended
                self.take(update)
                updates = None if updates is None else updates - 1
                if updates == 0 or (update.caught_up and not self.ended):
                    return
        assert self.ended

    def take(self, update: TreeUpdate) -> None:
        """Do as an update says."""
        self.cursor = update.cursor
        assert update.reset is (update.gap is not None)
        if update.reset:
            self.resets += 1
            self.runs, self.values, self.texts = {}, {}, {}
        self.runs |= {run.id: run.trashed_at for run in update.runs}
        for delta in update.metrics:
            assert delta.run_id
            held = self.values.setdefault((delta.metric.run, delta.metric.name), [])
            assert delta.points.start <= len(held)
            new = delta.points.columns["value"].tolist() if len(delta.points) else []
            held[delta.points.start : delta.points.start + len(new)] = new
        for text in update.logs:
            key = (text.log.run, text.log.path)
            assert text.offset <= len(self.texts.get(key, ""))
            self.texts[key] = self.texts.get(key, "")[: text.offset] + text.text
        self.ended = self.run in update.purged
        gone = set(self.runs) if self.ended else set(update.purged)
        self.runs = {run: at for run, at in self.runs.items() if run not in gone}
        self.values = {key: held for key, held in self.values.items() if key[0] not in gone}
        self.texts = {key: held for key, held in self.texts.items() if key[0] not in gone}
