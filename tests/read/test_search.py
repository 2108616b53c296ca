from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded, StoreUnavailable
from graphql_runs.model.operation import DeclareRun, LogText, TrashRun
from graphql_runs.model.records import LogFile
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import from_text, to_text
from graphql_runs.read import clock
from graphql_runs.read import lines as rules
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.merge import AT_ONCE
from graphql_runs.read.search import MERGED, FoundPage, LogOrder, LogQuery, Place, search_logs
from graphql_runs.read.stamps import time_of
from graphql_runs.read.treelogs import TreeLog, tree_logs
from graphql_runs.read.wanted import LineFilter
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Item, Store

TIME, FILE = LogOrder.TIME, LogOrder.FILE
START = from_text("2026-01-31T12:00:00Z")
RUN = Run(
    "run_x", "x", "workspace_x", "experiment_x", "run_x", 1, "x", "test", START, RunStatus.RUNNING, START
)
EVER = 1 << 62


class Streams:
    """The streams of a store that hold logs, a few lines an item."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.items: dict[str, list[Item]] = {}
        for index, text in enumerate(texts):
            data = text.encode()
            places = [*range(0, len(data), 50), len(data)]
            self.items[f"log_{index}"] = [
                Item(start, end, data[start:end], data[:start].count(b"\n"))
                for start, end in pairwise(places)
            ]

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        return [item for item in self.items[stream] if item.end > start and (end is None or item.start < end)]


def kept(texts: Sequence[str]) -> tuple[Store, list[TreeLog]]:
    files = [
        TreeLog(LogFile(f"log_{index}", "run_x", "run_x", f"{index}.txt", size=len(text.encode())), RUN)
        for index, text in enumerate(texts)
    ]
    return Streams(texts), files  # type: ignore[return-value]  # nothing but `read` is asked of it


def shown(page: FoundPage) -> list[tuple[str, str]]:
    return [(found.file.log.id, found.line.text) for found in page.lines]


def repacked(place: Place | None, files: list[TreeLog]) -> Place | None:
    """The place as a cursor brings it back."""
    return place and Place.unpack(place.log, place.offset, place.pack(), files, "after")


async def walk(
    store: Store, files: list[TreeLog], query: LogQuery, count: int, *, back: bool, edges: bool = False
) -> list[tuple[str, str]]:
    """Every line, a page at a time: by the page's own end, or by the cursor of its last line."""
    found: list[tuple[str, str]] = []
    place: Place | None = None
    for _ in range(10_000):
        if back:
            page = await search_logs(store, files, query, count=count, back=True, before=place)
            found = [*shown(page), *found]
            more, place = page.more_before, page.start
        else:
            page = await search_logs(store, files, query, count=count, after=place)
            found += shown(page)
            more, place = page.more_after, page.end
        if not more:
            return found
        assert place is not None
        if edges and page.lines:
            place = page.lines[0 if back else -1].place
        place = repacked(place, files)
    raise AssertionError("the walk does not end")


def judge(texts: Sequence[str], wanted: str | None, order: LogOrder) -> list[tuple[str, str]]:
    """The lines in order, by a look at every line."""
    queues: list[list[tuple[int, int, str]]] = []
    for index, text in enumerate(texts):
        last, queue = -EVER, []
        for line in text.split("\n")[: -1 if text.endswith("\n") or not text else None]:
            last = time_of(line) or last
            if wanted is None or wanted in line:
                queue.append((last, index, line))
        queues.append(queue)
    if order is FILE:
        return [(f"log_{index}", line) for queue in queues for _, index, line in queue]
    found = []
    while any(queues):
        queue = min((queue for queue in queues if queue), key=lambda queue: queue[0][:2])
        _, index, line = queue.pop(0)
        found.append((f"log_{index}", line))
    return found


def stamped(seconds: int, text: str) -> str:
    return f"{to_text(START + seconds * 1_000_000)} {text}"


lines = st.one_of(
    st.builds(stamped, st.integers(0, 20), st.sampled_from(["needle", "hay", "hay needle"])),
    st.sampled_from(["  needle", "  at nowhere", ""]),
)
logs = st.lists(lines, max_size=12).map(lambda some: "".join(f"{line}\n" for line in some))
sorted_logs = st.lists(
    st.builds(lambda at, text: (at, text), st.integers(0, 20), st.sampled_from(["needle", "hay"])), max_size=12
).map(lambda some: "".join(f"{stamped(*line)}\n" for line in sorted(some)))  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(logs, min_size=1, max_size=4),
    st.none() | st.just("needle"),
    st.sampled_from(LogOrder),
    st.integers(1, 5),
    st.booleans(),
)
def test_pages_forward_are_the_merged_list(
    texts: list[str], wanted: str | None, order: LogOrder, count: int, edges: bool
) -> None:
    store, files = kept(texts)
    query = LogQuery(LineFilter(wanted), order=order)
    found = asyncio.run(walk(store, files, query, count, back=False, edges=edges))
    assert found == judge(texts, wanted, order)


