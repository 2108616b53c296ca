from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from graphql_runs.live.follow import follow_tree, tree_cursor
from graphql_runs.live.hub import Hub
from graphql_runs.live.update import TreeUpdate
from graphql_runs.model import ids
from graphql_runs.model.cursor import TreeCursor, encode_page
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.operation import DeclareRun, LogPoints, LogText, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

HOME = ids.workspace_id("w")


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


ROOT = id_of("r")


@dataclass
class Held:
    """What a client that takes every update as it comes ends up with. It fails on a gap and on a duplicate."""

    values: dict[str, list[float]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, RunStatus] = field(default_factory=dict)
    cursor: str | None = None
    updates: int = 0

    def take(self, update: TreeUpdate) -> None:
        self.updates += 1
        self.cursor = update.cursor
        for run in update.runs:
            self.statuses[run.run_id] = run.status
        for delta in update.metrics:
            values = self.values.setdefault(delta.metric.name, [])
            assert delta.points.start == len(values)
            if len(delta.points):
                values += delta.points.columns["value"].tolist()
        for text in update.logs:
            assert text.offset == self.sizes.get(text.log.path, 0)
            self.sizes[text.log.path] = text.offset + text.size
            self.texts[text.log.path] = self.texts.get(text.log.path, "") + text.text


async def follow(
    store: Store, hub: Hub, held: Held, *, updates: int | None = None, **options: object
) -> TreeUpdate:
    """Take updates until caught up, or a number of them."""
    options = {"run": ROOT, "throttle": 0.0, "after": held.cursor, **options}
    async with aclosing(follow_tree(store, hub, ROOT, **options)) as stream:  # type: ignore[arg-type]  # options of any type
        count = 0
        async for update in stream:
            held.take(update)
            count += 1
            if count == updates or (updates is None and update.caught_up):
                return update
    raise AssertionError("the stream ended")


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


async def test_backfill_then_live(store: Store, recorder: Recorder) -> None:
    hub, held = Hub(store), Held()
    await write(
        recorder,
        DeclareRun("r", "e", "r", "t"),
        LogPoints("r", "loss", [1.0, 2.0]),
        LogText("r", "out", b"one\n"),
    )
    async with aclosing(follow_tree(store, hub, ROOT, run=ROOT, throttle=0)) as stream:
        async for update in stream:
            held.take(update)
            if update.caught_up:
                break
        assert held.values == {"loss": [1.0, 2.0]}
        await write(recorder, LogPoints("r", "loss", [3.0]), SetStatus("r", RunStatus.RUNNING, "t"))
        held.take(await asyncio.wait_for(anext(stream), 5))
    assert held.values == {"loss": [1.0, 2.0, 3.0]}
    assert (held.texts, held.statuses) == ({"out": "one\n"}, {"r": RunStatus.RUNNING})
    assert hub.watchers == 0
    await hub.close()


