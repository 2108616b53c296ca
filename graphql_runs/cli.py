"""The commands. What a command needs is imported when it runs, so that `--help` is instant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(
    name="graphql-runs",
    help="A self-hosted GraphQL server for machine-learning runs: live status, metrics and logs through one typed API.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
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


@app.command()
def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    from graphql_runs.server.commands import schema_text

    typer.echo(schema_text(), nl=False)


@app.command()
def plugins() -> None:
    """List the ingesters that are installed, and what they read."""
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
