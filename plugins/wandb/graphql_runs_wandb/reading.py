"""Reading one record log on from a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from graphql_runs.ingest.api import Context, Delivery, RunFolder
from graphql_runs.ingest.files import Mark, open_file, size_of
from graphql_runs.ingest.wire import Malformed
from graphql_runs_wandb.batch import Batch, State
from graphql_runs_wandb.blocks import records
from graphql_runs_wandb.message import message

if TYPE_CHECKING:
    from graphql_runs_wandb.ingester import WandbConfig

REWRITTEN = "the file was written anew; it is read again from its beginning"


class Reading:
    """One pass over a record log."""

    def __init__(self, run: RunFolder, path: PurePosixPath, context: Context, config: WandbConfig) -> None:
        self._run = run
        self._path = path
        self._context = context
        self._config = config

    def deliveries(self, checkpoint: Mapping[str, object] | None) -> Iterator[Delivery]:
        """What is new in the log."""
        mark, state = _from_json(checkpoint)
        with open_file(self._context.tree.folder, self._path) as file:
            batch = self._batch(state)
            if mark is not None and not mark.within(file):
                if mark.begins(file):
                    return  # shorter than what was read: in the middle of being copied, or cut for good
                if not size_of(file):
                    return
                batch.skip(REWRITTEN)
                mark, state = None, State()
                batch.state = state
            offset = 0 if mark is None else mark.offset
            for record in records(file, offset, self._config.record_bytes):
                offset = record.end
                if record.remark is not None:
                    batch.skip(record.remark)
                if record.data is not None:
                    self._take(batch, record.data, offset)
                if batch.full:
                    yield self._delivery(file, offset, batch)
                    batch = self._batch(batch.state)
            if not batch.empty:
                yield self._delivery(file, offset, batch)

    def _take(self, batch: Batch, data: bytes, end: int) -> None:
        try:
            said = message(data)
        except Malformed as error:
            batch.skip(f"the record before byte {end} cannot be read: {error}")
            return
        if said is not None:
            batch.add(said)

    def _batch(self, state: State) -> Batch:
        return Batch(self._run, self._path, state, self._context, self._config)

    def _delivery(self, file: FileIO, offset: int, batch: Batch) -> Delivery:
        checkpoint = {"mark": Mark.at(file, offset).to_json(), "state": batch.state.to_json()}
        return Delivery(checkpoint, batch.operations(), skipped=batch.skipped)


def _from_json(checkpoint: Mapping[str, object] | None) -> tuple[Mark | None, State]:
    match checkpoint:
        case None:
            return None, State()
        case {"mark": dict(mark), "state": dict(state)}:
            return Mark.from_json(mark), State.from_json(state)
    raise ValueError(f"not a checkpoint of a record log: {checkpoint!r}")
