"""Runs, and what is logged to them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import numpy as np

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model import ids
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    LogPoints,
    RestoreRun,
    RunOperation,
    SetStatus,
    TrashRun,
)
from graphql_runs.model.run import Run
from graphql_runs_mlflow.api.fault import MISSING, Fault, invalid
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.identity import active_run, any_experiment, any_run
from graphql_runs_mlflow.api.message import Message, info_message, run_message, tags_of
from graphql_runs_mlflow.run import NAME, NOTE, OWN, PARENT, USER, WORDS, identity

_SOURCE = "mlflow"


async def create(desk: Desk, given: Given) -> Message:
    """runs/create. The tag `mlflow.parentRunId` makes the run a child for good."""
    experiment = await any_experiment(desk, given.needed("experiment_id"))
    tags, start = given.pairs("tags"), given.micros("start_time")
    id = uuid.uuid4().hex
    name = given.text("run_name") or tags.pop(NAME, "") or f"run-{id[:8]}"
    tags.pop(NAME, None)
    declared = DeclareRun(
        id,
        experiment=experiment.name,
        name=name,
        source=_SOURCE,
        parent=await _parent(desk, tags.get(PARENT)),
        submitted_by=given.text("user_id") or tags.get(USER),
        created_at=start,
        identities=(identity(id),),
    )
    running = SetStatus(id, WORDS["RUNNING"], _SOURCE, at=start, original="RUNNING")
    await desk.recording.record(
        desk.workspace, [declared, Annotate(id, started_at=start), *_tagged(id, tags), running]
    )
    return await get(desk, Given({"run_id": id}))


async def get(desk: Desk, given: Given) -> Message:
    """runs/get."""
    run = await any_run(desk, given.needed("run_id", "run_uuid"))
    return {"run": await whole(desk, run)}


async def whole(desk: Desk, run: Run) -> Message:
    """A run with its data."""
    return run_message(run, await desk.reading.metrics_of(run.id), await parent_of(desk, run))


async def parent_of(desk: Desk, run: Run) -> Run | None:
    """The run above a run."""
    return None if run.parent is None else await desk.reading.find_run(desk.workspace, run.parent)


async def update(desk: Desk, given: Given) -> Message:
    """runs/update."""
    run = await active_run(desk, given.needed("run_id", "run_uuid"))
    said: list[RunOperation] = []
    if name := given.text("run_name"):
        said += await _renamed(desk, run, name)
    ended = given.micros("end_time")
    if (word := given.text("status")) is not None:
        if word not in WORDS:
            raise invalid(
                f"Invalid value {word[:80]!r} for parameter 'status': it is one of {', '.join(WORDS)}."
            )
        # What is said last counts, also by a clock that is behind.
        at = None if ended is None else max(ended, run.status_at)
        said.append(SetStatus(run.run_id, WORDS[word], _SOURCE, at=at, original=word))
    if ended is not None:
        said.append(Annotate(run.run_id, ended_at=ended))
    await _write(desk, said)
    return {"run_info": info_message(await any_run(desk, run.id))}


async def delete(desk: Desk, given: Given) -> Message:
    """runs/delete: to the trash, with everything below."""
    run = await active_run(desk, given.needed("run_id"))
    await _write(desk, [TrashRun(run.run_id)])
    return {}


async def restore(desk: Desk, given: Given) -> Message:
    """runs/restore."""
    run = await any_run(desk, given.needed("run_id"))
    if run.trashed_at is None:
        raise invalid(f"The run {run.run_id} must be in the 'deleted' state. Current state is active.")
    await _write(desk, [RestoreRun(run.run_id)])
    return {}


async def log_metric(desk: Desk, given: Given) -> Message:
    """runs/log-metric."""
    run = await active_run(desk, given.needed("run_id", "run_uuid"))
    await _write(desk, _points(run, [given]))
    return {}


async def log_parameter(desk: Desk, given: Given) -> Message:
    """runs/log-parameter. A parameter keeps its value."""
    run = await active_run(desk, given.needed("run_id", "run_uuid"))
    await _write(desk, _params(run, {given.needed("key"): given.text("value") or ""}))
    return {}


async def log_batch(desk: Desk, given: Given) -> Message:
    """runs/log-batch, all or nothing."""
    run = await active_run(desk, given.needed("run_id"))
    tags = given.pairs("tags")
    said = [*_points(run, given.parts("metrics")), *_params(run, given.pairs("params"))]
    if name := tags.pop(NAME, None):
        said += await _renamed(desk, run, name)
    await _write(desk, [*said, *_tagged(run.run_id, tags)])
    return {}


async def set_tag(desk: Desk, given: Given) -> Message:
    """runs/set-tag. `mlflow.runName` renames; `mlflow.parentRunId` is kept, but moves no run."""
    run = await active_run(desk, given.needed("run_id", "run_uuid"))
    key, value = given.needed("key"), given.text("value") or ""
    if key == NAME and value:
        await _write(desk, await _renamed(desk, run, value))
    else:
        await _write(desk, _tagged(run.run_id, {key: value}))
    return {}


async def delete_tag(desk: Desk, given: Given) -> Message:
    """runs/delete-tag."""
    run, key = await active_run(desk, given.needed("run_id")), given.needed("key")
    if key == NAME:
        raise invalid("A run keeps its name; rename it instead.")
    if key not in tags_of(run, await parent_of(desk, run)):
        raise Fault(MISSING, f"No tag with name: {key[:256]} in run with id {run.run_id}")
    if key.startswith(OWN):
        await _write(desk, _tagged(run.run_id, {key: ""}))
    else:
        await _write(desk, [Annotate(run.run_id, remove_tags=[key])])
    return {}


async def _parent(desk: Desk, id: str | None) -> str | None:
    """The producer's id of a parent that a client names; one that is not there yet becomes a placeholder."""
    if not id:
        return None
    found = await desk.reading.find_run(desk.workspace, id)
    if found is None and ids.kind_of(id) is not None:
        raise Fault(MISSING, f"Run with id={id} not found")
    return id if found is None else found.run_id


