"""Metrics whose values are files of the run: images, confusion matrices, accuracy tables, residuals, predictions.

Azure keeps them as artifacts beside the outputs, and the metric's value is where: `aml://artifactId/ExperimentRun/dcid.<run>/<path>`.
A document may also stand in the value's place, as `get_metrics(populate=True)` gives it. What it says is checked by the server.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import orjson

from graphql_runs.ingest.api import File, Tree, Unreadable
from graphql_runs.model.operation import LogRows, RunOperation
from graphql_runs.model.records import PAYLOAD, PAYLOAD_KINDS, MetricKind
from graphql_runs_azureml import layout
from graphql_runs_azureml.document import parse, read
from graphql_runs_azureml.fields import kind as type_of
from graphql_runs_azureml.outputs import artifact, as_it_is
from graphql_runs_azureml.series import Misfit, Row, Shape
from graphql_runs_azureml.text import clean, name_problem, shown

KINDS = {
    "azureml.v2.image": MetricKind.IMAGE,
    "azureml.v2.confusion_matrix": MetricKind.CONFUSION_MATRIX,
    "azureml.v2.accuracy_table": MetricKind.ACCURACY_TABLE,
    "azureml.v2.residuals": MetricKind.RESIDUALS,
    "azureml.v2.predictions": MetricKind.PREDICTIONS,
}
"""By `uxMetricType`."""
_SCHEMAS = {kind.lower(): kind for kind in PAYLOAD_KINDS}
_PLACE = re.compile(r"aml://artifactId/[^/]+/([^/]+)/(.+)", re.DOTALL)
_CONTAINER = "dcid."


class Absent(Exception):
    """The file of a value is not there yet, or cannot be read as it is; the message says which."""


def may_be_document(head: bytes) -> bool:
    """Does a file that begins like this look like a document with a schema?"""
    return b'"schema_type"' in head and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def may_be_at(path: PurePosixPath) -> bool:
    """Is the file at this path in a run where Azure puts such a file: beside the outputs, an image or one to be looked into?"""
    parts = path.parts[1:] if path.parts[0] == layout.DOWNLOADED else path.parts
    return len(parts) == 1 and (is_image(path) or path.suffix in ("", ".json"))


def is_image(path: PurePosixPath) -> bool:
    """Is it one by its name?"""
    return (mimetypes.guess_type(path.name)[0] or "").startswith("image/")


def is_place(value: object) -> bool:
    """Is a value the place of an artifact?"""
    return isinstance(value, str) and _PLACE.fullmatch(value) is not None


def is_document(value: object) -> bool:
    """Is a value a document of a kind that is known?"""
    return isinstance(value, dict) and value.get("schema_type") in _SCHEMAS


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Where the artifacts of a run lie. `limit`: bytes of a document."""

    run_id: str
    tree: Tree
    folders: Sequence[PurePosixPath]
    limit: int

    def operations(
        self, metric: str, kind: MetricKind | None, row: Row, shapes: dict[str, Shape]
    ) -> list[RunOperation]:
        """Operations that write one value; `shapes` learns the metric's kind. Without a `kind` the file says which it is.

        Raises Absent, and Misfit when the value is none or the metric has another kind than before.
        """
        metric = clean(metric)
        if problem := name_problem(metric):
            raise Misfit(f"metric {shown(metric)} {problem}")
        value = next(iter(row.data.values()), None)
        made: list[RunOperation] = []
        if isinstance(value, str) and (place := _PLACE.fullmatch(value)):
            path = self._path(metric, place[1], place[2])
            file = self._find(metric, path)
            if kind is MetricKind.IMAGE or (kind is None and is_image(path)):
                if not layout.is_output(path):
                    made.append(artifact(self.run_id, str(path), file, self.tree))
                return [*made, self._row(metric, MetricKind.IMAGE, "path", str(path), row, shapes)]
            value = self._load(metric, file)
        elif isinstance(value, str) and value.lstrip().startswith("{"):
            value = _parsed(metric, value)
        return [self._document(metric, kind, value, row, shapes)]

    def _document(
        self, metric: str, kind: MetricKind | None, value: object, row: Row, shapes: dict[str, Shape]
    ) -> LogRows:
        if not isinstance(value, dict):
            raise Misfit(f"metric {shown(metric)} is {type_of(value)}, not a document")
        found = kind or _SCHEMAS.get(str(value.get("schema_type")))
        if found is None or found is MetricKind.IMAGE:
            raise Misfit(f"metric {shown(metric)} is a document of no kind that is read")
        try:
            text = orjson.dumps(value).decode()
        except TypeError as error:  # an integer beyond 64 bits, or nested too deeply
            raise Misfit(f"metric {shown(metric)} cannot be kept: {error}") from error
        return self._row(metric, found, PAYLOAD, text, row, shapes)

    def _row(
        self, metric: str, kind: MetricKind, column: str, value: str, row: Row, shapes: dict[str, Shape]
    ) -> LogRows:
        before = shapes.setdefault(metric, Shape(kind)).kind
        if before is not kind:
            raise Misfit(f"metric {shown(metric)} was {_word(before)} before and is {_word(kind)} now")
        steps = None if row.step is None else [row.step]
        return LogRows(
            self.run_id, metric, {column: [value]}, steps, None if row.at is None else [row.at], kind
        )

    def _path(self, metric: str, container: str, text: str) -> PurePosixPath:
        path = PurePosixPath(clean(text))
        if container.startswith(_CONTAINER) and container.removeprefix(_CONTAINER) != self.run_id:
            raise Misfit(f"metric {shown(metric)} names a file of another run, {shown(container)}")
        if path.is_absolute() or ".." in path.parts or "\0" in text or not path.parts:
            raise Misfit(f"metric {shown(metric)} names no file of the run: {shown(text)}")
        return path

    def _find(self, metric: str, path: PurePosixPath) -> File:
        for folder in self.folders:
            for place in (folder / path, folder / layout.DOWNLOADED / path):
                if (found := as_it_is(self.tree, File(place, 0, 0, 0))) is not None:
                    return found
        raise Absent(
            f"metric {shown(metric)} waits for its file {shown(str(path))}, which is not in the folder"
        )

    def _load(self, metric: str, file: File) -> object:
        try:
            return parse(read(self.tree.folder, file.path, self.limit)[0], file.path)
        except (Unreadable, FileNotFoundError) as error:
            raise Absent(
                f"metric {shown(metric)} waits until its file {shown(str(file.path))} can be read: {error}"
            ) from error


def _parsed(metric: str, text: str) -> object:
    try:
        return parse(text.encode("utf-8", "replace"), PurePosixPath())
    except Unreadable as error:
        raise Misfit(f"metric {shown(metric)} is no document: {error}") from error


def _word(kind: MetricKind) -> str:
    return kind.lower().replace("_", " ")
