"""The plugin: for each run one unit of its facts and one for each metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from graphql_runs.ingest.api import Context, Delivery, RunFolder, Stability, Tree, Unit
from graphql_runs_mlflow.facts import read_facts
from graphql_runs_mlflow.layout import FoundRun, find_runs, run_folders
from graphql_runs_mlflow.metric import read_metric

_FACTS = "facts"
_METRICS = "metrics"


class MlflowConfig(BaseModel):
    """The plugin has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MlflowIngester:
    """Takes the run folders of MLflow's file store, whole."""

    name = "mlflow"
    description = "MLflow's file store (mlruns): runs, metrics, params, tags, artifacts."
    stability = Stability.BETA
    precedence = 100
    config: type[BaseModel] = MlflowConfig

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """Every run of every file store in the tree."""
        return run_folders(find_runs(tree))

    def units(self, tree: Tree) -> Iterator[Unit]:
        """The facts of a run, with all its files that are no metrics, and its metrics."""
        found = find_runs(tree)
        folders = {run.path: run for run in run_folders(found)}
        rest: dict[PurePosixPath, list[PurePosixPath]] = {folder: [] for folder in found}
        for file in tree.files:
            folder = next((parent for parent in file.path.parents if parent in found), None)
            if folder is None or tree.owner(file.path).run_id != found[folder].run_id:
                continue
            inside = file.path.relative_to(folder)
            if inside.parts[0] == _METRICS and len(inside.parts) > 1:
                name = str(inside.relative_to(_METRICS))
                yield Unit(str(inside), folders[folder], (file.path,), hints={"metric": name})
            else:
                rest[folder].append(file.path)
        for folder, files in rest.items():
            if files:
                yield Unit(_FACTS, folders[folder], tuple(files), hints={"run": found[folder]})

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """What is new in the unit."""
        assert unit.run is not None
        metric, run = unit.hints.get("metric"), unit.hints.get("run")
        if isinstance(metric, str):
            yield from read_metric(unit.run.run_id, metric, unit.files[0], checkpoint, context)
        elif isinstance(run, FoundRun):
            yield from read_facts(run, unit.run.root_id, unit.files, checkpoint, context)