@settings(deadline=None)
@given(
    st.lists(sorted_logs, min_size=1, max_size=4),
    st.sampled_from(LogOrder),
    st.integers(1, 5),
    st.booleans(),
)
def test_pages_backward_are_the_same_list_where_logs_are_in_order(
    texts: list[str], order: LogOrder, count: int, edges: bool
) -> None:
    store, files = kept(texts)
    query = LogQuery(LineFilter("needle"), order=order)
    found = asyncio.run(walk(store, files, query, count, back=True, edges=edges))
    assert found == judge(texts, "needle", order)


@settings(deadline=None)
@given(st.lists(logs, min_size=1, max_size=4), st.sampled_from(LogOrder), st.integers(1, 5))
def test_pages_backward_skip_and_repeat_nothing(texts: list[str], order: LogOrder, count: int) -> None:
    store, files = kept(texts)
    found = asyncio.run(walk(store, files, LogQuery(order=order), count, back=True))
    for index in range(len(texts)):
        own = [line for id, line in found if id == f"log_{index}"]
        assert own == [line for id, line in judge(texts, None, FILE) if id == f"log_{index}"]


@settings(deadline=None)
@given(st.lists(logs, min_size=1, max_size=3), st.sampled_from(LogOrder), st.data())
def test_a_cursor_parts_the_list_in_two(texts: list[str], order: LogOrder, data: st.DataObject) -> None:
    store, files = kept(texts)
    query = LogQuery(order=order)
    whole = asyncio.run(search_logs(store, files, query, count=1000))
    if not whole.lines:
        return
    at = data.draw(st.integers(0, len(whole.lines) - 1))
    place = repacked(whole.lines[at].place, files)
    after = asyncio.run(search_logs(store, files, query, count=1000, after=place))
    before = asyncio.run(search_logs(store, files, query, count=1000, before=place))
    assert [*shown(before), shown(whole)[at], *shown(after)] == shown(whole)


def test_context_is_shown_once_and_stops_at_the_next_match() -> None:
    text = "".join(f"{stamped(n, 'needle' if n in (3, 5) else 'hay')} {n}\n" for n in range(10))
    store, files = kept([text])
    query = LogQuery(LineFilter("needle"), context=2)
    page = asyncio.run(search_logs(store, files, query, count=10))
    numbers = [(int(found.line.text.rsplit(" ", 1)[1]), found.match) for found in page.lines]
    assert numbers == [(1, False), (2, False), (3, True), (4, False), (5, True), (6, False), (7, False)]
    page = asyncio.run(search_logs(store, files, query, count=1, back=True))
    assert [int(found.line.text.rsplit(" ", 1)[1]) for found in page.lines] == [3, 4, 5, 6, 7]
    assert page.more_before


def test_a_range_of_time() -> None:
    texts = ["".join(f"{stamped(n, 'x')}\n  more\n" for n in range(10)), "no times\n"]
    store, files = kept(texts)
    query = LogQuery(since=START + 3_000_000, until=START + 5_000_000)
    page = asyncio.run(search_logs(store, files, query, count=10))
    assert [text[-6:] for _, text in shown(page)] == [stamped(3, "x")[-6:], "  more", stamped(4, "x")[-6:], "  more"]  # fmt: skip


def test_a_time_is_found_in_a_long_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_STEP", 128)
    text = "".join(f"{stamped(n // 3, str(n))}\n" for n in range(2000))
    store, files = kept([text])
    for second in (0, 1, 17, 300, 665, 666):
        query = LogQuery(since=START + second * 1_000_000)
        page = asyncio.run(search_logs(store, files, query, count=1))
        assert shown(page) == [("log_0", stamped(second, str(second * 3)))]


def test_a_search_that_takes_long_ends_early_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "CHUNK", 64)
    monkeypatch.setattr(rules, "_WINDOW", 64)
    texts = ["".join(f"{stamped(n, 'needle' if n % 7 == index else 'hay')}\n" for n in range(20)) for index in range(3)]  # fmt: skip
    store, files = kept(texts)
    for order in LogOrder:
        for back in (False, True):
            query = LogQuery(LineFilter("needle"), order=order, seconds=0)
            page = asyncio.run(search_logs(store, files, query, count=100, back=back))
            assert page.more_before if back else page.more_after
            found = asyncio.run(walk(store, files, query, 100, back=back))
            # What is not found in time cannot be put between what was; nothing is lost all the same.
            assert sorted(found) == sorted(judge(texts, "needle", order))


def test_a_log_that_grows_is_neither_skipped_nor_repeated() -> None:
    texts = [f"{stamped(1, 'a')}\n", f"{stamped(2, 'b')}\n"]
    store, files = kept(texts)
    page = asyncio.run(search_logs(store, files, LogQuery(), count=10))
    place = repacked(page.lines[-1].place, files)
    store, files = kept([texts[0] + f"{stamped(0, 'late')}\n", texts[1], f"{stamped(3, 'new')}\n"])
    page = asyncio.run(search_logs(store, files, LogQuery(), count=10, after=place))
    assert [text[28:] for _, text in shown(page)] == ["late", "new"]


