"""The plugin: one unit per table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from graphql_runs.ingest.api import Context, Delivery, File, RunFolder, Stability, Tree, Unit, Unreadable
from graphql_runs.ingest.files import open_file, recognise
from graphql_runs_tabular import recognition
from graphql_runs_tabular.jsonl import read_jsonl
from graphql_runs_tabular.keys import Names
from graphql_runs_tabular.sheet import read_csv
from graphql_runs_tabular.state import Source, State

_JSONL = frozenset({".jsonl", ".ndjson"})
_SHEETS = frozenset({".csv", ".tsv"})


class TabularConfig(BaseModel):
    """The plugin's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: tuple[str, ...] = Field(
        recognition.STEPS,
        description="Keys and columns that hold the step, the likeliest first; case does not matter.",
    )
    time: tuple[str, ...] = Field(
        recognition.TIMES,
        description="Keys and columns that hold the time, the likeliest first; case does not matter.",
    )


class TabularIngester:
    """Takes `*.jsonl`, `*.ndjson`, `*.csv` and `*.tsv` that hold metrics."""

    name = "tabular"
    description = (
        "Metrics in JSON lines and CSV (Lightning, Keras, own loggers), recognised by their first lines."
    )
    stability = Stability.BETA
    precedence = 50
    config: type[BaseModel] = TabularConfig

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """None: a table says nothing of what is a run."""
        return ()

    def units(self, tree: Tree) -> Iterator[Unit]:
        """One for each table."""
        runs: dict[PurePosixPath, tuple[RunFolder, list[PurePosixPath]]] = {}
        for file in tree.files:
            if file.path.suffix.lower() in _JSONL | _SHEETS and _taken(tree, file):
                run = tree.owner(file.path)
                runs.setdefault(run.path, (run, []))[1].append(file.path)
        for run, paths in runs.values():
            for path, prefix in _prefixes(paths).items():
                yield Unit(str(path.relative_to(run.path)), run, (path,), hints={"prefix": prefix})

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """Rows that came since."""
        assert unit.run is not None
        assert isinstance(context.config, TabularConfig)
        [path] = unit.files
        state = State.from_json(checkpoint)
        if state.prefix is None:
            state.prefix = str(unit.hints.get("prefix", ""))
        names = Names(
            [name.lower() for name in context.config.step], [name.lower() for name in context.config.time]
        )
        read = read_jsonl if path.suffix.lower() in _JSONL else read_csv
        with open_file(context.tree.folder, path) as file:
            source = Source(file, str(path), unit.run.run_id, names, context.limits, context.final)
            yield from read(source, state)


def _taken(tree: Tree, file: File) -> bool:
    suffix = file.path.suffix.lower()
    if suffix in _JSONL:
        test = recognition.holds_metrics
    elif recognition.is_generic(file.path.stem):
        test = recognition.has_columns_tsv if suffix == ".tsv" else recognition.has_columns
    else:
        test = recognition.has_metrics_columns_tsv if suffix == ".tsv" else recognition.has_metrics_columns
    try:
        return recognise(tree, file, test, recognition.HEAD)
    except Unreadable:
        return True  # reading it will say why
    except FileNotFoundError:
        return False


def _prefixes(paths: list[PurePosixPath]) -> dict[PurePosixPath, str]:
    """What the metric names of each table of a run begin with, so that `train.jsonl` and `eval.jsonl` do not mix.

    The only table of a run has plain names. Among several, one called `metrics` or the like has them, the others are told
    apart by their name.
    """
    ordered = sorted(paths, key=lambda path: (path.suffix.lower() in _SHEETS, len(path.parts), str(path)))
    plain = (
        ordered[0]
        if len(ordered) == 1
        else next((path for path in ordered if path.stem.lower() == "metrics"), None)
    )
    found: dict[PurePosixPath, str] = {}
    used: set[str] = set()
    for path in ordered:
        prefix = "" if path == plain else f"{path.stem}/"
        if prefix in used:
            prefix = f"{path.name}/"
        if prefix in used:
            prefix = f"{path}/"
        used.add(prefix)
        found[path] = prefix
    return found