async def _renamed(desk: Desk, run: Run, name: str) -> list[RunOperation]:
    [experiment] = await desk.reading.experiments([run.experiment])
    assert experiment is not None
    again = DeclareRun(run.run_id, experiment.name, name, run.source)
    return [again, Annotate(run.run_id, display_name=name)] if run.display_name else [again]


def _points(run: Run, given: list[Given]) -> list[RunOperation]:
    """The points of a request, an array for each metric."""
    rows: dict[str, list[tuple[float, int, int | None]]] = {}
    for one in given:
        row = (one.number("value"), one.integer("step") or 0, one.micros("timestamp"))
        rows.setdefault(one.needed("key"), []).append(row)
    found: list[RunOperation] = []
    for key, points in rows.items():
        times = [at for _, _, at in points if at is not None]
        if len(times) != len(points):
            raise invalid("Missing value for required parameter 'timestamp'.")
        found.append(
            LogPoints(
                run.run_id,
                key,
                np.array([value for value, _, _ in points], dtype=np.float64),
                np.array([step for _, step, _ in points], dtype=np.int64),
                np.array(times, dtype=np.int64),
            )
        )
    return found


def _params(run: Run, params: Mapping[str, str]) -> list[RunOperation]:
    for key, value in params.items():
        if run.params.get(key, value) != value:
            raise invalid(
                f"Changing param values is not allowed. Param with key='{key}' was already logged with value='{run.params[key][:256]}'"
                f" for run ID='{run.run_id}'. Attempted logging new value '{value[:256]}'."
            )
    return [Annotate(run.run_id, params=params)] if params else []


def _tagged(run_id: str, tags: Mapping[str, str]) -> list[RunOperation]:
    """Tags of MLflow's own are properties here, and its note is the description."""
    if not tags:
        return []
    own = {key: value for key, value in tags.items() if key.startswith(OWN)}
    others = {key: value for key, value in tags.items() if not key.startswith(OWN)}
    return [Annotate(run_id, description=own.get(NOTE), tags=others, properties=own)]


async def _write(desk: Desk, operations: list[RunOperation]) -> None:
    if operations:
        await desk.recording.record(desk.workspace, operations)
