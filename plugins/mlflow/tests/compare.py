"""What was read, beside what MLflow itself says of the same runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from graphql_runs.ingest.api import Delivery
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    LogPoints,
    RestoreRun,
    SetStatus,
    TrashRun,
)

LARGEST = "1.7976931348623157e+308"
"""What MLflow's database makes of infinity."""
_STATUSES = {
    "RUNNING": "RUNNING",
    "SCHEDULED": "QUEUED",
    "FINISHED": "COMPLETED",
    "FAILED": "FAILED",
    "KILLED": "CANCELED",
}


def seen(deliveries: Iterable[Delivery]) -> dict[str, dict[str, Any]]:
    """Runs as operations make them, in the form in which tracked.py tells of them."""
    runs: dict[str, dict[str, Any]] = {}
    for delivery in deliveries:
        for operation in delivery.operations:
            run = runs.setdefault(
                operation.run_id,
                {
                    "params": {},
                    "tags": {},
                    "properties": {},
                    "points": {},
                    "artifacts": {},
                    "stage": "active",
                },
            )
            match operation:
                case DeclareRun():
                    assert operation.source == "mlflow"
                    run |= {
                        "experiment": operation.experiment,
                        "name": operation.name,
                        "parent": operation.parent,
                    }
                    run |= {
                        "start": operation.created_at,
                        "root": operation.root,
                        "user": operation.submitted_by,
                    }
                case Annotate():
                    run["params"] |= operation.params
                    run["tags"] |= operation.tags
                    run["properties"] |= operation.properties
                    for tag in operation.remove_tags:
                        run["tags"].pop(tag, None)
                    if operation.description is not None:
                        run["description"] = operation.description
                    if operation.ended_at is not None:
                        run["end"] = operation.ended_at
                case SetStatus():
                    run |= {"status": str(operation.status), "word": operation.original}
                case TrashRun():
                    run["stage"] = "deleted"
                case RestoreRun():
                    run["stage"] = "active"
                case LogPoints():
                    points = run["points"].setdefault(operation.metric, [])
                    assert operation.steps is not None
                    assert operation.at is not None
                    points += zip(
                        map(repr, map(float, operation.values)),
                        map(int, operation.steps),
                        map(int, operation.at),
                        strict=True,
                    )
                case AddArtifact():
                    run["artifacts"][operation.path] = operation
                case _:
                    raise AssertionError(operation)
    return runs


def check(found: Mapping[str, dict[str, Any]], said: Mapping[str, dict[str, Any]]) -> None:
    """Every run with all that MLflow says of it, and nothing else."""
    assert found.keys() == said.keys()
    for run_id, expected in said.items():
        run = found[run_id]
        tags = expected["tags"]
        parent = tags.get("mlflow.parentRunId")
        assert (run["experiment"], run["name"], run["parent"]) == (
            expected["experiment"],
            expected["name"],
            parent,
        )
        assert run["root"] == (root(run_id, said) if parent else None)
        assert (run["status"], run["word"]) == (_STATUSES[expected["status"]], expected["status"])
        assert run["start"] == expected["start"] * 1000
        assert run.get("end") == (None if expected["end"] is None else expected["end"] * 1000)
        assert run["stage"] == expected["stage"]
        assert run["user"] == (None if expected["user"] == "unknown" else expected["user"])
        assert run["params"] == expected["params"]
        assert run["tags"] == {name: text for name, text in tags.items() if not name.startswith("mlflow.")}
        assert run.get("description") == tags.get("mlflow.note.content")
        own = {name: text for name, text in tags.items() if name.startswith("mlflow.")}
        assert run["properties"].items() >= own.items()
        assert {key: sorted(points) for key, points in run["points"].items()} == {
            key: sorted((value.replace(LARGEST, "inf"), step, at * 1000) for value, step, at in points)
            for key, points in expected["metrics"].items()
        }
        _check_inputs(run["properties"], expected)


def _check_inputs(properties: Mapping[str, str], expected: Mapping[str, Any]) -> None:
    datasets = [json.loads(text) for name, text in properties.items() if name.startswith("dataset.")]
    assert [one["dataset"] for one in datasets] == [
        {name: text for name, text in one["dataset"].items() if text is not None}
        for one in expected["datasets"]
    ]
    assert [one["tags"] for one in datasets] == [one["tags"] for one in expected["datasets"]]
    models = {
        name.removeprefix("logged-model."): json.loads(text)
        for name, text in properties.items()
        if name.startswith("logged-model.")
    }
    assert [[id, model["step"]] for id, model in models.items()] == expected["models"]
    for model in models.values():
        assert (model["name"], model["model_type"], model["tags"], model["params"]) == (
            "net", "pytorch", {"kind": "a"}, {"depth": "3"}
        )  # fmt: skip
        assert math.isfinite(model["created"])


def root(run_id: str, said: Mapping[str, dict[str, Any]]) -> str:
    """The run at the top of a run's tree."""
    while (parent := said[run_id]["tags"].get("mlflow.parentRunId")) in said:
        run_id = parent
    return run_id
