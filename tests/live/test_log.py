from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_runs.live.hub import Hub
from graphql_runs.live.log import LogUpdate, follow_log
from graphql_runs.model import ids
from graphql_runs.model.cursor import LogCursor, TreeCursor
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.records import LogFile
from graphql_runs.model.run import Run
from graphql_runs.read.lines import page_lines
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore

RUN = ids.run_id(ids.workspace_id("w"), "r")


class Screen:
    """The lines that a client holds."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.cursor: str | None = None

    def take(self, update: LogUpdate) -> None:
        self.cursor = update.cursor
        if update.reset:
            self.lines.clear()
        if update.replace_from is not None:
            self.lines = {at: text for at, text in self.lines.items() if at < (update.replace_from or 0)}
        for line in update.lines:
            # A line is never told again without having been taken back.
            assert not self.lines or line.offset > max(self.lines)
            self.lines[line.offset] = line.text


async def run_of(recorder: Recorder, store: Store) -> Run:
    await recorder.record("w", [DeclareRun("r", "e", "r", "t")])
    [run] = await store.get(Run, [RUN])
    assert run is not None
    return run


async def write(recorder: Recorder, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    await recorder.record("w", [LogText("r", "out", data)])


async def shown(store: Store) -> dict[int, str]:
    """The whole file, as a query shows it."""
    [log] = await store.get(LogFile, [ids.log_id(RUN, "out")])
    assert log is not None
    lines: dict[int, str] = {}
    after: int | None = None
    while True:
        page = await page_lines(store, log, first=1000, after=after)
        lines |= {line.offset: line.text for line in page.lines}
        if not page.more_after or page.reached is None:
            return lines
        after = page.reached - 1


async def catch_up(updates: AsyncGenerator[LogUpdate], screen: Screen, size: int) -> None:
    """Take updates until so much of the file is told."""
    async with asyncio.timeout(20):
        while screen.cursor is None or LogCursor.decode(screen.cursor).offset < size:
            screen.take(await anext(updates))


@pytest.fixture
async def hub(store: Store) -> AsyncGenerator[Hub]:
    made = Hub(store)
    yield made
    await made.close()
    assert made.watchers == 0


async def test_the_tail_then_what_is_added(store: Store, recorder: Recorder, hub: Hub) -> None:
    run = await run_of(recorder, store)
    await write(recorder, "".join(f"line {i}\n" for i in range(50)))
    screen = Screen()
    async with aclosing(follow_log(store, hub, run, "out", tail=3)) as updates:
        screen.take(await anext(updates))
        assert list(screen.lines.values()) == ["line 47", "line 48", "line 49"]
        await write(recorder, "more\n")
        async with asyncio.timeout(10):
            update = await anext(updates)
        assert ([line.text for line in update.lines], update.replace_from) == (["more"], None)


async def test_a_progress_bar_is_drawn_anew(store: Store, recorder: Recorder, hub: Hub) -> None:
    run = await run_of(recorder, store)
    await write(recorder, "start\n  0%")
    screen = Screen()
    async with aclosing(follow_log(store, hub, run, "out")) as updates:
        screen.take(await anext(updates))
        assert list(screen.lines.values()) == ["start", "  0%"]
        await write(recorder, "\r 50%")
        async with asyncio.timeout(10):
            update = await anext(updates)
        assert ([line.text for line in update.lines], update.replace_from) == ([" 50%"], 6)
        screen.take(update)
        # A cursor move reaches a line that was complete.
        await write(recorder, "\n\x1b[2A\x1b[2Kagain\n")
        await catch_up(updates, screen, len("start\n  0%\r 50%\n\x1b[2A\x1b[2Kagain\n"))
    assert screen.lines == await shown(store)
    assert screen.lines[0] == "again"


async def test_a_file_that_is_not_there_yet(store: Store, recorder: Recorder, hub: Hub) -> None:
    run = await run_of(recorder, store)
    async with aclosing(follow_log(store, hub, run, "out")) as updates:
        update = await anext(updates)
        assert (update.lines, update.caught_up) == ((), True)
        await write(recorder, "first\n")
        async with asyncio.timeout(10):
            update = await anext(updates)
        assert [line.text for line in update.lines] == ["first"]


async def test_a_large_file_comes_in_messages_of_bounded_size(
    store: Store, recorder: Recorder, hub: Hub
) -> None:
    run = await run_of(recorder, store)
    screen = Screen()
    async with aclosing(follow_log(store, hub, run, "out")) as updates:
        screen.take(await anext(updates))
    text = "".join(f"{i:06} {'x' * (i % 90)}\n" for i in range(10_000))
    for start in range(0, len(text), 70_001):
        await write(recorder, text[start : start + 70_001])
    sizes = []
    # The connection is cut after every message.
    while screen.cursor is not None and LogCursor.decode(screen.cursor).offset < len(text):
        async with aclosing(follow_log(store, hub, run, "out", after=screen.cursor)) as updates:
            screen.take(await anext(updates))
            update = await anext(updates)
            screen.take(update)
            sizes.append(sum(len(line.text) for line in update.lines))
    assert screen.lines == await shown(store)
    assert len(screen.lines) == 10_000
    assert max(sizes) < 1 << 17


_PIECE = st.one_of(
    st.sampled_from(
        ["\n", "\r", "\b", "\x1b[A", "\x1b[2A", "\x1b[K", "\x1b[2K", "\x1b[1B", "ä", "x" * 40_000]
    ),
    st.text(alphabet="ab c\n\r", max_size=12),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.tuples(_PIECE, st.booleans()), min_size=1, max_size=12))
async def test_a_client_that_drops_and_resumes_sees_what_a_query_shows(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[str, bool]]
) -> None:
    store = await SqliteStore.open(Path(tmp_path_factory.mktemp("log")) / "runs.sqlite")
    recorder, hub, screen = Recorder(store), Hub(store), Screen()
    run = await run_of(recorder, store)
    size = 0
    updates = follow_log(store, hub, run, "out")
    for piece, drop in pieces:
        if piece:
            await write(recorder, piece)
            size += len(piece.encode())
        if drop:
            await updates.aclose()
            updates = follow_log(store, hub, run, "out", after=screen.cursor)
        if size:
            await catch_up(updates, screen, size)
    await updates.aclose()
    if size:
        assert screen.lines == await shown(store)
    await hub.close()
    await recorder.close()
    await store.close()


async def test_a_cursor_beyond_the_file_is_reset(store: Store, recorder: Recorder, hub: Hub) -> None:
    run = await run_of(recorder, store)
    await write(recorder, "a\nb\n")
    after = LogCursor(store.epoch, ids.log_id(RUN, "out"), 99).encode()
    async with aclosing(follow_log(store, hub, run, "out", after=after, tail=1)) as updates:
        update = await anext(updates)
    assert update.reset
    assert update.gap is not None
    assert [line.text for line in update.lines] == ["b"]


@pytest.mark.parametrize(
    "cursor", ["x", TreeCursor("e", RUN, 0).encode(), LogCursor("e", "log_other", 0).encode()]
)
async def test_a_wrong_cursor_is_refused(store: Store, recorder: Recorder, hub: Hub, cursor: str) -> None:
    run = await run_of(recorder, store)
    with pytest.raises(InvalidInput) as caught:
        await anext(follow_log(store, hub, run, "out", after=cursor))
    assert caught.value.field == "after"
