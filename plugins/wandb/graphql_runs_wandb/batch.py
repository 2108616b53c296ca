"""From records to operations."""

from __future__ import annotations

import json
import math
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from graphql_runs.ingest.api import Context, RunFolder, Skipped
from graphql_runs.ingest.gather import Gathered
from graphql_runs.model.operation import AddArtifact, Annotate, DeclareRun, LogText, RunOperation, SetStatus
from graphql_runs.model.records import MetricKind
from graphql_runs.model.status import RunStatus
from graphql_runs_wandb.message import (
    Config,
    Environment,
    Exit,
    Files,
    History,
    Item,
    Json,
    Output,
    Said,
    Started,
    Stats,
    Summary,
    flat,
)

if TYPE_CHECKING:
    from graphql_runs_wandb.ingester import WandbConfig

_SKIPS = 50
_NAMES = 500
"""Names of history keys that are remembered, to tell the summary's own."""
_OWN = frozenset({"_step", "_timestamp", "_runtime", "_wandb"})
_OUTPUT = "output.log"
_INT64 = 1 << 63
_LONGEST = 1000
"""Characters of a summary's value that is kept."""


@dataclass(slots=True)
class State:
    """What has to be known to read on: the run's start, the last time that was said (microseconds), history keys."""

    started: int | None = None
    last: int | None = None
    names: dict[str, None] = field(default_factory=dict)
    ended: bool = False
    waiting: dict[str, str] = field(default_factory=dict)
    """Values of the summary, which come before the row of the history that they are of, if they are of one."""

    def to_json(self) -> dict[str, object]:
        """For a checkpoint."""
        return {
            "started": self.started,
            "last": self.last,
            "names": list(self.names),
            "ended": self.ended,
            "waiting": self.waiting,
        }

    @staticmethod
    def from_json(value: Mapping[str, object]) -> State:
        """From a checkpoint."""
        match value:
            case {
                "started": int() | None as started,
                "last": int() | None as last,
                "names": list(names),
                "ended": bool(ended),
                "waiting": dict(waiting),
            }:
                return State(started, last, dict.fromkeys(map(str, names)), ended, dict(waiting))
        raise ValueError(f"not a state: {value!r}")


