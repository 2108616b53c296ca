"""The plugin: one unit per log, with the files that were rotated from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from graphql_runs.ingest.api import (
    Context,
    Delivery,
    File,
    RunFolder,
    Skipped,
    Stability,
    Tree,
    Unit,
    Unreadable,
)
from graphql_runs.ingest.files import recognise
from graphql_runs.model.operation import LogText
from graphql_runs_text.names import age, base_of, is_log, is_text, rank_of, stream_of
from graphql_runs_text.tail import Tail

_MOST_BYTES = 4 << 20


class TextConfig(BaseModel):
    """The plugin has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextIngester:
    """Takes `*.log`, `*.out`, `*.err`, `*.txt`, `stdout`, `stderr` and what was rotated from them."""

    name = "text"
    description = "Text logs (*.log, *.out, *.err, *.txt that hold text, stdout, stderr), kept byte for byte."
    stability = Stability.BETA
    precedence = 10
    config: type[BaseModel] = TextConfig

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """None: a log says nothing of what is a run."""
        return ()

    def units(self, tree: Tree) -> Iterator[Unit]:
        """One for each log; files of its rotation come oldest first."""
        logs: dict[PurePosixPath, list[PurePosixPath]] = {}
        for file in tree.files:
            base = base_of(file.path)
            if base is not None and _taken(tree, file, base):
                logs.setdefault(base, []).append(file.path)
        for base, files in logs.items():
            run = tree.owner(base)
            yield Unit(str(base.relative_to(run.path)), run, tuple(sorted(files, key=age)))

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """The bytes as they are, in pieces that end with a line where possible."""
        assert unit.run is not None
        path = PurePosixPath(unit.key)
        stream, rank = stream_of(path), rank_of(path)
        tail = Tail(
            context.tree.folder, unit.run.path / unit.key, min(context.limits.delivery_bytes, _MOST_BYTES)
        )
        for piece in tail.read(checkpoint, unit.files):
            yield Delivery(
                piece.checkpoint,
                [LogText(unit.run.run_id, unit.key, piece.data, stream, rank)],
                skipped=[Skipped(str(tail.base), piece.remark)] if piece.remark else (),
            )


def _taken(tree: Tree, file: File, base: PurePosixPath) -> bool:
    try:
        return recognise(tree, file, is_text if base.suffix.lower() == ".txt" else is_log)
    except Unreadable:
        return True  # reading it will say why
    except FileNotFoundError:
        return False
