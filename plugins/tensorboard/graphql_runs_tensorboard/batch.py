"""From events to operations."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphql_runs.ingest.api import Limits, Skipped
from graphql_runs.ingest.gather import Gathered
from graphql_runs.model.operation import Annotate, RunOperation, SetStatus
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
from graphql_runs_tensorboard.scalar import Number

if TYPE_CHECKING:
    from graphql_runs_tensorboard.ingester import TensorboardConfig

_SKIPS = 50
_STATUSES = {
    "SUCCESS": RunStatus.COMPLETED,
    "FAILURE": RunStatus.FAILED,
    "RUNNING": RunStatus.RUNNING,
}


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
        self._points = Gathered(run_id)
        self._others: list[RunOperation] = []
        self._reasons: set[tuple[str, str]] = set()
        self._names: dict[str, str | None] = {}

    @property
    def empty(self) -> bool:
        """Nothing was taken."""
        return not (self._points or self._others or self.skipped)

    @property
    def full(self) -> bool:
        """Enough for one delivery."""
        return self._points.bytes >= self._limits.delivery_bytes

    def skip(self, reason: str, tag: str = "") -> None:
        """Report something that is left out, once for each reason and tag."""
        if (tag, reason) in self._reasons or len(self._reasons) > _SKIPS:
            return
        self._reasons.add((tag, reason))
        if len(self._reasons) > _SKIPS:
            tag, reason = "", f"more than {_SKIPS} things are left out here; the others are not named"
        self.skipped.append(Skipped(self._path, f"{tag[:200]}: {reason}" if tag else reason))

    def add(self, event: Event) -> None:
        """Take what an event says."""
        at = round(event.wall_time * 1e6)
        for said in event.said:
            self._say(said, event.step, at)

    def number(self, number: Number) -> None:
        """Take the number of a scalar event."""
        if number.tag not in self._names:
            self._names[number.tag] = self._name(number.tag)
        name = self._names[number.tag]
        if name is not None:
            self._points.point(name, number.value, number.step, round(number.wall_time * 1e6))

    def operations(self) -> Sequence[RunOperation]:
        """Everything that was taken."""
        return [*self._others, *self._points.operations()]

    def _say(self, said: Said, step: int, at: int) -> None:
        match said:
            case Scalar(tag, value):
                if (name := self._name(tag)) is not None:
                    self._points.point(name, value, step, at)
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
                    SetStatus(self._run_id, word, self._path, at=round(ended * 1e6), original=status)
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
        if (name := self._name(tag)) is not None:
            self._points.row(name, values, step, at, kind)

    def _name(self, tag: str) -> str | None:
        name = self._prefix + tag
        if name and len(name.encode()) <= self._limits.name_bytes:
            return name
        self.skip("a tag that is empty or too long", tag)
        return None
