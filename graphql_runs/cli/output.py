"""What commands show: tables, a progress bar, errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.progress import Progress


def table(header: Sequence[str] | None, rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(*(header or ()), box=None, header_style="bold", show_header=header is not None)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)


@contextmanager
def progress() -> Iterator[tuple[Progress, Any]]:
    """A bar on the terminal's error stream; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress, progress.add_task("opening", total=None)


def interrupted(what: str) -> NoReturn:
    """End because of Ctrl-C; `what` says what that means."""
    typer.echo(f"graphql-runs: interrupted; {what}", err=True)
    raise typer.Exit(130)


def fail(error: Exception) -> NoReturn:
    """End with an error."""
    typer.echo(f"graphql-runs: {error}", err=True)
    raise typer.Exit(1) from error
