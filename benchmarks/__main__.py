"""`python -m benchmarks [NAMES…]`: measure, and print a table with the goal beside each figure."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.bulk import bulk
from benchmarks.crowd import crowd
from benchmarks.figure import Figure, Report, Wrong
from benchmarks.history import chart, history, memory
from benchmarks.large import large
from benchmarks.lines import lines
from benchmarks.machine import disk_folder, environment, machine
from benchmarks.mlflow import clients, database
from benchmarks.names import names as wide
from benchmarks.page import page
from benchmarks.peers import Peers
from benchmarks.push import many, one
from benchmarks.replay import LoadGenerator
from benchmarks.start import start
from benchmarks.stream import stream
from benchmarks.table import table
from benchmarks.tfevents import logdir, tfevents
from benchmarks.writers import writers

WORKLOADS: dict[str, Callable[[Bench], list[Figure]]] = {
    "W1": stream,
    "W1b": bulk,
    "W1c": writers,
    "W2": history,
    "W2b": chart,
    "W2c": memory,
    "W3": page,
    "W4": one,
    "W4b": many,
    "W5b": lines,
    "W6": start,
    "W7": crowd,
    "W8": wide,
    "W9": large,
    "W10": tfevents,
    "W11": logdir,
    "W12": database,
    "W13": clients,
}
ONLY_BY_NAME = {"W9"}
"""Workloads that take so much disk and time that they run only when asked for."""


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]…",
            help=f"Workloads: {' '.join(WORKLOADS)}; if none is given, all but {' '.join(ONLY_BY_NAME)}.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option(help="Less of everything and no peers; to see that it runs, not for figures.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write all values to this file as well.")] = None,
    peers: Annotated[
        bool, typer.Option(help="Measure other trackers too, through uv, where they can be had.")
    ] = True,
) -> None:
    """Measure the server beside its goals, the limits of the machine, and other trackers.

    Every answer is checked; a wrong one ends the run with an error. A goal that is not met does not.
    """
    known = {name.lower(): name for name in WORKLOADS}
    if unknown := [name for name in names or [] if name.lower() not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(WORKLOADS)}")
    wanted = [known[name.lower()] for name in names or WORKLOADS.keys() - ONLY_BY_NAME]
    wanted.sort(key=list(WORKLOADS).index)
    console = Console(stderr=True)
    try:
        report = measure(wanted, quick=quick, peers=peers and not quick, console=console)
    except Wrong as wrong:
        console.print(f"[bold red]wrong:[/] {wrong}", highlight=False)
        raise typer.Exit(1) from wrong
    # A file or a pipe has no width of its own.
    out = Console() if sys.stdout.isatty() else Console(width=160)
    out.print(
        " · ".join(f"{name} {value}" for name, value in report.machine.items()), highlight=False, style="dim"
    )
    out.print(table(report.figures))
    out.print(
        "×N: ours is N times as good. Peers keep less safe than we do where docs/benchmarks.md says so.",
        style="dim",
    )
    out.print(
        f"Repeat a workload: {'  '.join(f'uv run just bench {name}' for name in wanted)}",
        style="dim",
        highlight=False,
    )
    if json is not None:
        json.write_bytes(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2))


def measure(wanted: list[str], *, quick: bool, peers: bool, console: Console) -> Report:
    """Run these workloads. Raises Wrong when an answer is not what it has to be."""
    with (
        tempfile.TemporaryDirectory(prefix="graphql-runs-bench-", dir=disk_folder()) as name,
        LoadGenerator() as load,
    ):
        folder = Path(name)
        surroundings = environment(folder)
        bench = Bench(folder, quick, load, console, Peers(folder, surroundings, console, peers), surroundings)
        figures = [figure for workload in wanted for figure in WORKLOADS[workload](bench)]
        return Report(machine(folder), quick, tuple(figures))


if __name__ == "__main__":
    typer.run(main)
