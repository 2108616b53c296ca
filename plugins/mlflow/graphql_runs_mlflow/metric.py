"""One metric: lines of time, value and step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from graphql_runs.ingest.api import Context, Delivery, Skipped
from graphql_runs.ingest.files import Mark, lines, open_file, size_of
from graphql_runs.ingest.gather import Gathered
from graphql_runs_mlflow.run import same_place

_REWRITTEN = "the file was written anew; it is read again from its beginning"
_INT64 = 1 << 63


def read_metric(
    run_id: str, name: str, path: PurePosixPath, checkpoint: Mapping[str, object] | None, context: Context
) -> Iterator[Delivery]:
    """The points after the checkpoint. A line is `milliseconds value [step [dataset digest]]`; without a step it is 0, as MLflow has it."""
    if checkpoint is None:
        same_place(context.after, "files")
    with open_file(context.tree.folder, path) as file:
        mark = None if checkpoint is None else Mark.from_json(checkpoint)
        remarks: list[Skipped] = []
        if mark is not None and not mark.within(file):
            if mark.begins(file) or not size_of(file):
                return  # shorter than what was read: somebody is in the middle of copying it, or cut it
            remarks, mark = [Skipped(str(path), _REWRITTEN)], None
        for piece in lines(file, 0 if mark is None else mark.offset, context.limits):
            points = Gathered(run_id)
            skipped, remarks = remarks, []
            if piece.too_long:
                skipped.append(Skipped(str(path), "a line over the limit"))
            for raw in piece.data.splitlines():
                found = _point(raw)
                if found is None:
                    skipped.append(Skipped(str(path), f"no point: {raw[:60]!r}"))
                else:
                    at, value, step = found
                    points.point(name, value, step, at)
            yield Delivery(Mark.at(file, piece.end).to_json(), points.operations(), skipped=skipped)


def _point(raw: bytes) -> tuple[int, float, int] | None:
    """Microseconds, value and step of a line."""
    parts = raw.split()
    try:
        at, value = int(parts[0]) * 1000, float(parts[1])
        step = int(parts[2]) if len(parts) > 2 else 0
    except (ValueError, IndexError):
        return None
    return (at, value, step) if abs(at) < _INT64 and abs(step) < _INT64 else None
