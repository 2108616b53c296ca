from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.records import LogFile
from graphql_runs.read import budget, logtext
from graphql_runs.read import lines as rules
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.lines import Line, LinePage, LogView, page_lines
from graphql_runs.read.wanted import LineFilter
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Item, Store

RAW, RENDERED = LogView.RAW, LogView.RENDERED
RUN = ids.run_id(ids.workspace_id("default"), "run")


@dataclass
class Bytes:
    """The one stream of a store that holds a log, in items cut at any places."""

    items: list[Item]

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        return [item for item in self.items if item.end > start and (end is None or item.start < end)]


def kept(data: bytes, cuts: list[int]) -> tuple[Store, LogFile]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    items = [Item(start, end, data[start:end], data[:start].count(b"\n")) for start, end in pairwise(places)]
    log = LogFile("log_x", "run_x", "run_x", "out.txt", size=len(data), lines=data.count(b"\n"))
    return Bytes(items), log  # type: ignore[return-value]  # nothing but `read` is asked of it


def all_pages(data: bytes, view: LogView, count: int, cuts: list[int], *, back: bool) -> list[Line]:
    """Every line, a page at a time from one end."""
    store, log = kept(data, cuts)
    found: list[Line] = []
    place: int | None = None

    async def page() -> LinePage:
        if back:
            return await page_lines(store, log, view, last=count, before=place)
        return await page_lines(store, log, view, first=count, after=place)

    while True:
        got = asyncio.run(page())
        assert len(got.lines) <= count
        found = [*got.lines, *found] if back else [*found, *got.lines]
        if not (got.more_before if back else got.more_after):
            return found
        assert got.lines
        place = got.lines[0].offset if back else got.lines[-1].offset


pieces = st.sampled_from(
    [b"a", b"bc", b"\n", b"\n\n", b"\r", b"\x1b[A", b"\x1b[K", "é".encode(), b"\xff", b"0123456789"]
)
texts = st.lists(pieces, max_size=60).map(b"".join)


@given(texts, st.integers(1, 9), st.lists(st.integers(0, 500), max_size=5))
def test_raw_lines_are_the_file(data: bytes, count: int, cuts: list[int]) -> None:
    found = all_pages(data, RAW, count, cuts, back=False)
    wanted = data.split(b"\n")
    if not wanted[-1]:
        wanted.pop()
    assert [line.text for line in found] == [text.decode("utf-8", "replace") for text in wanted]
    assert [line.number for line in found] == list(range(1, len(wanted) + 1))
    for line, text in zip(found, wanted, strict=True):
        assert data[line.offset :].startswith(text)


@settings(deadline=None)
@given(texts, st.sampled_from(LogView), st.integers(1, 9), st.lists(st.integers(0, 500), max_size=5))
def test_both_ways_show_the_same_lines(data: bytes, view: LogView, count: int, cuts: list[int]) -> None:
    # Small bounds, so that short texts meet the rules of long ones.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "CHUNK", 32)
        patch.setattr(rules, "_WINDOW", 64)
        patch.setattr(logtext, "CUT", 48)
        patch.setattr(logtext, "_NEAR", 16)
        forward = all_pages(data, view, count, cuts, back=False)
        assert forward == all_pages(data, view, count, [], back=True)
        assert forward == all_pages(data, view, 1000, cuts, back=False)
        offsets = [line.offset for line in forward]
        assert offsets == sorted(set(offsets))


