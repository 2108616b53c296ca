"""The plugin: for each run of a file store one unit of its facts and one for each metric; for a database one that takes it, and
one for each of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from graphql_runs.ingest.api import Context, Delivery, RunFolder, Stability, Tree, Unit
from graphql_runs_mlflow.database.read import read_database, read_run
from graphql_runs_mlflow.database.units import Database, databases_of
from graphql_runs_mlflow.facts import read_facts
from graphql_runs_mlflow.layout import FoundRun, find_runs, run_folders
from graphql_runs_mlflow.metric import read_metric
from graphql_runs_mlflow.run import UNIT

_METRICS = "metrics"


class MlflowConfig(BaseModel):
    """The plugin has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MlflowIngester:
    """Takes the run folders of MLflow's file store, whole, and MLflow's databases with the outputs of their runs."""

    name = "mlflow"
    description = "MLflow's file store (mlruns) and its SQLite databases (mlflow.db): runs, metrics, params, tags, artifacts."
    stability = Stability.BETA
    precedence = 100
    config: type[BaseModel] = MlflowConfig

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """Every run of every store in the tree that has a folder of its own there."""
        databases = databases_of(tree, again=True)
        yield from _folders(tree, databases).values()
        for database in databases:
            yield from database.folders

    def units(self, tree: Tree) -> Iterator[Unit]:
        """The facts of a run of a file store, with all its files that are no metrics, and its metrics; databases and their runs."""
        databases = databases_of(tree, again=False)  # just asked for, by `runs`
        for database in databases:
            yield from database.units(tree)
        found = find_runs(tree)
        folders = _folders(tree, databases)
        rest: dict[PurePosixPath, list[PurePosixPath]] = {folder: [] for folder in folders}
        metrics: list[Unit] = []
        for file in tree.files:
            folder = next((parent for parent in file.path.parents if parent in folders), None)
            if folder is None or tree.owner(file.path).run_id != found[folder].run_id:
                continue
            inside = file.path.relative_to(folder)
            if inside.parts[0] == _METRICS and len(inside.parts) > 1:
                name = str(inside.relative_to(_METRICS))
                metrics.append(
                    Unit(str(inside), folders[folder], (file.path,), hints={"metric": name}, after=UNIT)
                )
            else:
                rest[folder].append(file.path)
        for folder, files in rest.items():
            if files:
                yield Unit(UNIT, folders[folder], tuple(files), hints={"run": found[folder]})
        yield from metrics

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """What is new in the unit."""
        metric, run, database = (unit.hints.get(name) for name in ("metric", "run", "database"))
        if isinstance(database, Database):
            yield from read_database(database, checkpoint, context)
        elif isinstance(metric, str) and unit.run is not None:
            yield from read_metric(unit.run.run_id, metric, unit.files[0], checkpoint, context)
        elif isinstance(run, FoundRun) and unit.run is not None:
            yield from read_facts(run, unit.run.root_id, unit.files, checkpoint, context)
        else:
            yield from read_run(unit, checkpoint, context)


def _folders(tree: Tree, databases: Iterable[Database]) -> dict[PurePosixPath, RunFolder]:
    """The runs of file stores by their folder, without those that a database has: MLflow moves file stores into databases."""
    moved = {run_id for database in databases for run_id in database.runs}
    return {run.path: run for run in run_folders(find_runs(tree)) if run.run_id not in moved}