async def test_resuming_from_every_cursor_gives_neither_gap_nor_duplicate(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphql_runs.live.backfill.MESSAGE_ROWS", 7)
    monkeypatch.setattr("graphql_runs.live.backfill.MESSAGE_BYTES", 5)
    hub, held = Hub(store), Held()
    await write(recorder, DeclareRun("r", "e", "r", "t"))
    expected: dict[str, list[float]] = {}
    text = ""
    for i in range(60):
        name = f"m{i % 4}"
        expected.setdefault(name, []).append(float(i))
        text += f"zeile ä {i}\n"
        await write(
            recorder, LogPoints("r", name, [float(i)]), LogText("r", "out", f"zeile ä {i}\n".encode())
        )
        if i >= 20:
            # One update, then the connection is dropped; the writer goes on meanwhile.
            await follow(store, hub, held, updates=1)
    update = await follow(store, hub, held, updates=1)
    while not update.caught_up:
        update = await follow(store, hub, held, updates=1)
    assert held.values == expected
    assert held.texts == {"out": text}
    await hub.close()


async def test_query_then_subscribe_has_no_hole(store: Store, recorder: Recorder) -> None:
    hub = Hub(store)
    await write(recorder, DeclareRun("r", "e", "r", "t"), LogPoints("r", "loss", [1.0]))
    cursor = await tree_cursor(store, ROOT)
    await write(recorder, LogPoints("r", "loss", [2.0]))
    held = Held(values={"loss": [1.0]}, cursor=cursor)
    await follow(store, hub, held)
    assert held.values == {"loss": [1.0, 2.0]}
    # Nothing new: the follower is still told where it stands.
    update = await follow(store, hub, held)
    assert (update.runs, update.metrics, update.caught_up) == ((), (), True)
    await hub.close()


async def test_scope_of_a_child_and_of_names(store: Store, recorder: Recorder) -> None:
    hub = Hub(store)
    await write(
        recorder,
        DeclareRun("r", "e", "r", "t"),
        DeclareRun("a", "e", "a", "t", parent="r"),
        DeclareRun("b", "e", "b", "t", parent="r"),
        DeclareRun("aa", "e", "aa", "t", parent="a"),
        LogPoints("aa", "train/loss", [1.0]),
        LogPoints("aa", "val/loss", [1.0]),
        LogPoints("b", "train/loss", [1.0]),
        LogText("aa", "out", b"x"),
    )
    held = Held()
    await follow(store, hub, held, run=id_of("a"), metrics=["train/*"], logs=[])
    assert set(held.statuses) == {"a", "aa"}
    assert (set(held.values), held.texts) == ({"train/loss"}, {})
    await write(
        recorder,
        DeclareRun("ab", "e", "ab", "t", parent="aa"),
        LogPoints("ab", "train/x", [5.0]),
        LogPoints("b", "train/y", [5.0]),
    )
    await follow(store, hub, held, run=id_of("a"), metrics=["train/*"], logs=[])
    assert set(held.statuses) == {"a", "aa", "ab"}
    assert set(held.values) == {"train/loss", "train/x"}
    await hub.close()


async def test_summaries_without_points(store: Store, recorder: Recorder) -> None:
    hub = Hub(store)
    await write(recorder, DeclareRun("r", "e", "r", "t"), LogPoints("r", "loss", [3.0, 1.0]))
    found: list[tuple[int, float | None]] = []
    async with aclosing(follow_tree(store, hub, ROOT, run=ROOT, points=False, throttle=0)) as stream:
        async for update in stream:
            found += [(len(delta.points), delta.metric.min) for delta in update.metrics]
            if update.caught_up:
                break
    assert found == [(0, 1.0)]
    await hub.close()


async def test_until_ends_with_the_run(store: Store, recorder: Recorder) -> None:
    hub = Hub(store)
    await write(recorder, DeclareRun("r", "e", "r", "t"), SetStatus("r", RunStatus.RUNNING, "t"))

    async def watch() -> list[float]:
        values: list[float] = []
        async for update in follow_tree(
            store, hub, ROOT, run=ROOT, until=StatusClass.TERMINAL, throttle=0.01
        ):
            for delta in update.metrics:
                values += delta.points.columns["value"].tolist()
        return values

    watching = asyncio.create_task(watch())
    for i in range(5):
        await write(recorder, LogPoints("r", "loss", [float(i)]))
    await write(recorder, SetStatus("r", RunStatus.COMPLETED, "t"))
    assert await asyncio.wait_for(watching, 5) == [0.0, 1.0, 2.0, 3.0, 4.0]
    # Also when it had ended before.
    cursor = await tree_cursor(store, ROOT)
    ended = [
        u async for u in follow_tree(store, hub, ROOT, run=ROOT, after=cursor, until=StatusClass.TERMINAL)
    ]
    assert [update.caught_up for update in ended] == [True]
    await hub.close()


@pytest.mark.parametrize("change", ["epoch", "ahead"])
async def test_a_cursor_of_another_history_is_reset_with_a_gap(
    store: Store, recorder: Recorder, change: str
) -> None:
    hub, held = Hub(store), Held()
    await write(recorder, DeclareRun("r", "e", "r", "t"), LogPoints("r", "loss", [1.0]))
    cursor = TreeCursor("other" if change == "epoch" else store.epoch, ROOT, 1 if change == "epoch" else 99)
    async with aclosing(follow_tree(store, hub, ROOT, run=ROOT, after=cursor.encode(), throttle=0)) as stream:
        first = await anext(stream)
        assert (first.reset, first.gap is not None, len(first.runs)) == (True, True, 1)
        assert first.caught_up
        held.take(first)
    assert held.values == {"loss": [1.0]}
    await hub.close()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "!!!",
        encode_page("runs", Key((1,), "x")),
        TreeCursor("e", "run_other", 0).encode(),
        "a" * 10_000,
    ],
    ids=["empty", "nonsense", "not base64", "page cursor", "another tree", "too long"],
)
async def test_a_wrong_cursor_is_refused(store: Store, cursor: str) -> None:
    hub = Hub(store)
    with pytest.raises(InvalidInput) as caught:
        await anext(follow_tree(store, hub, ROOT, run=ROOT, after=cursor))
    assert caught.value.field == "after"
    assert hub.watchers == 0


async def test_closing_the_hub_ends_followers_at_once_even_in_their_pause(
    store: Store, recorder: Recorder
) -> None:
    hub = Hub(store)
    await write(recorder, DeclareRun("r", "e", "r", "t"))

    async def watch(throttle: float) -> int:
        return len([u async for u in follow_tree(store, hub, ROOT, run=ROOT, throttle=throttle)])

    watching: Sequence[asyncio.Task[int]] = [asyncio.create_task(watch(t)) for t in (0, 3600)]
    await asyncio.sleep(0.1)
    await hub.close()
    assert all(await asyncio.wait_for(asyncio.gather(*watching), 5))
    assert hub.watchers == 0


async def test_many_writers_and_followers_agree(store: Store, recorder: Recorder) -> None:
    hub = Hub(store)
    await write(recorder, DeclareRun("r", "e", "r", "t"))

    async def writer(name: str) -> None:
        for i in range(30):
            await write(recorder, LogPoints("r", name, [float(i)]))

    async def follower() -> Held:
        held = Held()
        while not (held.values.keys() == {"a", "b", "c"} and all(len(v) == 30 for v in held.values.values())):
            await follow(store, hub, held)
        return held

    async with asyncio.timeout(30):
        done = await asyncio.gather(*(follower() for _ in range(4)), *(writer(name) for name in "abc"))
    for held in done[:4]:
        assert isinstance(held, Held)
        assert held.values == {name: [float(i) for i in range(30)] for name in "abc"}
    await hub.close()