@given(st.lists(st.integers(0, 400), max_size=12), st.lists(st.integers(0, 3000), max_size=5))
@example([239, 400, 1], [])
@example([64, 128, 64], [])
def test_long_lines_come_in_pieces_that_join_to_the_file(lengths: list[int], cuts: list[int]) -> None:
    data = b"\n".join(bytes([97 + index % 26]) * length for index, length in enumerate(lengths))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logtext, "CUT", 64)
        patch.setattr(logtext, "_NEAR", 16)
        patch.setattr(rules, "CHUNK", 32)
        found = all_pages(data, RAW, 5, cuts, back=False)
        assert "".join(line.text + ("" if line.continues else "\n") for line in found).removesuffix(
            "\n"
        ) == data.decode().removesuffix("\n")
        assert all(len(line.text) <= 128 for line in found)
        numbers = [line.number for line in found]
        assert numbers == sorted(numbers)
        # A file that is still growing never changes where its lines start.
        for size in (len(data) // 3, len(data) // 2):
            earlier = all_pages(data[:size], RAW, 100, cuts, back=False)
            assert [line.offset for line in earlier] == [line.offset for line in found if line.offset < size]


@pytest.fixture
async def write(recorder: Recorder, store: Store) -> Write:
    await recorder.record("default", [DeclareRun("run", "e", "run", "test")])
    return Write(recorder, store)


@dataclass
class Write:
    recorder: Recorder
    store: Store

    async def __call__(self, *parts: bytes) -> LogFile:
        for part in parts:
            await self.recorder.record("default", [LogText("run", "out.txt", part)])
        [log] = await self.store.get(LogFile, [ids.log_id(RUN, "out.txt")])
        assert log is not None
        return log


def texts_of(page: LinePage) -> list[str]:
    return [line.text for line in page.lines]


async def test_the_tail_of_a_log(write: Write, store: Store) -> None:
    log = await write(*(f"line {number}\n".encode() for number in range(30)), b"open")
    page = await page_lines(store, log, last=3)
    assert texts_of(page) == ["line 28", "line 29", "open"]
    assert [line.number for line in page.lines] == [29, 30, 31]
    assert (page.more_before, page.more_after) == (True, False)
    page = await page_lines(store, log, last=2, before=page.lines[0].offset)
    assert texts_of(page) == ["line 26", "line 27"]
    page = await page_lines(store, log, first=2, after=page.lines[0].offset)
    assert texts_of(page) == ["line 27", "line 28"]
    page = await page_lines(store, log, first=100)
    assert (len(page.lines), page.more_before, page.more_after) == (31, False, False)


async def test_a_progress_bar_is_one_line(write: Write, store: Store) -> None:
    log = await write(b"start\n", b" 10%|#   |\r", b" 50%|##  |\r", b"100%|####|\n", b"\x1b[32mdone\x1b[0m\n")
    page = await page_lines(store, log, RENDERED, first=10)
    assert texts_of(page) == ["start", "100%|####|", "done"]
    raw = await page_lines(store, log, RAW, first=10)
    assert texts_of(raw)[1] == " 10%|#   |\r 50%|##  |\r100%|####|"
    assert [line.offset for line in raw.lines] == [line.offset for line in page.lines]


async def test_filters(write: Write, store: Store) -> None:
    log = await write(b"INFO one\nERROR two\nplain\nWARNING Two again\n", "ERROR zwölf\n".encode())
    page = await page_lines(store, log, first=10, wanted=LineFilter(contains="TWO"))
    assert texts_of(page) == ["ERROR two", "WARNING Two again"]
    page = await page_lines(store, log, last=1, wanted=LineFilter(levels=frozenset({LogLevel.ERROR})))
    assert texts_of(page) == ["ERROR zwölf"]
    assert page.more_before
    page = await page_lines(store, log, first=10, wanted=LineFilter("zwölf", frozenset({LogLevel.ERROR})))
    assert texts_of(page) == ["ERROR zwölf"]
    assert not (await page_lines(store, log, first=10, wanted=LineFilter("nowhere"))).lines


async def test_rendering_comes_before_filtering(write: Write, store: Store) -> None:
    log = await write(b"se\x1b[1mcret\x1b[0m word\n", b"wrong\rright\n")
    assert texts_of(await page_lines(store, log, first=9, wanted=LineFilter("secret"))) == ["secret word"]
    assert texts_of(await page_lines(store, log, first=9, wanted=LineFilter("wrong"))) == []
    assert texts_of(await page_lines(store, log, RAW, first=9, wanted=LineFilter("wrong"))) == [
        "wrong\rright"
    ]


async def test_a_long_search_ends_early_and_says_where(
    write: Write, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "SCAN_BYTES", 20_000)
    log = await write(b"needle\n", b"hay\n" * 200_000, b"needle\n")
    wanted = LineFilter("needle")
    page = await page_lines(store, log, last=2, wanted=wanted)
    assert (texts_of(page), page.more_before) == (["needle"], True)
    assert page.reached is not None
    page = await page_lines(store, log, last=1, before=page.reached, wanted=wanted)
    assert (texts_of(page), page.more_before) == ([], True)
    found: list[str] = []
    after = None
    while True:
        page = await page_lines(store, log, first=5, after=after, wanted=wanted)
        found += texts_of(page)
        if not page.more_after:
            break
        assert page.reached is not None
        after = page.reached - 1
    assert found == ["needle", "needle"]


async def test_a_page_of_long_lines_ends_early(
    write: Write, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "PAGE_BYTES", 1000)
    log = await write(b"".join(letter * 600 + b"\n" for letter in (b"a", b"b", b"c")))
    page = await page_lines(store, log, first=3)
    assert (len(page.lines), page.more_after) == (1, True)
    page = await page_lines(store, log, last=3)
    assert (texts_of(page)[0][0], page.more_before) == ("c", True)


async def test_an_empty_log(write: Write, store: Store) -> None:
    log = await write(b"")
    for page in (await page_lines(store, log, first=5), await page_lines(store, log, last=5)):
        assert page == LinePage((), False, False)


async def test_bytes_that_are_no_text(write: Write, store: Store) -> None:
    log = await write(b"\x80\xff\x00binary\n")
    assert texts_of(await page_lines(store, log, RAW, first=1)) == ["\ufffd\ufffd\x00binary"]
    assert texts_of(await page_lines(store, log, RENDERED, first=1)) == ["\ufffd\ufffdbinary"]


@pytest.mark.parametrize("options", [{}, {"first": 1, "last": 1}])
async def test_one_end_has_to_be_named(write: Write, store: Store, options: dict[str, int]) -> None:
    log = await write(b"x\n")
    with pytest.raises(InvalidInput) as error:
        await page_lines(store, log, **options)  # type: ignore[arg-type]  # the numbers are first and last
    assert error.value.field in {"first", "last"}


def test_a_line_says_its_level_and_time() -> None:
    line = Line(0, 1, "2026-01-31 12:00:00 ERROR no")
    assert (line.level, line.at) == (LogLevel.ERROR, 1769860800_000_000)
