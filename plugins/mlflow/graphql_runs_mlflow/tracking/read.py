"""Reading one run of a tracking server: its facts, its outputs, and the points of its metrics that are new."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from urllib.parse import quote

import numpy as np

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unit, Unreadable
from graphql_runs.model.operation import AddArtifact, RunOperation
from graphql_runs_mlflow.points import log_points
from graphql_runs_mlflow.run import (
    MODEL,
    MODELS,
    PARENT,
    RunFacts,
    Told,
    dataset_property,
    micros,
    same_place,
    status_word,
)
from graphql_runs_mlflow.tracking.client import (
    Client,
    Message,
    Missing,
    pairs,
    part,
    parts,
    whole,
    word,
)
from graphql_runs_mlflow.tracking.history import History, Mark, Piece, shown
from graphql_runs_mlflow.tracking.listing import ended

_PLACE = "server"
_POINT_BYTES = 40
_WINDOW = 64
_NAMES = 2000
"""Points that are kept by name in a checkpoint, of all metrics together."""
_ARTIFACTS = 1000
_DEPTH = 16
_EVERY = 500
"""Outputs of one delivery."""


@dataclass(slots=True)
class _State:
    """What a checkpoint keeps: what was told, where each metric stands, the version that was read to its end, whether the run had
    ended then, and a digest of the outputs that were told."""

    told: Told | None = None
    metrics: dict[str, Mark] = field(default_factory=dict)
    version: str = ""
    ended: bool = False
    outputs: str = ""

    @staticmethod
    def of(checkpoint: Mapping[str, object] | None) -> _State:
        same_place(checkpoint, _PLACE)
        match checkpoint:
            case {
                "metrics": dict(metrics),
                "version": str(version),
                "ended": bool(over),
                "outputs": str(outputs),
            }:
                marks = {str(key): Mark.from_json(value) for key, value in metrics.items()}
                return _State(Told.from_json(checkpoint), marks, version, over, outputs)
        return _State()

    def to_json(self) -> dict[str, object]:
        told = self.told.to_json() if self.told is not None else {}
        return {
            **told,
            "place": _PLACE,
            "metrics": {key: mark.to_json() for key, mark in self.metrics.items()},
            "version": self.version,
            "ended": self.ended,
            "outputs": self.outputs,
        }


class Reading:
    """Reads runs of one server."""

    def __init__(self, client: Client, artifacts: bool) -> None:
        self._client = client
        self._history = History(client)
        self._artifacts = artifacts

    def run(
        self,
        unit: Unit,
        checkpoint: Mapping[str, object] | None,
        context: Context,
        experiments: Mapping[str, str],
    ) -> Iterator[Delivery]:
        """What is new of a run. Raises OSError, Unreadable."""
        assert unit.run is not None
        state = _State.of(checkpoint)
        version = str(unit.hints.get("version", ""))
        if version and state.version == version:
            return
        run_id = unit.run.run_id
        try:
            message = part(self._client.get("runs/get", run_id=run_id, run_uuid=run_id), "run")
        except Missing:
            return  # deleted for good since it was listed
        over = ended(status_word(part(message, "info").get("status")))
        thorough = (over and not state.ended) or bool(unit.hints.get("again"))
        held: Delivery | None = None
        for delivery in chain(
            self._facts(message, run_id, unit.run.root_id, state, experiments, thorough),
            self._points(message, run_id, state, context, thorough),
        ):
            if held is not None:
                yield held
            held = delivery
        state.version, state.ended = version, over
        # That everything was read is only kept together with something that is written.
        yield Delivery(state.to_json()) if held is None else replace(held, checkpoint=state.to_json())

    # Facts

    def _facts(
        self,
        message: Message,
        run_id: str,
        root: str,
        state: _State,
        experiments: Mapping[str, str],
        thorough: bool,
    ) -> Iterator[Delivery]:
        facts = self._facts_of(message, run_id, root, experiments)
        told = Told.of(facts)
        changed = state.told is None or state.told.digest != told.digest
        operations: list[RunOperation] = facts.operations(state.told) if changed else []
        outputs: Sequence[AddArtifact] = ()
        skipped: list[Skipped] = []
        if self._artifacts and (changed or thorough):
            outputs, problems = self._outputs(run_id)
            skipped = [Skipped(run_id, problem) for problem in problems]
            digest = Told.of(facts, [(one.path, one.size) for one in outputs]).digest
            outputs = outputs if digest != state.outputs else ()
            state.outputs = digest
        state.told = told
        for first in range(0, max(1, len(outputs)), _EVERY):
            operations += outputs[first : first + _EVERY]
            if operations or skipped:
                yield Delivery(state.to_json(), operations, skipped=skipped)
            operations, skipped = [], []

    def _facts_of(self, message: Message, run_id: str, root: str, experiments: Mapping[str, str]) -> RunFacts:
        info, data = part(message, "info"), part(message, "data")
        tags = pairs(data, "tags")
        parent = tags.get(PARENT)
        experiment = word(info, "experiment_id") or ""
        artifact_uri = word(info, "artifact_uri")
        properties = {"artifact_uri": artifact_uri} if artifact_uri else {}
        for one in parts(part(message, "inputs"), "dataset_inputs"):
            dataset = part(one, "dataset")
            if word(dataset, "name") and word(dataset, "digest"):
                given = {name: value if isinstance(value, str) else None for name, value in dataset.items()}
                key, kept = dataset_property(given, pairs(one, "tags"))
                properties[key] = kept
        properties |= self._models(message)
        return RunFacts(
            run_id,
            experiments.get(experiment) or experiment or "Default",
            self._client.base,
            status_word(info.get("status")),
            name=word(info, "run_name"),
            parent=parent if parent and parent != run_id else None,
            root=root,
            user=word(info, "user_id"),
            started_at=micros(whole(info.get("start_time"))),
            ended_at=micros(whole(info.get("end_time"))),
            params=pairs(data, "params"),
            tags=tags,
            properties=properties,
            deleted=info.get("lifecycle_stage") == "deleted",
        )

    def _models(self, message: Message) -> dict[str, str]:
        """Models that the run logged, as our receiver keeps them."""
        found: dict[str, str] = {}
        for one in parts(part(message, "outputs"), "model_outputs"):
            model_id = word(one, "model_id")
            if model_id is None:
                continue
            try:
                model = part(self._client.get(f"logged-models/{quote(model_id, safe='')}"), "model")
            except Missing:
                continue
            info = part(model, "info")
            kept = {
                "name": word(info, "name"),
                "model_type": word(info, "model_type") or "",
                "status": word(info, "status") or "LOGGED_MODEL_STATUS_UNSPECIFIED",
                "tags": pairs(info, "tags"),
                "params": pairs(part(model, "data"), "params"),
                "created": whole(info.get("creation_timestamp_ms")),
                "step": whole(one.get("step", 0)),
            }
            found[f"{MODEL}{model_id}"] = json.dumps(kept)
        return found | ({MODELS: "yes"} if found else {})

    def _outputs(self, run_id: str) -> tuple[list[AddArtifact], list[str]]:
        """The run's outputs, and why there may be more. They stay on the server: what it says of places is not looked at here."""
        found: list[AddArtifact] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            token = ""
            for _ in range(_ARTIFACTS):
                asked = {"run_id": run_id, "run_uuid": run_id}
                asked |= {"path": folder} if folder else {}
                asked |= {"page_token": token} if token else {}
                try:
                    answer = self._client.get("artifacts/list", **asked)
                except Unreadable as error:
                    return found, [f"its outputs cannot be listed: {error}"]
                except OSError as error:
                    # The place where they lie may not answer for good, while the server does.
                    return found, [f"its outputs cannot be listed now: {error}"]
                for one in parts(answer, "files"):
                    path = word(one, "path")
                    if (
                        path is None
                        or not path.startswith(f"{folder}/" if folder else "")
                        or path.count("/") > _DEPTH
                    ):
                        continue
                    if len(found) + len(folders) >= _ARTIFACTS:
                        return found, [f"outputs after the first {_ARTIFACTS} were left out"]
                    if one.get("is_dir") is True:
                        folders.append(path)
                    else:
                        found.append(self._output(run_id, path, one))
                token = word(answer, "next_page_token") or ""
                if not token:
                    break
        return found, []

    def _output(self, run_id: str, path: str, message: Message) -> AddArtifact:
        where = f"{self._client.base}/get-artifact?path={quote(path)}&run_uuid={quote(run_id)}"
        size = max(0, whole(message.get("file_size")) or 0)
        return AddArtifact(run_id, path, size, mimetypes.guess_type(path)[0], location=where)

    # Points

    def _points(
        self, message: Message, run_id: str, state: _State, context: Context, thorough: bool
    ) -> Iterator[Delivery]:
        listed = {
            key: one
            for one in parts(part(message, "data"), "metrics")
            if (key := word(one, "key")) is not None
        }
        window = max(1, min(_WINDOW, _NAMES // max(1, len(listed))))
        most = max(1, context.limits.delivery_bytes // _POINT_BYTES)
        operations: list[RunOperation] = []
        skipped: list[Skipped] = []
        size = 0
        if len(listed) > context.limits.metrics_per_run:
            skipped.append(
                Skipped(run_id, f"metrics after the first {context.limits.metrics_per_run} were left out")
            )
        for key, one in list(listed.items())[: context.limits.metrics_per_run]:
            mark, last = state.metrics.get(key, Mark()), shown(one)
            if mark.shown == last and not thorough:
                continue
            for piece in self._history.new(run_id, key, mark, last, most, window):
                if piece.points:
                    operations.append(_points_of(run_id, key, piece))
                skipped += [Skipped(f"{run_id}: {key}", problem) for problem in _problems(piece)]
                state.metrics[key] = piece.mark
                size += len(piece.points)
                if size >= most:
                    yield Delivery(state.to_json(), operations, skipped=skipped)
                    operations, skipped, size = [], [], 0
        if operations or skipped:
            yield Delivery(state.to_json(), operations, skipped=skipped)


def _points_of(run_id: str, key: str, piece: Piece) -> RunOperation:
    return log_points(
        run_id,
        key,
        np.array([point.value for point in piece.points], dtype=np.float64),
        np.array([point.step for point in piece.points], dtype=np.int64),
        np.array([point.millis for point in piece.points], dtype=np.int64),
    )


def _problems(piece: Piece) -> Iterator[str]:
    if piece.late:
        yield (
            f"{piece.late} points were logged with a time long before that of others which had been read; they are left out, as they "
            "cannot be told from those"
        )
    if piece.unusable:
        yield f"{piece.unusable} points have no time, step or value"
