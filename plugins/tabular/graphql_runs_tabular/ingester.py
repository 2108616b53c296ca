"""The plugin: one unit per table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from graphql_runs.ingest.api import Context, Delivery, File, RunFolder, Stability, Tree, Unit, Unreadable
from graphql_runs.ingest.files import open_file, recognise
from graphql_runs_tabular import hparams, recognition, results, trainer
from graphql_runs_tabular.jsonl import read_jsonl
from graphql_runs_tabular.keys import Names
from graphql_runs_tabular.sheet import read_csv
from graphql_runs_tabular.state import Source, State

_JSONL = frozenset({".jsonl", ".ndjson"})
_SHEETS = frozenset({".csv", ".tsv", ".log"})
_TABLES = _JSONL | _SHEETS
_BESIDE = {hparams.NAME: hparams.read_hparams, results.NAME: results.read_results}
"""What lies beside metrics, and how it is read."""
_VERSION = re.compile(r"version_\d+")
"""Lightning's folder for a run, whatever logger wrote the metrics."""


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
    """Takes `*.jsonl`, `*.ndjson`, `*.csv` and `*.tsv` that hold metrics, and what Lightning and Hugging Face write beside."""

    name = "tabular"
    description = (
        "Metrics in JSON lines and CSV (Lightning, Keras, own loggers), recognised by their first lines, "
        "Hugging Face's trainer_state.json and Lightning's hparams.yaml."
    )
    stability = Stability.BETA
    precedence = 50
    config: type[BaseModel] = TabularConfig

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """None: a table says nothing of what is a run."""
        return ()

    def units(self, tree: Tree) -> Iterator[Unit]:
        """One for each table, one for all states of a training, one for each file of parameters or results beside."""
        parts: dict[PurePosixPath, _Parts] = {}
        beside: list[PurePosixPath] = []
        for file in tree.files:
            path = file.path
            if trainer.is_state(path):
                # Named by the place in the output folder, whether there is one or not yet.
                path = trainer.home(path) / trainer.NAME
            elif path.name in _BESIDE:
                beside.append(path)
                continue
            elif path.suffix.lower() not in _TABLES or not _taken(tree, file):
                continue
            run = tree.owner(path)
            parts.setdefault(run.path, _Parts(run)).files.setdefault(path, []).append(file.path)
        for one in parts.values():
            for path, prefix in _prefixes(list(one.files), one.run.path).items():
                key = str(path.relative_to(one.run.path))
                yield Unit(key, one.run, tuple(one.files[path]), hints={"prefix": prefix})
        found = {path for one in parts.values() for path in one.files}
        folders = {path.parent for path in found}
        for path in beside:
            run, folder = tree.owner(path), path.parent
            if path.name == results.NAME:
                wanted = folder / trainer.NAME in found
            else:
                wanted = folder in folders or run.declared or bool(_VERSION.fullmatch(folder.name))
            if wanted:
                yield Unit(str(path.relative_to(run.path)), run, (path,))

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """Rows that came since."""
        assert unit.run is not None
        assert isinstance(context.config, TabularConfig)
        path, run_id = unit.files[0], unit.run.run_id
        prefix = str(unit.hints.get("prefix", ""))
        if path.name == trainer.NAME:
            yield from trainer.read_training(unit.files, run_id, prefix, checkpoint, context)
            return
        if path.name in _BESIDE:
            yield from _BESIDE[path.name](path, run_id, checkpoint, context)
            return
        state = State.from_json(checkpoint)
        if state.prefix is None:
            state.prefix = prefix
        names = Names(
            [name.lower() for name in context.config.step], [name.lower() for name in context.config.time]
        )
        read = read_jsonl if path.suffix.lower() in _JSONL else read_csv
        with open_file(context.tree.folder, path) as file:
            source = Source(file, str(path), run_id, names, context.limits, context.final)
            yield from read(source, state)


@dataclass(slots=True)
class _Parts:
    """What is read of one run: its tables and trainings, each with its files."""

    run: RunFolder
    files: dict[PurePosixPath, list[PurePosixPath]] = field(default_factory=dict)


def _taken(tree: Tree, file: File) -> bool:
    suffix = file.path.suffix.lower()
    if suffix in _JSONL:
        test = recognition.holds_metrics
    elif suffix == ".log":
        test = recognition.is_keras
    elif recognition.is_generic(file.path.stem):
        test = recognition.has_columns_tsv if suffix == ".tsv" else recognition.has_columns
    else:
        test = recognition.has_metrics_columns_tsv if suffix == ".tsv" else recognition.has_metrics_columns
    try:
        return recognise(tree, file, test, recognition.HEAD)
    except Unreadable:
        return suffix != ".log"  # reading it will say why
    except FileNotFoundError:
        return False


def _prefixes(paths: list[PurePosixPath], run: PurePosixPath) -> dict[PurePosixPath, str]:
    """What the metric names of each table of a run begin with, so that `train.jsonl` and `eval.jsonl` do not mix.

    The only table of a run has plain names. Among several, one called `metrics` or the like has them, the others are told
    apart by their name, and trainings by their folder.
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
        if path == plain:
            prefix = ""
        elif path.name == trainer.NAME and path.parent != run:
            prefix = f"{path.parent.relative_to(run)}/"
        else:
            prefix = f"{path.stem}/"
        if prefix in used:
            prefix = f"{path.name}/"
        if prefix in used:
            prefix = f"{path}/"
        used.add(prefix)
        found[path] = prefix
    return found
