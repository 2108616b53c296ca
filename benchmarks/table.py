"""The table of a report, for a terminal and for a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import RenderableType
from rich.table import Table

from benchmarks.figure import Beside, Figure


def table(figures: Sequence[Figure]) -> RenderableType:
    """Every figure with its spread, goal and what stands beside it, a section per workload."""
    out = Table("workload", "figure", "median (min–max)", "goal", "met", "beside it", header_style="bold")
    out.columns[2].justify = out.columns[3].justify = "right"
    last = None
    for figure in figures:
        if last not in (None, figure.workload):
            out.add_section()
        out.add_row(
            "" if figure.workload == last else figure.workload,
            figure.what,
            measured(figure.values, figure.unit),
            goal(figure),
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[figure.met],
            "\n".join(beside(figure, other) for other in figure.beside),
        )
        last = figure.workload
    return out


def markdown(figures: Sequence[Figure]) -> str:
    """The same as a Markdown table."""
    rows = [
        "| workload | figure | median (min–max) | goal | met | beside it |",
        "|---|---|---:|---:|---|---|",
    ]
    for figure in figures:
        cells = (
            figure.workload,
            figure.what,
            measured(figure.values, figure.unit),
            goal(figure),
            {True: "yes", False: "**no**", None: ""}[figure.met],
            "<br>".join(beside(figure, other) for other in figure.beside),
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def measured(values: Sequence[float], unit: str) -> str:
    """Median, least and greatest."""
    return f"{number(median(values))} {unit} ({number(min(values))}–{number(max(values))})"


def goal(figure: Figure) -> str:
    """The goal with its direction, empty without one."""
    if figure.goal is None:
        return ""
    return f"{'≥' if figure.more else '≤'} {number(figure.goal)} {figure.unit}"


def beside(figure: Figure, other: Beside) -> str:
    """One comparison: its median, and how many times better ours is."""
    ratio = figure.ratio(other)
    if ratio is None:
        return f"{other.name}: {other.note}"
    note = f" ({other.note})" if other.note else ""
    return f"{other.name}{note} {number(median(other.values))} {figure.unit}: ×{number(ratio)}"


def number(value: float) -> str:
    """Three digits, as people read them: 0.042, 4.21, 42.1, 421, 4,210, 42.1k, 4.21M."""
    for least, divisor, suffix in ((999_500, 1e6, "M"), (9_995, 1e3, "k")):
        if value >= least:
            return f"{_digits(value / divisor)}{suffix}"
    return _digits(value)


def _digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"
