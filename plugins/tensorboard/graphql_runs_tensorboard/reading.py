"""Reading the event files of one folder on from a checkpoint.

A checkpoint has, for each file that was read, where it stands. Files that were begun long before the newest are not expected to grow: beyond
MOST_FILES they are counted only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from graphql_runs.ingest.api import Context, Delivery
from graphql_runs.ingest.files import Mark, open_file, size_of
from graphql_runs.ingest.wire import Malformed
from graphql_runs_tensorboard.batch import Batch
from graphql_runs_tensorboard.event import event
from graphql_runs_tensorboard.names import begun
from graphql_runs_tensorboard.record import records
from graphql_runs_tensorboard.scalar import Scalars

if TYPE_CHECKING:
    from graphql_runs_tensorboard.ingester import TensorboardConfig

MOST_FILES = 150
"""Files whose places are kept."""
REWRITTEN = "the file was written anew; it is read again from its beginning"
CUT = "the file was cut; it is read on from its new end"


class Reading:
    """One pass over the files of a folder."""

    def __init__(self, run_id: str, prefix: str, context: Context, config: TensorboardConfig) -> None:
        self._run_id = run_id
        self._prefix = prefix
        self._context = context
        self._config = config

    def deliveries(
        self, files: Sequence[PurePosixPath], checkpoint: Mapping[str, object] | None
    ) -> Iterator[Delivery]:
        """What is new in the files, the oldest first."""
        places, passed = _from_json(checkpoint)
        for path in files:
            if path.name in places or begun(path.name) > begun(passed):
                yield from self._file(path, places, passed)
            while len(places) > MOST_FILES:
                first = next(iter(places))
                passed = max(passed, first, key=begun)
                del places[first]

    def _file(
        self, path: PurePosixPath, places: dict[str, Mapping[str, object]], passed: str
    ) -> Iterator[Delivery]:
        try:
            file = open_file(self._context.tree.folder, path)
        except FileNotFoundError:
            return
        with file:
            known = places.get(path.name)
            batch = Batch(self._run_id, self._prefix, str(path), self._context.limits, self._config)
            offset = self._start(file, None if known is None else Mark.from_json(known), batch)
            if known is not None and offset == size_of(file) and batch.empty:
                return
            scalars = Scalars()
            for record in records(file, offset, self._config.record_bytes):
                offset = record.end
                if record.remark is not None:
                    batch.skip(record.remark)
                if record.data is not None:
                    _take(batch, record.data, record.end, scalars)
                if batch.full:
                    yield self._delivery(file, path, offset, batch, places, passed)
                    batch = Batch(self._run_id, self._prefix, str(path), self._context.limits, self._config)
            if not batch.empty or offset:
                yield self._delivery(file, path, offset, batch, places, passed)

    def _delivery(
        self,
        file: FileIO,
        path: PurePosixPath,
        offset: int,
        batch: Batch,
        places: dict[str, Mapping[str, object]],
        passed: str,
    ) -> Delivery:
        places[path.name] = Mark.at(file, offset).to_json()
        checkpoint = {"files": dict(places), "passed": passed}
        return Delivery(checkpoint, batch.operations(), skipped=batch.skipped)

    def _start(self, file: FileIO, mark: Mark | None, batch: Batch) -> int:
        """Where to read on in a file that may have changed in other ways than growing."""
        if mark is None or mark.within(file):
            return 0 if mark is None else mark.offset
        if not mark.begins(file):
            if size_of(file):
                batch.skip(REWRITTEN)
            return 0
        # Shorter than what was read: its records up to the new end are known.
        batch.skip(CUT)
        end = 0
        for record in records(file, 0, self._config.record_bytes):
            if record.end > mark.offset:
                break
            end = record.end
        return end


def _take(batch: Batch, data: bytes, end: int, scalars: Scalars) -> None:
    """What one record says. `end` is where it ends in its file."""
    number = scalars.read(data)
    if number is not None:
        batch.number(number)
        return
    try:
        found = event(data)
    except Malformed as error:
        batch.skip(f"the event before byte {end} cannot be read: {error}")
        return
    scalars.learn(data, found)
    batch.add(found)


def _from_json(checkpoint: Mapping[str, object] | None) -> tuple[dict[str, Mapping[str, object]], str]:
    match checkpoint:
        case None:
            return {}, ""
        case {"files": dict(files), "passed": str(passed)}:
            return dict(files), passed
    raise ValueError(f"not a checkpoint of event files: {checkpoint!r}")
