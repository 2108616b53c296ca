"""The plugin: one unit for the record log of each run folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from graphql_runs.ingest.api import Context, Delivery, File, RunFolder, Stability, Tree, Unit, Unreadable
from graphql_runs.ingest.files import recognise
from graphql_runs_wandb.blocks import is_log
from graphql_runs_wandb.reading import Reading

_LOG = re.compile(r"run-(.+)\.wandb")
OUTPUT = PurePosixPath("files/output.log")
"""What the client makes of the output, after carriage returns; the record log has it as it was printed."""


class WandbConfig(BaseModel):
    """Bounds of what is taken from record logs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record_bytes: int = Field(default=64 << 20, ge=1, description="A longer record is left out.")
    text_bytes: int = Field(default=64 << 10, ge=0, description="A longer text of the history is cut.")


class WandbIngester:
    """Takes `run-<id>.wandb` and the `files/output.log` beside it."""

    name = "wandb"
    description = "Run folders of Weights & Biases (run-*.wandb): history, config, summary, output, files."
    stability = Stability.BETA
    precedence = 100
    config: type[BaseModel] = WandbConfig

    def runs(self, tree: Tree) -> Iterator[RunFolder]:
        """The folders with a record log; the run has the id that wandb gave it."""
        for folder, (run_id, _) in _logs(tree).items():
            yield RunFolder(folder, run_id, run_id)

    def units(self, tree: Tree) -> Iterable[Unit]:
        """The record logs of the tree."""
        there = {file.path for file in tree.files}
        for folder, (run_id, log) in _logs(tree).items():
            run = tree.owner(log)
            if run.run_id == run_id:
                yield Unit("log", run, (log, *({folder / OUTPUT} & there)), watches=(folder / "files",))

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """What the records say."""
        assert unit.run is not None
        assert isinstance(context.config, WandbConfig)
        yield from Reading(unit.run, unit.files[0], context, context.config).deliveries(checkpoint)


def _logs(tree: Tree) -> dict[PurePosixPath, tuple[str, PurePosixPath]]:
    """Run id and record log by folder; of several logs in one folder the first."""
    found: dict[PurePosixPath, tuple[str, PurePosixPath]] = {}
    for file in tree.files:
        name = _LOG.fullmatch(file.path.name)
        if name is not None and _holds_records(tree, file):
            found.setdefault(file.path.parent, (name[1], file.path))
    return found


def _holds_records(tree: Tree, file: File) -> bool:
    if not file.size:
        return False
    try:
        return recognise(tree, file, is_log, 16)
    except Unreadable:
        return True  # reading it will say why
    except FileNotFoundError:
        return False
