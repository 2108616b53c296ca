"""From events to operations: consecutive points of one tag become one array."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql_runs.ingest.api import Limits, Skipped
from graphql_runs.model.operation import Annotate, LogPoints, LogRows, RunOperation, SetStatus
from graphql_runs.model.records import MetricKind
from graphql_runs.model.status import RunStatus
from graphql_runs_tensorboard.event import (
    Event,
    Histogram,
    Hparams,
    Image,
    Left,
    Said,
    Scalar,
    SessionEnd,
    Text,
)

if TYPE_CHECKING:
    from graphql_runs_tensorboard.ingester import TensorboardConfig

_SKIPS = 50
_POINT_BYTES = 24
_STATUSES = {
    "SUCCESS": RunStatus.COMPLETED,
    "FAILURE": RunStatus.FAILED,
    "RUNNING": RunStatus.RUNNING,
}


@dataclass(slots=True)
class _Points:
    """Points of one metric. Scalars have the one column `value`."""

    kind: MetricKind
    columns: dict[str, list[Any]] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)


class Batch:
    """Events on their way to one delivery."""

    def __init__(
        self, run_id: str, prefix: str, path: str, limits: Limits, config: TensorboardConfig
    ) -> None:
        self.skipped: list[Skipped] = []
        self._run_id = run_id
        self._prefix = prefix
        self._path = path
        self._limits = limits
        self._config = config
        self._points: dict[tuple[str, MetricKind], _Points] = {}
        self._others: list[RunOperation] = []
        self._reasons: set[tuple[str, str]] = set()
        self._bytes = 0

    @property
    def empty(self) -> bool:
        """Nothing was taken."""
        return not (self._points or self._others or self.skipped)

    @property
    def full(self) -> bool:
        """Enough for one delivery."""
        return self._bytes >= self._limits.delivery_bytes

    def skip(self, reason: str, tag: str = "") -> None:
        """Report something that is left out, once for each reason and tag."""
        if (tag, reason) not in self._reasons and len(self._reasons) < _SKIPS:
            self._reasons.add((tag, reason))
            self.skipped.append(Skipped(self._path, f"{tag[:200]}: {reason}" if tag else reason))

    def add(self, event: Event) -> None:
        """Take what an event says."""
        at = round(event.wall_time * 1e6)
        self._bytes += _POINT_BYTES
        for said in event.said:
            self._say(said, event.step, at)

    def operations(self) -> Sequence[RunOperation]:
        """Everything that was taken."""
        found: list[RunOperation] = list(self._others)
        for (metric, kind), points in self._points.items():
            if kind is MetricKind.SCALAR:
                found.append(
                    LogPoints(self._run_id, metric, points.columns["value"], points.steps, points.at)
                )
            else:
                found.append(LogRows(self._run_id, metric, points.columns, points.steps, points.at, kind))
        return found

    def _say(self, said: Said, step: int, at: int) -> None:
        match said:
            case Scalar(tag, value):
                self._row(tag, MetricKind.SCALAR, step, at, value=value)
            case Text(tag, text):
                cut = text.encode()[: self._config.text_bytes].decode("utf-8", "ignore")
                if len(cut) < len(text):
                    self.skip(f"a text over {self._config.text_bytes} bytes is cut", tag)
                self._row(tag, MetricKind.TEXT, step, at, text=cut)
            case Histogram():
                self._row(
                    said.tag, MetricKind.HISTOGRAM, step, at,
                    count=said.count, min=said.least, max=said.most, sum=said.total,
                    edges=json.dumps(said.edges), counts=json.dumps(said.counts),
                )  # fmt: skip
            case Image():
                self._image(said, step, at)
            case Hparams(values):
                self._others.append(Annotate(self._run_id, params=values))
            case SessionEnd(status, ended):
                word = _STATUSES[status]
                self._others.append(
                    SetStatus(self._run_id, word, self._path, at=round(ended * 1e6) or at, original=status)
                )
            case Left(tag, reason):
                self.skip(reason, tag)

    def _image(self, image: Image, step: int, at: int) -> None:
        if len(image.data) > self._config.image_bytes:
            self.skip(f"a picture over {self._config.image_bytes} bytes", image.tag)
            return
        shown = f"data:{image.type};base64,{b64encode(image.data).decode()}"
        self._row(image.tag, MetricKind.IMAGE, step, at, width=image.width, height=image.height, image=shown)

    def _row(self, tag: str, kind: MetricKind, step: int, at: int, **values: Any) -> None:
        name = self._prefix + tag
        if not name or len(name.encode()) > self._limits.name_bytes:
            self.skip("a tag that is empty or too long", tag)
            return
        points = self._points.get((name, kind))
        if points is None:
            points = self._points[name, kind] = _Points(kind, {column: [] for column in values})
        for column, value in values.items():
            points.columns[column].append(value)
            self._bytes += len(value) if isinstance(value, str) else 8
        points.steps.append(step)
        points.at.append(at)
