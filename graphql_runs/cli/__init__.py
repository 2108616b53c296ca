"""The commands. What a command needs is imported when it runs, so that `--help` is instant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphql_runs.cli import store as store_commands
from graphql_runs.cli.output import fail, interrupted, progress, table

if TYPE_CHECKING:
    from graphql_runs.server.config import Config

app = typer.Typer(
    name="graphql-runs",
    help="A self-hosted GraphQL server for machine-learning runs: live status, metrics and logs through one typed API.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(
    store_commands.app,
    name="store",
    help="Look after a store: copy it, check it, back it up, see what is in it.",
)

Store = Annotated[
    str | None,
    typer.Option(
        help="Where runs are kept: sqlite:///FILE or mongodb://HOST/DATABASE.  [default: sqlite:///graphql-runs.sqlite]"
    ),
]
HostName = Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.  [default: 8765]")]
Workspace = Annotated[
    str | None, typer.Option(help="Workspace the folders are recorded in.  [default: default]")
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.  [default: info]")]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="File of settings and sources.  [default: $GRAPHQL_RUNS_CONFIG, else graphql-runs.toml if it is there]",
    ),
]

QUERY = "{ runs(first: 5) { nodes { name status metrics(first: 3) { nodes { name summary { last } } } } } }"


@app.command()
def serve(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]PATH…",
            help="Folders or files to follow, what is in them is recognised by content; or addresses that are asked, like slurm: "
            "or mlflow+http://HOST. NAME is used in the ids of runs that have none of their own; it is the folder's name otherwise.",
        ),
    ] = None,
    config: ConfigFile = None,
    store: Store = None,
    host: HostName = None,
    port: Port = None,
    workspace: Workspace = None,
    log_level: LogLevel = None,
) -> None:
    """Serve runs, and follow folders that jobs write to.

    Every setting of docs/settings.md can also be given in the environment, as GRAPHQL_RUNS_<NAME>, or in the file graphql-runs.toml,
    which may list sources too.
    """
    from graphql_runs.server.config import read_config
    from graphql_runs.server.fault import CommandError

    try:
        file = read_config(config)
    except CommandError as error:
        fail(error)
    _serve(
        paths or [], None, file, store=store, host=host, port=port, workspace=workspace, log_level=log_level
    )


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
    from graphql_runs.server.config import Config

    _serve(
        [f"demo={runs}"],
        job,
        Config(),
        store=store,
        host=host,
        port=port,
        workspace="demo",
        log_level=log_level,
    )


@app.command("import")
def import_(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]PATH…",
            help="Folders or files to read, or addresses to ask, as in `serve`.",
        ),
    ],
    config: ConfigFile = None,
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
    from graphql_runs.server.commands import read_settings
    from graphql_runs.server.config import read_config, source
    from graphql_runs.server.fault import CommandError
    from graphql_runs.server.loading import load, report

    try:
        settings = read_settings(read_config(config), store=store, workspace=workspace)
        sources = [source(path, settings.workspace) for path in paths]
        with progress() as (bar, task):
            loaded = load(
                settings,
                sources,
                lambda now: bar.update(
                    task,
                    description=f"reading files ({now.points:,} points, {now.lines:,} lines)",
                    completed=now.files,
                    total=now.total,
                ),
            )
    except CommandError as error:
        fail(error)
    except KeyboardInterrupt:
        interrupted("the same command goes on where this one stopped")
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
    """List the plugins that are installed: what they read, what they ask, and what is sent to them."""
    from graphql_runs.server.commands import plugin_rows, read_settings
    from graphql_runs.server.fault import CommandError

    try:
        table(("plugin", "kind", "stability", "version", "what it takes in"), plugin_rows(read_settings()))
    except CommandError as error:
        fail(error)


@app.command()
def sources(
    url: Annotated[
        str | None,
        typer.Argument(help="Address of the server.  [default: the one of the settings, on this machine]"),
    ] = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all there is to say as JSON.")] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="Also list the newest input that was left out, and why.")
    ] = False,
) -> None:
    """Show how the sources of a running server stand: what is read from where, what was left out, what went wrong.

    The exit code is 1 if something cannot be read. A server that wants a token is given the one of GRAPHQL_RUNS_TOKEN.
    """
    from graphql_runs.server.asking import ask_sources, left_out, rows, server_address
    from graphql_runs.server.commands import read_settings
    from graphql_runs.server.config import read_config
    from graphql_runs.server.fault import CommandError

    try:
        settings = read_settings(read_config(config))
        found = ask_sources(url or server_address(settings), settings)
    except CommandError as error:
        fail(error)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        table(
            ("source", "plugin", "state", "runs", "files", "points", "lines", "skipped", "error"), rows(found)
        )
    if skipped:
        for line in left_out(found):
            typer.echo(line)
    if any(one["state"] == "FAILED" for one in found):
        raise typer.Exit(1)


def main() -> None:
    """Entry point of the console script."""
    app()


def _serve(paths: list[str], job: list[str] | None, file: Config, **given: Any) -> None:
    from graphql_runs.server.commands import read_settings, run
    from graphql_runs.server.config import source
    from graphql_runs.server.fault import CommandError

    trainer = _Trainer(job)
    try:
        settings = read_settings(file, **given)
        sources = file.followed(settings.workspace)
        sources += [source(path, settings.workspace) for path in paths]

        def started(address: str) -> None:
            for followed in sources:
                typer.echo(f"following {followed.uri}")
            typer.echo(
                f"\n  page      {address}/\n  GraphQL   {address}/graphql\n\ntry there:\n\n  {QUERY}\n"
            )
            sys.stdout.flush()
            trainer.start()

        run(settings, sources, started)
    except CommandError as error:
        fail(error)
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
