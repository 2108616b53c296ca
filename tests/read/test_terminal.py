from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.read.terminal import WIDTH, render


def shown(text: str) -> list[str]:
    """What a terminal shows of a text."""
    return [
        row.text for row in render(((number, number), line) for number, line in enumerate(text.split("\n")))
    ]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("plain", ["plain"]),
        ("one\ntwo", ["one", "two"]),
        ("dos\r\nlines\r", ["dos", "lines"]),
        ("10%\r100%", ["100%"]),
        ("long line\rshort", ["shortline"]),
        ("long line\r\x1b[Kshort", ["short"]),
        ("long line\rshort\x1b[K", ["short"]),
        ("gone\x1b[2K\rhere", ["here"]),
        ("abc\b\bX", ["aXc"]),
        ("\x1b[1;31mred\x1b[0m text", ["red text"]),
        ("\x1b]0;title\x07text", ["text"]),
        ("\x1b(Btext", ["text"]),
        ("be\x07ep\x00", ["beep"]),
        ("a\x1b[3Cb", ["a   b"]),
        ("abc\x1b[2Dx", ["axc"]),
        ("abc\x1b[1Gx", ["xbc"]),
        ("  50% \r       \r", [""]),
        ("tab\tkept", ["tab\tkept"]),
        ("cut off \x1b[", ["cut off"]),
        ("first\nsecond\x1b[Aup", ["first up", "second"]),
        ("first\nsecond\x1b[1A\rFIRST\nthird", ["FIRST", "thirdd"]),
        ("a\nb\nc\x1b[2A\r\x1b[JX", ["X", "", ""]),
        ("top\x1b[9Astill", ["topstill"]),
        ("a\nb\x1b[A\x1b[5B\rc", ["a", "c"]),
        ("a\nb\x1b[Fx\x1b[Ey", ["x", "y"]),
    ],
)
def test_what_a_terminal_shows(written: str, wanted: list[str]) -> None:
    assert shown(written) == wanted


def test_nested_bars_end_as_two_lines() -> None:
    frames = "outer 0%"
    for step in range(5):
        frames += f"\n\rinner {step}\x1b[A\router {step}0%"
    assert shown(frames) == ["outer 40%", "inner 4"]


def test_rows_carry_the_key_of_the_line_that_began_them() -> None:
    rows = render([((0, 1), "outer"), ((6, 2), "inner\x1b[A"), ((20, 3), "inner again")])
    assert [(row.key, row.text) for row in rows] == [((0, 1), "outer"), ((6, 2), "inner again")]


def test_the_cursor_is_not_sent_to_the_end_of_the_world() -> None:
    [text] = shown("\x1b[999999999Cx\x1b[99999999999999999999Cy")
    assert len(text) <= WIDTH + 3


@given(st.text(alphabet=st.sampled_from(list("ab \t\r\b\x1b[]0123;AKJmBCDG\n\x07é漢"))))
def test_anything_may_be_written(written: str) -> None:
    rows = shown(written)
    assert 1 <= len(rows) <= written.count("\n") + 1
    assert not any(letter in row for row in rows for letter in "\x1b\r\b\n")


redrawn = st.lists(
    st.sampled_from(["a", "bc", "def ", "\r", "\r", "\x1b[K", "\x1b[32m", "\x1b[0m"]), max_size=25
).map("".join)


@given(st.lists(redrawn, min_size=1, max_size=4))
def test_the_quick_way_of_redrawn_lines_is_the_slow_way(lines: list[str]) -> None:
    # A bell is shown by nothing, but lines with one are carried out step by step.
    quick = "\n".join("\r" + line for line in lines)
    assert shown(quick) == shown("\n".join("\r" + line + "\x07" for line in lines))


def test_a_bar_that_was_redrawn_a_million_times() -> None:
    assert shown("\r".join(f"{n:>7}/1000000" for n in range(1_000_000))) == [" 999999/1000000"]


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_plain_text_is_shown_as_it_is(written: str) -> None:
    assert shown(written) == [written]
