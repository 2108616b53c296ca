"""What a figure says of itself, and how it is shown."""

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from benchmarks.figure import Beside, Figure, Report
from benchmarks.machine import machine
from benchmarks.publish import BEGIN, END, page, picture
from benchmarks.table import markdown, number, table

RATE = Figure(
    workload="W1",
    what="calls",
    unit="calls/s",
    values=(900.0, 2000.0, 1000.0),
    more=True,
    checked="all read back",
    goal=1500,
    beside=(Beside("the disk", (4000.0, 2000.0, 8000.0)), Beside("a peer", (), "not installed")),
)
TIME = Figure(
    "W2",
    "history",
    "ms",
    (9.0, 10.0, 12.5),
    more=False,
    checked="exact",
    goal=30,
    beside=(Beside("a peer", (500.0,)),),
)
SHOWN = Figure("W2", "a | b", "ms", (1.0,), more=False, checked="exact")


def shown(*figures: Figure) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(table(figures))
    return out.getvalue()


def test_a_goal_is_met_in_its_own_direction() -> None:
    assert (RATE.median, RATE.met) == (1000.0, False)
    assert (TIME.median, TIME.met) == (10.0, True)
    assert SHOWN.met is None


def test_a_ratio_says_how_many_times_better_ours_is() -> None:
    assert RATE.ratio(RATE.beside[0]) == 0.25
    assert TIME.ratio(TIME.beside[0]) == 50
    assert RATE.ratio(RATE.beside[1]) is None


def test_the_table_shows_spread_goal_and_comparison() -> None:
    text = shown(RATE, TIME, SHOWN)
    for part in (
        "1,000 calls/s (900–2,000)",
        "≥ 1,500 calls/s",
        "≤ 30.0 ms",
        "the disk 4,000 calls/s: ×0.25",
        "×50.0",
    ):
        assert part in text
    assert "a peer: not installed" in text


def test_markdown_has_a_row_a_figure() -> None:
    lines = markdown((RATE, TIME, SHOWN)).splitlines()
    assert len(lines) == 5
    assert "**no**" in lines[2]
    assert "| yes |" in lines[3]
    assert "a \\| b" in lines[4]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0042, "0.0042"),
        (0.42, "0.42"),
        (4.207, "4.21"),
        (9.999, "10.0"),
        (42.07, "42.1"),
        (99.97, "100"),
        (4210.0, "4,210"),
        (9994.0, "9,994"),
        (12_345.0, "12.3k"),
        (999_499.0, "999k"),
        (999_999.0, "1.00M"),
        (1_234_567.0, "1.23M"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_a_report_goes_between_the_markers_of_the_page(tmp_path: Path) -> None:
    report = Report(machine(tmp_path), False, (RATE, TIME))
    once = page(f"before\n{BEGIN}\nold\n{END}\nafter\n", report)
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert report.machine["Python"] in once
    assert page(once, report) == once
    with pytest.raises(ValueError, match="wants one"):
        page("no markers", report)


def test_the_picture_has_a_bar_a_goal_and_a_mark_a_comparison() -> None:
    report = Report({}, False, (RATE, TIME, SHOWN))
    tree = ElementTree.fromstring(picture(report))
    name = "{http://www.w3.org/2000/svg}"
    assert len([bar for bar in tree.iter(f"{name}rect") if bar.get("height") == "16"]) == 2
    assert len(list(tree.iter(f"{name}path"))) == 2
