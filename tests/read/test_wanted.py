from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphql_runs.model.records import LogFile
from graphql_runs.model.regex import compiled
from graphql_runs.read import lines as rules
from graphql_runs.read import logtext
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.lines import Line, LogView, page_lines
from graphql_runs.read.wanted import EVERYTHING, LineFilter, plain
from graphql_runs.store.port import Item, Store


class Bytes:
    """The one stream of a store that holds a log."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        return [item for item in self.items if item.end > start and (end is None or item.start < end)]


def kept(data: bytes, cuts: list[int]) -> tuple[Store, LogFile]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    items = [Item(start, end, data[start:end], data[:start].count(b"\n")) for start, end in pairwise(places)]
    log = LogFile("log_x", "run_x", "run_x", "out.txt", size=len(data), lines=data.count(b"\n"))
    return Bytes(items), log  # type: ignore[return-value]  # nothing but `read` is asked of it


pieces = st.sampled_from(
    [
        b"a", b"b", b"abc", b"ABC", b"error", b"ERROR", b"INFO ", b"W0804 22:15:44", b"<11>", b'{"level":30}', b'{"level":"warn"}',
        b"Traceback (most recent call last):", b"ValueError: ", b"\n", b"\n\n", b"\r", b"\r\n", b"\x1b[A", b"\x1b[1m", b"\x1b[0m",
        b"\x1b[K", b"\x07", b"\t", "é".encode(), "漢".encode(), b"\xff", b"\xc3", b"0123456789",
    ]
)  # fmt: skip
texts = st.lists(pieces, max_size=80).map(b"".join)
regexes = st.sampled_from(
    [
        "a",
        "^a",
        "c$",
        "^$",
        "a*",
        "[^b]*c",
        "a|ERROR",
        "(?i)error",
        "(?s)a.c",
        r"\bb",
        r"\d{3}",
        ".",
        "é",
        r"\\A",
        "[^a]",
        r"\s",
        "^",
    ]
)
filters = st.builds(
    LineFilter,
    st.none() | st.sampled_from(["a", "B", "abc", "é", "\ufffd", "or", "\t", "a\nb", "1234"]),
    st.none() | st.frozensets(st.sampled_from(LogLevel)),
    st.none() | regexes.map(compiled),
    st.booleans(),
)


def all_lines(store: Store, log: LogFile, view: LogView, wanted: LineFilter) -> list[Line]:
    page = asyncio.run(page_lines(store, log, view, first=10_000, wanted=wanted))
    assert not page.more_after
    return list(page.lines)


@settings(deadline=None)
@given(texts, st.sampled_from(LogView), filters, st.lists(st.integers(0, 500), max_size=5))
@example(b"\x07a\nb\n", LogView.RENDERED, LineFilter("a"), [])
@example(b"a\r\nc\r\n", LogView.RENDERED, LineFilter(regex=compiled("c$")), [])
def test_searching_finds_what_looking_at_every_line_finds(
    data: bytes, view: LogView, wanted: LineFilter, cuts: list[int]
) -> None:
    # Small bounds, so that short texts meet the rules of long ones.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "CHUNK", 64)
        patch.setattr(rules, "_WINDOW", 256)
        patch.setattr(logtext, "CUT", 512)
        patch.setattr(logtext, "_NEAR", 32)
        store, log = kept(data, cuts)
        every = all_lines(store, log, view, EVERYTHING)
        assert all_lines(store, log, view, wanted) == [line for line in every if wanted.holds(line)]


@given(st.binary(max_size=300))
def test_plain_is_without_controls(data: bytes) -> None:
    controls = {*range(9), *range(11, 32), 127}
    assert plain(data) == (not controls & set(data))


def test_plain_looks_at_all_of_it() -> None:
    assert plain(b"x" * 200_000)
    assert not plain(b"x" * 200_000 + b"\x1b")


def test_case_matters_only_when_asked() -> None:
    line = Line(0, 1, "Out Of Memory É")
    assert LineFilter("out of memory").holds(line)
    assert not LineFilter("out of memory", match_case=True).holds(line)
    assert LineFilter("Out Of", match_case=True).holds(line)
    assert not LineFilter("é").holds(line)


def test_a_character_torn_by_a_cut_belongs_to_the_piece_before() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logtext, "CUT", 64)
        patch.setattr(logtext, "_NEAR", 16)
        patch.setattr(rules, "CHUNK", 32)
        for shift in range(4):
            text = "x" * shift + "漢é😀" * 40
            store, log = kept(text.encode(), [])
            found = all_lines(store, log, LogView.RAW, EVERYTHING)
            assert len(found) > 3
            assert "".join(line.text for line in found) == text
