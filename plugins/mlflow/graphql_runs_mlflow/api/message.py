"""Our records as the messages of MLflow's API (mlflow/protos/service.proto)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from graphql_runs.model.records import Experiment, Metric, MetricKind
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs_mlflow.api.identity import shown_id
from graphql_runs_mlflow.run import DATASET, MODEL, NAME, NOTE, OWN, PARENT, USER, WORDS

Message = dict[str, Any]
_BY_CLASS = {
    StatusClass.PENDING: "SCHEDULED",
    StatusClass.ACTIVE: "RUNNING",
    StatusClass.POST_PROCESSING: "RUNNING",
}
_BY_STATUS = {RunStatus.COMPLETED: "FINISHED", RunStatus.FAILED: "FAILED", RunStatus.CANCELED: "KILLED"}


def run_message(run: Run, metrics: Sequence[Metric], parent: Run | None) -> Message:
    """A run with the last points of its metrics."""
    return {
        "info": info_message(run),
        "data": {
            "metrics": [
                last_message(metric)
                for metric in metrics
                if metric.kind is MetricKind.SCALAR and metric.last is not None
            ],
            "params": _pairs(run.params),
            "tags": _pairs(tags_of(run, parent)),
        },
        "inputs": {"dataset_inputs": _datasets(run)},
        "outputs": {"model_outputs": _outputs(run)},
    }


def info_message(run: Run) -> Message:
    """What a run is, without its data."""
    id = shown_id(run)
    ended = run.ended_at if run.status.terminal else None
    return {
        "run_id": id,
        "run_uuid": id,
        "run_name": run.display_name or run.name,
        "experiment_id": run.experiment,
        "user_id": run.submitted_by or run.properties.get(USER, ""),
        "status": _word(run),
        "start_time": (run.created_at if run.started_at is None else run.started_at) // 1000,
        **({} if ended is None else {"end_time": ended // 1000}),
        "artifact_uri": f"mlflow-artifacts:/{run.experiment}/{id}/artifacts",
        "lifecycle_stage": "active" if run.trashed_at is None else "deleted",
    }


def tags_of(run: Run, parent: Run | None) -> dict[str, str]:
    """The tags of a run as MLflow has them: its own words, which we keep as properties, among them."""
    found = {
        **run.tags,
        **{key: text for key, text in run.properties.items() if key.startswith(OWN) and text},
    }
    found[NAME] = run.display_name or run.name
    if run.description and NOTE not in run.properties:
        found[NOTE] = run.description
    if parent is not None:
        found.setdefault(PARENT, shown_id(parent))
    return found


def experiment_message(experiment: Experiment) -> Message:
    """An experiment."""
    created = experiment.created_at // 1000
    return {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": f"mlflow-artifacts:/{experiment.id}",
        "lifecycle_stage": "active",
        "creation_time": created,
        "last_update_time": created,
        "tags": _pairs(experiment.tags),
    }


def last_message(metric: Metric) -> Message:
    """The last point of a metric."""
    assert metric.last is not None
    return metric_message(metric.name, metric.last, metric.last_at or 0, metric.last_step)


def metric_message(key: str, value: float, at: int, step: float | None) -> Message:
    """One point; `at` in microseconds."""
    whole = 0 if step is None or not math.isfinite(step) else int(step)
    return {"key": key, "value": number(value), "timestamp": at // 1000, "step": whole}


def number(value: float) -> float | str:
    """A double in JSON."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _datasets(run: Run) -> list[Message]:
    found = []
    for key, text in run.properties.items():
        if key.startswith(DATASET):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                continue  # a property of somebody else's that is called so
            if isinstance(value, dict) and value.keys() == {"tags", "dataset"}:
                found.append(value)
    return found


def _outputs(run: Run) -> list[Message]:
    names = [key.removeprefix(MODEL) for key in run.properties if key.startswith(MODEL)]
    found = [(name, kept(run, name)) for name in names]
    return [{"model_id": name, "step": model["step"]} for name, model in found if model and "step" in model]


def kept(run: Run, id: str) -> dict[str, Any] | None:
    """A logged model of a run, None when it has none of that id."""
    try:
        value = json.loads(run.properties.get(f"{MODEL}{id}", "null"))
    except (ValueError, RecursionError):
        return None  # a property of somebody else's that is called so
    whole = isinstance(value, dict) and value.keys() >= {
        "name",
        "model_type",
        "status",
        "tags",
        "params",
        "created",
    }
    return value if whole else None


def model_message(run: Run, id: str, model: Mapping[str, Any]) -> Message:
    """A logged model."""
    return {
        "info": {
            "model_id": id,
            "experiment_id": run.experiment,
            "name": model["name"],
            "creation_timestamp_ms": model["created"],
            "last_updated_timestamp_ms": model["created"],
            "artifact_uri": f"mlflow-artifacts:/{run.experiment}/models/{id}/artifacts",
            "status": model["status"],
            "model_type": model["model_type"],
            "source_run_id": shown_id(run),
            "tags": _pairs(model["tags"]),
        },
        "data": {"params": _pairs(model["params"]), "metrics": []},
    }


def _word(run: Run) -> str:
    """MLflow's word for a status: the one that was given, where it was MLflow's."""
    if run.original_status is not None and WORDS.get(run.original_status) is run.status:
        return run.original_status
    return _BY_STATUS.get(run.status) or _BY_CLASS[run.status.status_class]


def _pairs(values: Mapping[str, str]) -> list[Message]:
    return [{"key": key, "value": value} for key, value in values.items()]