class Batch:
    """Records on their way to one delivery."""

    def __init__(
        self, run: RunFolder, path: PurePosixPath, state: State, context: Context, config: WandbConfig
    ) -> None:
        self.skipped: list[Skipped] = []
        self.state = state
        self._run_id = run.run_id
        self._folder = run.path
        self._path = path
        self._context = context
        self._config = config
        self._points = Gathered(run.run_id)
        self._text: list[str] = []
        self._others: list[RunOperation] = []
        self._reasons: set[str] = set()
        self._bytes = 0

    @property
    def empty(self) -> bool:
        """Nothing was taken."""
        return not (self._points or self._text or self._others or self.skipped)

    @property
    def full(self) -> bool:
        """Enough for one delivery."""
        return self._points.bytes + self._bytes >= self._context.limits.delivery_bytes

    def skip(self, reason: str) -> None:
        """Report something that is left out, once."""
        if reason not in self._reasons and len(self._reasons) < _SKIPS:
            self._reasons.add(reason)
            self.skipped.append(Skipped(str(self._path), reason))

    def operations(self) -> Sequence[RunOperation]:
        """Everything that was taken; the run itself first."""
        text = "".join(self._text).encode("utf-8", "replace")
        logs = [LogText(self._run_id, _OUTPUT, text)] if text else []
        return [*self._others, *self._points.operations(), *logs]

    def add(self, said: Said) -> None:
        """Take what a record says."""
        match said:
            case Started():
                self._start(said)
            case History():
                self._history(said)
            case Config(items):
                self._annotate(params=_texts(items))
            case Summary(items):
                self._summary(items)
            case Output(line, at):
                self._text.append(line)
                self._bytes += len(line)
                self._heard(at)
            case Stats(items, at):
                self._heard(at)
                for name, value in flat(items, "."):
                    self._number(f"system/{name}", value, None, at)
            case Files(paths):
                for path in paths:
                    self._file(path)
            case Environment(facts):
                self._annotate(properties={f"wandb.{name}": value for name, value in facts.items()})
            case Exit():
                self._end(said)

    def _start(self, run: Started) -> None:
        if run.run_id and run.run_id != self._run_id:
            self.skip(f"the log says that its run is {run.run_id!r}")
        self.state.started = run.at
        self._heard(run.at)
        properties = {
            "wandb.entity": run.entity, "wandb.project": run.project, "wandb.sweep": run.sweep,
            "wandb.host": run.host, "mlflow.source.git.repoURL": run.remote, "mlflow.source.git.commit": run.commit,
        }  # fmt: skip
        tags = dict.fromkeys(run.labels, "") | ({"group": run.group} if run.group else {})
        self._others.append(
            DeclareRun(
                self._run_id,
                experiment=run.project or "wandb",
                name=run.name or self._run_id,
                source="wandb",
                description=run.notes,
                kind=run.job_type or None,
                submitted_by=run.entity or None,
                created_at=run.at,
                tags=tags,
                params=_texts(run.config),
                properties={name: value for name, value in properties.items() if value},
            )
        )
        self._others.append(SetStatus(self._run_id, RunStatus.RUNNING, str(self._path), at=run.at))
        if run.at is not None:
            self._annotate(started_at=run.at)

    def _end(self, end: Exit) -> None:
        self.state.ended = True
        self._summarise()
        at = self.state.last
        if self.state.started is not None and end.runtime:
            at = max(at or 0, self.state.started + end.runtime * 1_000_000)
        status = RunStatus.FAILED if end.code else RunStatus.COMPLETED
        self._annotate(exit_code=end.code)
        self._others.append(
            SetStatus(self._run_id, status, str(self._path), at=at, detail=f"exit code {end.code}")
        )

    def _history(self, row: History) -> None:
        values: dict[tuple[str, ...], Json] = {item.path: item.value for item in row.items}
        step, seconds = row.step, values.get(("_timestamp",))
        own_step = values.get(("_step",))
        if step is None and isinstance(own_step, int):
            step = own_step
        at = round(seconds * 1e6) if isinstance(seconds, int | float) and math.isfinite(seconds) else None
        self._heard(at)
        for path, media in _media(values):
            self.state.names |= {".".join((*path, member)): None for member in media}
            self._shown(".".join(path), media, step, at)
        for name, value in flat(tuple(Item(path, value) for path, value in values.items()), "."):
            if name in _OWN:
                continue
            if len(self.state.names) < _NAMES:
                self.state.names[name] = None
            if isinstance(value, dict) and "_type" in value:
                self._shown(name, value, step, at)
            else:
                self._value(name, value, step, at)
        self._summarise()

    def _value(self, name: str, value: Json, step: int | None, at: int | None) -> None:
        match value:
            case None:
                return
            case str():
                self._row(name, {"text": self._cut(value)}, step, at, MetricKind.TEXT)
            case list() if value and all(isinstance(one, int | float) for one in value):
                for one in value:
                    self._points.point(name, one, step, at, MetricKind.LIST)
            case list() | dict():
                self._row(name, {"text": self._cut(json.dumps(value))}, step, at, MetricKind.TEXT)
            case _:
                self._number(name, value, step, at)

    def _number(self, name: str, value: Json, step: int | None, at: int | None) -> None:
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int | float):
            return
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            value = float(value)
        if self._sound(name):
            self._points.point(name, value, step, at)

    def _shown(self, name: str, media: Mapping[str, Json], step: int | None, at: int | None) -> None:
        """A value with a `_type`: a histogram by its numbers, anything else by the file that holds it."""
        kind = media.get("_type")
        if kind == "histogram" and isinstance(media.get("bins"), list):
            edges, counts = media["bins"], media.get("values")
            count = (
                sum(one for one in counts if isinstance(one, int | float)) if isinstance(counts, list) else 0
            )
            row = {"count": float(count), "edges": json.dumps(edges), "counts": json.dumps(counts)}
            self._row(name, row, step, at, MetricKind.HISTOGRAM)
        elif isinstance(path := media.get("path"), str):
            columns: dict[str, Any] = {"path": f"files/{path}"}
            picture = kind == "image-file"
            if picture:
                columns |= {"width": _whole(media.get("width")), "height": _whole(media.get("height"))}
            self._row(name, columns, step, at, MetricKind.IMAGE if picture else MetricKind.TEXT)
        else:
            self.skip(f"{name[:200]}: a value of type {kind!r} is not kept")

    def _row(
        self, name: str, values: Mapping[str, Any], step: int | None, at: int | None, kind: MetricKind
    ) -> None:
        if self._sound(name):
            self._points.row(name, values, step, at, kind)

    def _summary(self, items: tuple[Item, ...]) -> None:
        for name, value in _texts(items).items():
            if name not in self.state.names and len(self.state.waiting) < _NAMES and len(value) <= _LONGEST:
                self.state.waiting[name] = value
        if self.state.ended:
            self._summarise()

    def _summarise(self) -> None:
        """Tell what the job itself set in the summary. The last values of the history are a metric's already."""
        found = {name: value for name, value in self.state.waiting.items() if name not in self.state.names}
        self.state.waiting = {}
        if len(self.state.names) < _NAMES:
            self._annotate(properties={f"wandb.summary.{name}": value for name, value in found.items()})

    def _file(self, path: str) -> None:
        inside = PurePosixPath("files") / path
        if inside.is_absolute() or ".." in inside.parts:
            self.skip(f"a file outside of the run: {path[:200]}")
            return
        place = self._context.tree.folder / self._folder / inside
        try:
            found = place.stat(follow_symlinks=False)
        except OSError:
            return
        if S_ISREG(found.st_mode):
            self._others.append(
                AddArtifact(
                    self._run_id, str(inside), found.st_size, mimetypes.guess_type(path)[0],
                    location=str(place), created_at=found.st_mtime_ns // 1000,
                )
            )  # fmt: skip

    def _annotate(self, **facts: Any) -> None:
        if any(value not in (None, {}) for value in facts.values()):
            self._others.append(Annotate(self._run_id, **facts))
            self._bytes += sum(len(str(value)) for value in facts.values())

    def _heard(self, at: int | None) -> None:
        if at is not None:
            self.state.last = max(at, self.state.last or at)

    def _cut(self, value: str) -> str:
        cut = value.encode("utf-8", "replace")[: self._config.text_bytes].decode("utf-8", "ignore")
        if len(cut) < len(value):
            self.skip(f"a text over {self._config.text_bytes} bytes is cut")
        return cut

    def _sound(self, name: str) -> bool:
        if name and len(name.encode("utf-8", "replace")) <= self._context.limits.name_bytes:
            return True
        self.skip("a name that is empty or too long")
        return False


def _media(values: dict[tuple[str, ...], Json]) -> list[tuple[tuple[str, ...], dict[str, Json]]]:
    """Objects with a `_type` whose members came as values of their own, taken out of the others."""
    found = []
    for path in [path[:-1] for path in values if len(path) > 1 and path[-1] == "_type"]:
        members = [other for other in values if other[: len(path)] == path]
        found.append((path, {".".join(member[len(path) :]): values.pop(member) for member in members}))
    return found


def _texts(items: tuple[Item, ...]) -> dict[str, str]:
    """Values as texts, without wandb's own."""
    found: dict[str, str] = {}
    for name, value in flat(items, "."):
        if name.split(".")[0] == "_wandb" or name in _OWN or value is None:
            continue
        match value:
            case str():
                found[name] = value
            case bool():
                found[name] = str(value).lower()
            case int() | float():
                found[name] = repr(value)
            case _:
                found[name] = json.dumps(value)
    return found


def _whole(value: Json) -> int | None:
    return value if isinstance(value, int) else None
