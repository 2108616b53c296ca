"""`python -m benchmarks.publish FILE`: put a run's figures (`--json FILE`) into docs/benchmarks.md, as a table and as a picture."""

from __future__ import annotations

import sys
from html import escape
from math import log10
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter

from benchmarks.figure import Figure, Report
from benchmarks.table import beside, markdown, measured

ROOT = Path(__file__).parent.parent
PAGE, PICTURE = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "images" / "benchmarks.svg"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"

_LEAST, _MOST = -3.0, 3.0
"""Powers of ten between which the axis runs, as shares of the goal."""
_LEFT, _WIDTH, _ROW, _TOP = 400, 520, 34, 62
_MET, _MISSED, _OTHER, _TEXT, _FAINT = "#2a7f4f", "#b3541e", "#3b6ea5", "#24292f", "#d0d7de"


def page(present: str, report: Report) -> str:
    """The text of the page with the report between its markers. Raises ValueError when they are not there once each."""
    if (present.count(BEGIN), present.count(END)) != (1, 1):
        raise ValueError(f"wants one {BEGIN} and one {END}")
    before, rest = present.split(BEGIN)
    machine = " · ".join(f"{name}: {value}" for name, value in report.machine.items())
    return f"{before}{BEGIN}\n\n{machine}.\n\n{markdown(report.figures)}\n{END}{rest.split(END)[1]}"


def picture(report: Report) -> str:
    """An SVG: for each figure with a goal, how much of it is reached, and the same for what stands beside it."""
    figures = [figure for figure in report.figures if figure.goal is not None]
    height = _TOP + _ROW * len(figures) + 40
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 30} {height}" '
            'font-family="system-ui, sans-serif" font-size="12">'
        ),
        (
            f'<rect width="100%" height="100%" fill="white"/><text x="16" y="26" font-size="15" fill="{_TEXT}">'
            "How much of its goal each figure reaches (right of 1: met; logarithmic)</text>"
        ),
        (
            f'<text x="16" y="46" fill="{_TEXT}"><tspan fill="{_MET}">■</tspan> goal met  <tspan fill="{_MISSED}">■</tspan> '
            f'not met  <tspan fill="{_OTHER}">◆</tspan> another tracker, or the machine without us, in the same run</text>'
        ),
    ]
    for power in range(int(_LEAST), int(_MOST) + 1):
        x = _place(10.0**power)
        stroke = f'stroke="{_TEXT}"' if power == 0 else f'stroke="{_FAINT}"'
        parts.append(f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{height - 30}" {stroke}/>')
        parts.append(
            f'<text x="{x}" y="{height - 12}" text-anchor="middle" fill="{_TEXT}">{10.0**power:g}</text>'
        )
    for index, figure in enumerate(figures):
        parts += _row(figure, _TOP + _ROW * index)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(figure: Figure, y: int) -> list[str]:
    end = _place(_reached(figure, figure.median))
    name = figure.what if len(figure.what) <= 62 else figure.what[:61] + "…"
    bar = f'<rect x="{_LEFT}" y="{y + 9}" width="{end - _LEFT:.1f}" height="16" fill="{_MET if figure.met else _MISSED}">'
    parts = [
        (
            f'<text x="{_LEFT - 8}" y="{y + 21}" text-anchor="end" font-size="11" fill="{_TEXT}">'
            f"{escape(figure.workload)} {escape(name)}</text>"
        ),
        f"{bar}<title>{escape(measured(figure.values, figure.unit))}</title></rect>",
    ]
    for other in figure.beside:
        if other.values:
            x, middle = _place(_reached(figure, median(other.values))), y + 17
            parts.append(
                f'<path d="M{x} {middle - 6}L{x + 6} {middle}L{x} {middle + 6}L{x - 6} {middle}Z" fill="{_OTHER}" '
                f'stroke="white"><title>{escape(beside(figure, other))}</title></path>'
            )
    return parts


def _reached(figure: Figure, value: float) -> float:
    assert figure.goal is not None
    return value / figure.goal if figure.more else figure.goal / value


def _place(share: float) -> float:
    power = min(max(log10(share), _LEAST), _MOST)
    return round(_LEFT + (power - _LEAST) / (_MOST - _LEAST) * _WIDTH, 1)


def main(arguments: list[str]) -> None:
    """Read the report, write the page and the picture."""
    [name] = arguments
    report = TypeAdapter(Report).validate_json(Path(name).read_bytes())
    PAGE.write_text(page(PAGE.read_text(), report))
    PICTURE.write_text(picture(report))


if __name__ == "__main__":
    main(sys.argv[1:])
