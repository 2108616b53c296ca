"""The commands that look after a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphql_runs.cli.output import fail, interrupted, progress, table

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

StorePlace = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE", help="sqlite:///FILE or mongodb://HOST/DATABASE.  [default: as `serve` has it]"
    ),
]


@app.command("copy")
def store_copy(
    source: Annotated[str, typer.Argument(help="Address of the store to read.")],
    target: Annotated[
        str, typer.Argument(help="Address of the store to fill: a new one, or one that such a copy began.")
    ],
) -> None:
    """Copy everything of one store into another one, of the same kind or not, and compare both.

    Addresses are sqlite:///FILE or mongodb://HOST/DATABASE. Cut off, the same command goes on where it was. Stop what writes to
    the source before; what was written meanwhile is said, and running the command again brings it.
    """
    from graphql_runs.server.fault import CommandError
    from graphql_runs.server.maintenance import copy_store, size

    words = {"copy": "copying runs", "verify": "comparing runs"}
    try:
        with progress() as (bar, task):
            report = copy_store(
                source,
                target,
                lambda step, done, total: bar.update(
                    task, description=words[step], completed=done, total=total
                ),
            )
    except CommandError as error:
        fail(error)
    except KeyboardInterrupt:
        interrupted("the same command goes on where this one stopped")
    typer.echo(
        f"copied {report.runs:,} runs in {report.trees:,} trees, {report.points:,} points, {size(report.text_bytes)} of text,"
        f" {report.blobs:,} files; compared {report.verified:,} trees"
    )
    for problem in report.problems:
        typer.echo(problem, err=True)
    if report.behind:
        typer.echo(
            f"{len(report.behind):,} trees were written to meanwhile, {report.behind[0]} among them: stop the writers, or run the"
            " same command again to bring what is missing",
            err=True,
        )
    if not report.complete:
        raise typer.Exit(1)


@app.command("check")
def store_check(
    store: StorePlace = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Mend what can be computed anew: summaries of metrics, sizes and lines of logs, journals. Data is never touched.",
        ),
    ] = False,
    blobs: Annotated[
        bool,
        typer.Option("--blobs", help="Also read all files that were uploaded, and compare their SHA-256."),
    ] = False,
) -> None:
    """Read all of a store and compare it with what it says of itself.

    What is wrong is listed by id, and the exit code is 1 if something still is. A server may use the store meanwhile.
    """
    from graphql_runs.server.commands import read_settings
    from graphql_runs.server.fault import CommandError
    from graphql_runs.server.maintenance import check_store

    try:
        place = read_settings(store=store).store
        with progress() as (bar, task):
            report = check_store(
                place,
                mend=repair,
                blobs=blobs,
                told=lambda step, done: bar.update(
                    task, description=f"checking {step}", completed=done, total=None
                ),
            )
    except CommandError as error:
        fail(error)
    except KeyboardInterrupt:
        interrupted("nothing was finished; what was repaired stays repaired")
    for finding in report.findings:
        typer.echo(finding)
    looked = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items() if count)
    wrong = sum(not finding.repaired for finding in report.findings)
    repaired = len(report.findings) - wrong
    result = f"{wrong:,} wrong" if wrong else "nothing is wrong"
    typer.echo(
        f"checked {looked or 'an empty store'}: {result}" + (f", {repaired:,} repaired" if repaired else "")
    )
    if not report.sound:
        raise typer.Exit(1)


@app.command("backup")
def store_backup(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="[STORE] TARGET",
            help="The store's address, if it is not the one that `serve` has, and the path to write to, where nothing is yet.",
        ),
    ],
) -> None:
    """Write a copy of a store as of one moment, while it is in use.

    SQLite only; MongoDB has tools of its own for that. The copy is a store and opens as one.
    """
    from graphql_runs.server.commands import read_settings
    from graphql_runs.server.fault import CommandError
    from graphql_runs.server.maintenance import backup_store

    try:
        if len(places) > 2 or "://" in places[-1]:
            raise CommandError("backup takes a store's address, or none, and a path to write to")
        place = read_settings(store=places[0] if len(places) == 2 else None).store
        backup_store(place, Path(places[-1]))
    except CommandError as error:
        fail(error)
    typer.echo(f"wrote {places[-1]}")


@app.command("stats")
def store_stats(store: StorePlace = None) -> None:
    """Show how much a store holds, and what this kind of store can do."""
    from graphql_runs.server.commands import read_settings
    from graphql_runs.server.fault import CommandError
    from graphql_runs.server.maintenance import store_facts

    try:
        table(None, store_facts(read_settings(store=store).store))
    except CommandError as error:
        fail(error)
