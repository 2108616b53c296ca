"""The plugin: one unit per log, with the files that were rotated from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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
from graphql_runs.model.operation import LogText, RunOperation
from graphql_runs_text.metrics import Rules, Scan, State
from graphql_runs_text.names import age, base_of, is_log, is_text, rank_of, stream_of
from graphql_runs_text.tail import Tail

_MOST_BYTES = 4 << 20
_METRICS = "metrics"


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no time zone is called {zone!r} here") from error
    return zone


class TextConfig(BaseModel):
    """The plugin's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metrics: bool = Field(True, description="Take metrics out of lines like `step=10 loss=0.5`.")
    keys: int = Field(100, ge=1, le=1000, description="Metrics of one line at most.")
    names: int = Field(100, ge=1, le=1000, description="Metrics of one log at most; the others are left out.")
    timezone: Annotated[str, AfterValidator(_known)] | None = Field(
        None,
        description="Zone of times in lines that name none (`Europe/Berlin`). Without it such times are not used.",
    )


class TextIngester:
    """Takes `*.log`, `*.out`, `*.err`, `*.txt`, `stdout`, `stderr` and what was rotated from them."""

    name = "text"
    description = (
        "Text logs (*.log, *.out, *.err, *.txt that hold text, stdout, stderr), kept byte for byte, "
        "and metrics of lines like `step=10 loss=0.5`."
    )
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
        """The bytes as they are, in pieces that end with a line where possible, each with the metrics of the lines that end in it."""
        assert unit.run is not None
        run_id, base = unit.run.run_id, unit.run.path / unit.key
        path = PurePosixPath(unit.key)
        stream, rank = stream_of(path), rank_of(path)
        tail = Tail(context.tree.folder, base, min(context.limits.delivery_bytes, _MOST_BYTES))
        scan = _scan(unit, checkpoint, context)
        for piece in tail.read(checkpoint, unit.files):
            start, remarks = 0, [piece.remark] if piece.remark else []
            if scan is not None and piece.remark:
                scan.anew()
            for end in scan.pieces(piece.data) if scan is not None else [len(piece.data)]:
                checkpoint = piece.checkpoint(end)
                operations: list[RunOperation] = [
                    LogText(run_id, unit.key, piece.data[start:end], stream, rank)
                ]
                if scan is not None:
                    checkpoint = {**checkpoint, _METRICS: scan.state.to_json()}
                    operations += scan.points()
                    remarks += scan.left_out()
                yield Delivery(checkpoint, operations, skipped=[Skipped(str(base), one) for one in remarks])
                start, remarks = end, []
        if scan is not None and checkpoint is not None and context.final and scan.last():
            yield Delivery(
                {**checkpoint, _METRICS: scan.state.to_json()},
                scan.points(),
                skipped=[Skipped(str(base), one) for one in scan.left_out()],
            )


def _scan(unit: Unit, checkpoint: Mapping[str, object] | None, context: Context) -> Scan | None:
    """What looks for metrics, None where none are wanted."""
    assert unit.run is not None
    config = context.config
    assert isinstance(config, TextConfig)
    if not config.metrics:
        return None
    rules = Rules(
        unit.run.run_id,
        f"{unit.key}/",
        config.keys,
        config.names,
        context.limits.name_bytes,
        context.limits.line_bytes,
        None if config.timezone is None else ZoneInfo(config.timezone),
    )
    return Scan(State() if checkpoint is None else State.from_json(checkpoint.get(_METRICS)), rules)


def _taken(tree: Tree, file: File, base: PurePosixPath) -> bool:
    try:
        return recognise(tree, file, is_text if base.suffix.lower() == ".txt" else is_log)
    except Unreadable:
        return True  # reading it will say why
    except FileNotFoundError:
        return False
