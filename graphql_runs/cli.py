"""The commands. What a command needs is imported when it runs, so that `--help` is instant."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

app = typer.Typer(
    name="graphql-runs",
    help="A self-hosted GraphQL server for machine-learning runs: live status, metrics and logs through one typed API.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

store_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(
    store_app, name="store", help="Look after a store: copy it, check it, back it up, see what is in it."
)

Store = Annotated[
    str | None,
    typer.Option(help="Where runs are kept: sqlite:///FILE.  [default: sqlite:///graphql-runs.sqlite]"),
]
HostName = Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.  [default: 8765]")]
Workspace = Annotated[
    str | None, typer.Option(help="Workspace the folders are recorded in.  [default: default]")
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.  [default: info]")]

StorePlace = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE", help="sqlite:///FILE or mongodb://HOST/DATABASE.  [default: as `serve` has it]"
    ),
]

QUERY = "{ runs(first: 5) { nodes { name status metrics(first: 3) { nodes { name summary { last } } } } } }"


@app.command()
def serve(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]PATH…",
            help="Folders or files to follow. What is in them is recognised by content. NAME is used in the ids of runs "
            "that have none of their own; it is the folder's name otherwise.",
        ),
    ] = None,
    store: Store = None,
    host: HostName = None,
    port: Port = None,
    workspace: Workspace = None,
    log_level: LogLevel = None,
) -> None:
    """Serve runs, and follow folders that jobs write to.

    Every setting of docs/settings.md can also be given in the environment, as GRAPHQL_RUNS_<NAME>.
    """
    _serve(paths or [], None, store=store, host=host, port=port, workspace=workspace, log_level=log_level)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo writes and keeps its runs.")] = Path(
        "graphql-runs-demo"
    ),
    seconds: Annotated[float, typer.Option(min=1, help="About how long the training takes.")] = 60.0,
    children: Annotated[int, typer.Option(min=4, max=64, help="Runs of the sweep.")] = 6,
    train: Annotated[
        bool, typer.Option(help="Train; --no-train only serves what earlier demos left.")
    ] = True,
    store: Store = None,
    host: HostName = None,
    port: Port = None,
    log_level: LogLevel = None,
) -> None:
    """Train a small sweep on handwritten digits and watch it live.

    Needs the extra `demo` (scikit-learn, for the data). Run it again and a new sweep joins the earlier ones.
    """
    runs = folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    job = None
    if train:
        from graphql_runs.demo import sweep_command

        job = sweep_command(runs, seconds, children)
    store = store or f"sqlite:///{folder / 'store.sqlite'}"
    _serve([f"demo={runs}"], job, store=store, host=host, port=port, workspace="demo", log_level=log_level)


@app.command("import")
def import_(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]PATH…",
            help="Folders or files to read. NAME is used in ids of runs, as in `serve`.",
        ),
    ],
    store: Store = None,
    workspace: Workspace = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List every file that no plugin reads, however many there are.")
    ] = False,
) -> None:
    """Take in everything that is there now, and end.

    Says what was taken and what was left out, and the exit code is 1 if something could not be read. Running it again takes
    in what is new only. A server may use the store meanwhile.
    """
    from graphql_runs.server.commands import CommandError, read_settings, source
    from graphql_runs.server.loading import load, report

    try:
        settings = read_settings(store=store, workspace=workspace)
        sources = [source(path, settings.workspace) for path in paths]
        with _progress() as (progress, task):
            loaded = load(
                settings,
                sources,
                lambda now: progress.update(
                    task,
                    description=f"reading files ({now.points:,} points, {now.lines:,} lines)",
                    completed=now.files,
                    total=now.total,
                ),
            )
    except CommandError as error:
        _fail(error)
    except KeyboardInterrupt:
        _interrupted("the same command goes on where this one stopped")
    for line in report(loaded, everything=everything):
        typer.echo(line)
    for failure in loaded.failures:
        typer.echo(f"failed: {failure}", err=True)
    if loaded.failures:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    from graphql_runs.server.commands import schema_text

    typer.echo(schema_text(), nl=False)


@app.command()
def plugins() -> None:
    """List the plugins that are installed: ingesters with what they read, receivers with what is sent to them."""
    from rich.console import Console
    from rich.table import Table

    from graphql_runs.server.commands import CommandError, plugin_rows, read_settings

    table = Table("plugin", "stability", "version", "reads", box=None, header_style="bold")
    try:
        for row in plugin_rows(read_settings()):
            table.add_row(*row)
    except CommandError as error:
        _fail(error)
    Console().print(table)


@store_app.command("copy")
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
    from graphql_runs.server.commands import CommandError
    from graphql_runs.server.maintenance import copy_store, size

    words = {"copy": "copying runs", "verify": "comparing runs"}
    try:
        with _progress() as (progress, task):
            report = copy_store(
                source,
                target,
                lambda step, done, total: progress.update(
                    task, description=words[step], completed=done, total=total
                ),
            )
    except CommandError as error:
        _fail(error)
    except KeyboardInterrupt:
        _interrupted("the same command goes on where this one stopped")
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


@store_app.command("check")
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
    from graphql_runs.server.commands import CommandError, read_settings
    from graphql_runs.server.maintenance import check_store

    try:
        place = read_settings(store=store).store
        with _progress() as (progress, task):
            report = check_store(
                place,
                mend=repair,
                blobs=blobs,
                told=lambda step, done: progress.update(
                    task, description=f"checking {step}", completed=done, total=None
                ),
            )
    except CommandError as error:
        _fail(error)
    except KeyboardInterrupt:
        _interrupted("nothing was finished; what was repaired stays repaired")
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


@store_app.command("backup")
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
    from graphql_runs.server.commands import CommandError, read_settings
    from graphql_runs.server.maintenance import backup_store

    try:
        if len(places) > 2 or "://" in places[-1]:
            raise CommandError("backup takes a store's address, or none, and a path to write to")
        place = read_settings(store=places[0] if len(places) == 2 else None).store
        backup_store(place, Path(places[-1]))
    except CommandError as error:
        _fail(error)
    typer.echo(f"wrote {places[-1]}")


@store_app.command("stats")
def store_stats(store: StorePlace = None) -> None:
    """Show how much a store holds, and what this kind of store can do."""
    from rich.console import Console
    from rich.table import Table

    from graphql_runs.server.commands import CommandError, read_settings
    from graphql_runs.server.maintenance import store_facts

    table = Table(box=None, show_header=False)
    try:
        for row in store_facts(read_settings(store=store).store):
            table.add_row(*row)
    except CommandError as error:
        _fail(error)
    Console().print(table)


@contextmanager
def _progress() -> Iterator[tuple[Progress, Any]]:
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


def _interrupted(what: str) -> NoReturn:
    typer.echo(f"graphql-runs: interrupted; {what}", err=True)
    raise typer.Exit(130)


def main() -> None:
    """Entry point of the console script."""
    app()


def _serve(paths: list[str], job: list[str] | None, **given: Any) -> None:
    from graphql_runs.server.commands import CommandError, read_settings, run, source

    trainer = _Trainer(job)
    try:
        settings = read_settings(**given)
        sources = [source(path, settings.workspace) for path in paths]

        def started(address: str) -> None:
            for followed in sources:
                typer.echo(f"following {followed.path}")
            typer.echo(
                f"\n  page      {address}/\n  GraphQL   {address}/graphql\n\ntry there:\n\n  {QUERY}\n"
            )
            sys.stdout.flush()
            trainer.start()

        run(settings, sources, started)
    except CommandError as error:
        _fail(error)
    finally:
        trainer.stop()


class _Trainer:
    """The demo's training, a process of its own that ends with the server."""

    def __init__(self, command: list[str] | None) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._command is not None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"graphql-runs: {error}", err=True)
    raise typer.Exit(1) from error
