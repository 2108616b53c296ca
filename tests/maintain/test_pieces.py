"""Cutting and joining items moves no row and changes no value."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.maintain import pieces
from graphql_runs.maintain.pieces import Damage, cut, decoded, joined
from graphql_runs.store import segment
from graphql_runs.store.port import Item

METRIC, LOG = "metric_x", "log_x"


def a_segment(start: int, kind: str, length: int) -> Item:
    values: dict[str, Any] = {
        "float": np.arange(start, start + length) + 0.5,
        "int": np.arange(start, start + length, dtype=np.int64) + 2**60,
        "text": np.array([*("ä" * (start % 5) for _ in range(length)), None], dtype=object)[:-1],
        "bool": np.arange(length) % 2 == 0,
    }
    steps = np.arange(start, start + length) if kind == "float" else None
    at = np.full(length, start, dtype=np.int64)
    return Item(start, start + length, segment.encode({"value": values[kind]}, steps, at))


def segments(shapes: Sequence[tuple[str, int]]) -> list[Item]:
    found: list[Item] = []
    for kind, length in shapes:
        found.append(a_segment(found[-1].end if found else 0, kind, length))
    return found


def texts(parts: Sequence[bytes]) -> list[Item]:
    found: list[Item] = []
    lines = 0
    for part in parts:
        start = found[-1].end if found else 0
        found.append(Item(start, start + len(part), part, lines))
        lines += part.count(b"\n")
    return found


async def given_one_by_one(items: Sequence[Item]) -> AsyncIterator[Item]:
    for item in items:
        yield item


async def all_joined(stream: str, items: Sequence[Item]) -> list[Item]:
    return [item async for item in joined(stream, given_one_by_one(items))]


def rows(items: Sequence[Item]) -> list[str]:
    """Each row with the type of its value and its step."""
    found = []
    for item in items:
        points = decoded(METRIC, item)
        [values] = points.columns.values()
        for row in range(len(points)):
            step = None if points.steps is None else points.steps[row]
            found.append(
                f"{points.start + row} {values.dtype.kind} {values[row]!r} {step!r} {points.at[row]!r}"
            )
    return found


SHAPES = st.lists(st.tuples(st.sampled_from(["float", "int", "text", "bool"]), st.integers(1, 7)), min_size=1)


@settings(deadline=None)
@given(SHAPES)
async def test_joined_points_are_the_same_points(shapes: list[tuple[str, int]]) -> None:
    items = segments(shapes)
    together = await all_joined(METRIC, items)
    assert rows(together) == rows(items)
    kinds = [kind for kind, _ in shapes]
    assert len(together) == 1 + sum(one != other for one, other in itertools.pairwise(kinds))


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1))
async def test_joined_text_is_the_same_text(parts: list[bytes]) -> None:
    [item] = await all_joined(LOG, texts(parts))
    assert item == Item(0, sum(map(len, parts)), b"".join(parts), 0)


@settings(deadline=None)
@given(SHAPES, st.data())
def test_a_cut_gives_exactly_the_rows_in_between(shapes: list[tuple[str, int]], data: st.DataObject) -> None:
    for item in segments(shapes):
        start = data.draw(st.integers(0, item.end - 1))
        end = data.draw(st.integers(max(start, item.start) + 1, item.end + 3))
        part = cut(METRIC, item, start, end)
        assert (part.start, part.end) == (max(start, item.start), min(end, item.end))
        assert rows([part]) == rows([item])[part.start - item.start : part.end - item.start]


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\x00", b"\n")), st.data())
def test_a_cut_text_knows_the_lines_before_it(text: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    part = cut(LOG, Item(100, 100 + len(text), text, 7), 100 + start, 100 + end)
    assert part == Item(100 + start, 100 + end, text[start:end], 7 + text[:start].count(b"\n"))


async def test_large_items_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = a_segment(0, "float", 5000)
    monkeypatch.setattr(pieces, "LARGEST", len(whole.data) // 3)
    split = await all_joined(METRIC, [whole])
    assert len(split) > 3
    assert all(len(item.data) <= pieces.LARGEST for item in split)
    assert rows(split) == rows([whole])
    text = b"some lines\n" * 10_000
    split = await all_joined(LOG, [Item(0, len(text), text)])
    assert b"".join(item.data for item in split) == text
    assert [item.mark for item in split] == [text[: item.start].count(b"\n") for item in split]


def test_damage_is_named() -> None:
    item = a_segment(5, "float", 3)
    with pytest.raises(Damage, match=r"metric_x is damaged: 3 points for rows \[5, 9\)"):
        decoded(METRIC, Item(5, 9, item.data))
    with pytest.raises(Damage, match=r"metric_x is damaged: rows \[5, 8\)"):
        cut(METRIC, Item(5, 8, b"garbage"), 6, 8)
