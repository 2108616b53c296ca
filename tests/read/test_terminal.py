from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.read.ansi import PLAIN, Span, Style
from graphql_runs.read.terminal import WIDTH, Row, render


def shown(text: str) -> list[str]:
    """What a terminal shows of a text."""
    return [row.text for row in rows_of(text)]


def rows_of(text: str, *, spans: bool = False) -> list[Row]:
    return render((((number, number), line) for number, line in enumerate(text.split("\n"))), spans=spans)


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
        ("abcdef\x1b[4D\x1b[1K", ["   def"]),
        ("漢字\rab", ["ab字"]),
        ("漢字\ra", ["a 字"]),
        ("abcd\x1b[3D漢", ["a漢d"]),
        ("ab漢\x1b[1Dx", ["ab x"]),
        ("漢字\x1b[1D\x1b[K", ["漢"]),
        ("e\u0301\rx", ["x"]),
        ("ae\u0301b\x1b[1Dc", ["ae\u0301c"]),
        ("|██████    |\r|█████████ |", ["|█████████ |"]),
        ("a\tb\rX", ["X       b"]),
        ("a\tb\x1b[31m\x1b[0m", ["a\tb"]),
        ("saved\x1b7 away\x1b8!", ["saved!away"]),
        ("one\x1b[s two\x1b[u!", ["one!two"]),
        ("one\ntwo\x1bM!", ["one!", "two"]),
        ("one\ntwo\x1b[A\x1bE!", ["one", "!wo"]),
        ("\x1b[38;5;9mred\x1b[39m", ["red"]),
        ("\x1b[?25l hidden cursor\x1b[?25h", [" hidden cursor"]),
    ],
)
def test_what_a_terminal_shows(written: str, wanted: list[str]) -> None:
    assert shown(written) == wanted


def test_nested_bars_end_as_two_lines() -> None:
    frames = "outer 0%"
    for step in range(5):
        frames += f"\n\rinner {step}\x1b[A\router {step}0%"
    assert shown(frames) == ["outer 40%", "inner 4"]


def test_nested_tqdm_bars_with_text_between() -> None:
    # As tqdm writes them: the inner bar is closed with leave=False and opened again.
    frames = "\router:   0%|          | 0/2"
    for step in range(2):
        for inner in range(3):
            frames += f"\n\rinner: {inner}/3\x1b[A"
        frames += f"\n\r{' ' * 20}\r\x1b[A"
        frames += f"\router:  {50 * (step + 1)}%|#####     | {step + 1}/2"
    assert shown(frames + "\ndone") == ["outer:  100%|#####     | 2/2", "done"]


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


RED = Style(foreground="red")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("plain", []),
        ("a \x1b[31mred\x1b[0m b", [Span(2, 5, RED)]),
        ("\x1b[31mred", [Span(0, 3, RED)]),
        ("\x1b[31mre\x1b[1m\x1b[22md\x1b[39mx", [Span(0, 3, RED)]),
        ("\x1b[31mone\ntwo\x1b[m\nthree", [Span(0, 3, RED)]),
        ("\x1b[31mlong red\x1b[0m\rab", [Span(2, 8, RED)]),
        ("\x1b[31m漢字\x1b[0m\rab", [Span(2, 3, RED)]),
        ("\x1b[31mred\x1b[0m\x1b[2D\x1b[K", [Span(0, 1, RED)]),
        ("\x1b[31mred   \x1b[0m", [Span(0, 3, RED)]),
        ("\x1b[1;4;7mx", [Span(0, 1, Style(bold=True, underline=True, inverse=True))]),
        ("\x1b[38;5;208;48;2;1;2;3mx", [Span(0, 1, Style("#ff8700", "#010203"))]),
        ("\x1b[38:2::255:0:0mx", [Span(0, 1, Style("#ff0000"))]),
        ("\x1b[91;104mx", [Span(0, 1, Style("bright_red", "bright_blue"))]),
        ("\x1b[38;5;244mx", [Span(0, 1, Style("#808080"))]),
        ("\x1b[2;3;9mx\x1b[23;29my", [Span(0, 1, Style(dim=True, italic=True, strike=True)), Span(1, 2, Style(dim=True))]),
        ("\x1b[;mx", []),
        ("\x1b[38;5mx\x1b[38;2;1mx\x1b[999mx", []),
    ],
)  # fmt: skip
def test_spans(written: str, wanted: list[Span]) -> None:
    assert list(rows_of(written, spans=True)[0].spans) == wanted


def test_a_colour_lasts_until_it_is_taken_back() -> None:
    rows = rows_of("\x1b[31mone\ntwo\x1b[m\nthree", spans=True)
    assert [list(row.spans) for row in rows] == [[Span(0, 3, RED)], [Span(0, 3, RED)], []]


painted = st.lists(
    st.sampled_from(
        ["a", "bc", "def ", " ", "漢", "é", "e\u0301", "\t", "\r", "\r", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[32m", "\x1b[1;41m",
         "\x1b[0m", "\n", "\x1b[A", "\x1b[B", "\x1b[2C", "\x1b[D", "\b", "\x07", "\x1b7", "\x1b8", "\x1bM", "\x1b[J", "\x1b[5G", "\x1b[38;5m"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(painted)
def test_colours_change_nothing_of_the_text(written: str) -> None:
    rows = rows_of(written, spans=True)
    assert [row.text for row in rows] == shown(written)
    for row in rows:
        places = [place for span in row.spans for place in (span.start, span.end)]
        assert places == sorted(places)
        assert all(0 <= span.start < span.end <= len(row.text) for span in row.spans)
        assert all(span.style != PLAIN for span in row.spans)


def test_drawing_in_the_middle_of_a_long_line_again_and_again() -> None:
    long = "x" * 200_000
    [text] = shown(long + "\b\bYZ" * 100_000)
    # Each pair goes back by two and ends where it began.
    assert text == long[:-2] + "YZ"