def test_too_many_files_to_merge() -> None:
    store, files = kept(["x\n"] * (MERGED + 1))
    with pytest.raises(LimitExceeded) as error:
        asyncio.run(search_logs(store, files, LogQuery(), count=1))
    assert error.value.field == "orderBy"
    page = asyncio.run(search_logs(store, files, LogQuery(order=FILE), count=1000))
    assert len(page.lines) == MERGED + 1


def test_the_file_of_a_cursor_is_gone() -> None:
    store, files = kept(["x\n"])
    with pytest.raises(InvalidInput) as error:
        asyncio.run(search_logs(store, files, LogQuery(order=FILE), count=1, after=Place("log_y", 0)))
    assert error.value.field == "after"


async def test_the_logs_of_a_tree(store: Store, recorder: Recorder) -> None:
    await recorder.record(
        "default", [DeclareRun("root", "e", "root", "test"), LogText("root", "a.log", b"x")]
    )
    for name in ("one", "two", "gone"):
        await recorder.record(
            "default",
            [
                DeclareRun(name, "e", name, "test", parent="root", root="root"),
                LogText(name, "rank_0/out.txt", b"x"),
                LogText(name, "rank_1/out.txt", b"x"),
            ],
        )  # fmt: skip
    await recorder.record("default", [TrashRun("gone")])
    workspace = ids.workspace_id("default")
    [run] = await store.get(Run, [ids.run_id(workspace, "root")])
    assert run is not None
    names = {ids.run_id(workspace, name): name for name in ("root", "one", "two")}

    async def listed(below: bool = True, paths: list[str] | None = None, ranks: list[int] | None = None) -> list[str]:  # fmt: skip
        files = await tree_logs(store, run, below=below, paths=paths, ranks=ranks)
        return [f"{names[file.log.run]} {file.log.path}" for file in files]

    assert await listed() == ["root a.log", "one rank_0/out.txt", "one rank_1/out.txt", "two rank_0/out.txt", "two rank_1/out.txt"]  # fmt: skip
    assert await listed(below=False) == ["root a.log"]
    assert await listed(paths=["rank_*/out.txt"], ranks=[1]) == ["one rank_1/out.txt", "two rank_1/out.txt"]
    assert await listed(paths=["a.log", "nothing"]) == ["root a.log"]


async def test_errors_of_a_tree_in_order_of_time(store: Store, recorder: Recorder) -> None:
    await recorder.record("default", [DeclareRun("root", "e", "root", "test")])
    for rank in range(3):
        text = "".join(f"{stamped(10 * n + rank, 'ERROR' if n == 2 - rank else 'INFO')} {rank}\n" for n in range(3))  # fmt: skip
        await recorder.record("default", [LogText("root", f"rank_{rank}.log", text.encode())])
    [run] = await store.get(Run, [ids.run_id(ids.workspace_id("default"), "root")])
    assert run is not None
    files = await tree_logs(store, run)
    query = LogQuery(LineFilter(levels=frozenset({LogLevel.ERROR})))
    page = await search_logs(store, files, query, count=10)
    assert [found.line.text[-1] for found in page.lines] == ["2", "1", "0"]
    page = await search_logs(store, files, replace(query, wanted=LineFilter("info")), count=1, back=True)
    assert [found.line.text[-6:] for found in page.lines] == ["INFO 2"]


class Stuck(Streams):
    """A store that begins to read and never ends."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(texts)
        self.begun, self.ended = 0, 0
        self.busy = asyncio.Event()

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        self.begun += 1
        if self.begun == AT_ONCE:
            self.busy.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1
        return []


@pytest.mark.parametrize("order", LogOrder)
async def test_a_search_that_is_given_up_ends_at_once(order: LogOrder) -> None:
    texts = ["x\n"] * 30
    _, files = kept(texts)
    store = Stuck(texts)
    tasks = len(asyncio.all_tasks())
    search = asyncio.create_task(search_logs(store, files, LogQuery(order=order), count=5))  # type: ignore[arg-type]  # nothing but `read` is asked of it
    await store.busy.wait()
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    # Only so many files were read at once, and nothing goes on behind.
    assert store.begun == store.ended == AT_ONCE
    assert len(asyncio.all_tasks()) == tasks


async def test_logs_that_are_purged_meanwhile_have_no_times() -> None:
    texts = [f"{stamped(1, 'a')}\n", f"{stamped(2, 'b')}\n"]
    _, files = kept(texts)
    gone, _ = kept(["", ""])
    page = await search_logs(gone, files, LogQuery(since=START), count=5)
    assert (page.lines, page.more_after) == ((), False)


class Broken(Streams):
    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        raise StoreUnavailable("it is gone")


async def test_an_error_of_the_store_is_the_error_of_the_search() -> None:
    texts = ["x\n"] * 30
    _, files = kept(texts)
    with pytest.raises(StoreUnavailable):
        await search_logs(Broken(texts), files, LogQuery(), count=5)  # type: ignore[arg-type]  # nothing but `read` is asked of it
