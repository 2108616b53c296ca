"""The plugin: one unit for each folder with event files, read file after file in the order in which they were begun."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from graphql_runs.ingest.api import Context, Delivery, File, RunFolder, Stability, Tree, Unit, Unreadable
from graphql_runs.ingest.files import recognise
from graphql_runs_tensorboard.names import begun, home, is_event_file
from graphql_runs_tensorboard.reading import Reading
from graphql_runs_tensorboard.record import begins_like_record


class TensorboardConfig(BaseModel):
    """Bounds of what is taken from event files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record_bytes: int = Field(default=64 << 20, ge=1, description="A longer record is left out.")
    image_bytes: int = Field(
        default=256 << 10, ge=0, description="A larger picture is left out; 0 leaves out all."
    )
    text_bytes: int = Field(default=64 << 10, ge=0, description="A longer text is cut.")


class TensorboardIngester:
    """Takes files with `tfevents` in their name that hold records."""

    name = "tensorboard"
    description = (
        "TensorBoard event files (*tfevents*): scalars, texts, histograms, images and hyperparameters."
    )
    stability = Stability.BETA
    precedence = 60
    config: type[BaseModel] = TensorboardConfig

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """Folders below a folder with event files: what `add_scalars` and `add_hparams` make are children of the run there."""
        folders = {home(file.path.parent) for file in tree.files if is_event_file(file.path.name)}
        for folder in sorted(folders):
            above = [parent for parent in folder.parents if parent in folders]
            if above:
                run_id = f"{tree.name}/{folder}"
                yield RunFolder(folder, run_id, tree.owner(above[-1] / "x").run_id, declared=False)

    def units(self, tree: Tree) -> Iterator[Unit]:
        """One for each folder."""
        folders: dict[PurePosixPath, list[PurePosixPath]] = {}
        for file in tree.files:
            if is_event_file(file.path.name) and _holds_records(tree, file):
                folders.setdefault(file.path.parent, []).append(file.path)
        for folder, files in folders.items():
            around = home(folder)
            run = tree.owner(around / "x")
            prefix = f"{folder.name}/" if around != folder else ""
            key = str(folder.relative_to(run.path)) if folder.is_relative_to(run.path) else str(folder)
            yield Unit(
                key, run, tuple(sorted(files, key=lambda path: begun(path.name))), hints={"prefix": prefix}
            )

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """What the events say, file after file."""
        assert unit.run is not None
        assert isinstance(context.config, TensorboardConfig)
        prefix = unit.hints["prefix"]
        assert isinstance(prefix, str)
        yield from Reading(unit.run.run_id, prefix, context, context.config).deliveries(
            unit.files, checkpoint
        )


def _holds_records(tree: Tree, file: File) -> bool:
    if not file.size:
        return False
    try:
        return recognise(tree, file, begins_like_record, 64)
    except Unreadable:
        return True  # reading it will say why
    except FileNotFoundError:
        return False
