"""Logged models of MLflow 3. Each belongs to the run that made it: it is a property of that, its files are outputs below `models/<id>`.

The id of a model ends with that of its run, so that it is found by it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model import ids
from graphql_runs.model.filter import And, Attribute, AttributeField, Bag, BagField, Compare, Op, Order
from graphql_runs.model.operation import Annotate
from graphql_runs.model.run import Run
from graphql_runs_mlflow.api.fault import MISSING, Fault, invalid
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.identity import active_run, any_experiment, any_run, experiment_id_of, shown_id
from graphql_runs_mlflow.api.match import holds
from graphql_runs_mlflow.api.message import Message, kept, model_message
from graphql_runs_mlflow.run import MODEL, MODELS

_STATUSES = ("LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")
_RUNS = 1000


async def create(desk: Desk, given: Given) -> Message:
    """POST logged-models."""
    experiment = await any_experiment(desk, given.needed("experiment_id"))
    if not given.text("source_run_id"):
        raise invalid("A logged model belongs to a run here: log it within one.")
    run = await active_run(desk, given.needed("source_run_id"))
    if run.experiment != experiment.id:
        raise invalid(f"Run {run.run_id} is in another experiment.")
    id = f"m-{uuid.uuid4().hex[:12]}-{shown_id(run)}"
    model = {
        "name": given.text("name") or id[:14],
        "model_type": given.text("model_type") or "",
        "status": _STATUSES[0],
        "tags": given.pairs("tags"),
        "params": given.pairs("params"),
        "created": time.time_ns() // 1_000_000,
    }
    return await _keep(desk, run, id, model, {MODELS: "yes"})


async def get(desk: Desk, given: Given) -> Message:
    """GET logged-models/<id>."""
    run, id, model = await _found(desk, given)
    return {"model": model_message(run, id, model)}


async def finalize(desk: Desk, given: Given) -> Message:
    """PATCH logged-models/<id>: whether all of it was uploaded."""
    status = given.needed("status")
    if status not in _STATUSES:
        raise invalid(
            f"Invalid value {status[:80]!r} for parameter 'status': it is one of {', '.join(_STATUSES)}."
        )
    run, id, model = await _found(desk, given)
    return await _keep(desk, run, id, {**model, "status": status})


async def set_tags(desk: Desk, given: Given) -> Message:
    """PATCH logged-models/<id>/tags."""
    run, id, model = await _found(desk, given)
    return await _keep(desk, run, id, {**model, "tags": {**model["tags"], **given.pairs("tags")}})


async def log_params(desk: Desk, given: Given) -> Message:
    """POST logged-models/<id>/params."""
    run, id, model = await _found(desk, given)
    await _keep(desk, run, id, {**model, "params": {**model["params"], **given.pairs("params")}})
    return {}


async def log_outputs(desk: Desk, given: Given) -> Message:
    """POST runs/outputs: which models a run made, and at which step."""
    run = await active_run(desk, given.needed("run_id"))
    properties = {}
    for part in given.parts("models"):
        id = part.needed("model_id")
        model = kept(run, id)
        if model is None:
            raise Fault(MISSING, f"Run {run.run_id} has no logged model {id[:256]}")
        properties[f"{MODEL}{id}"] = json.dumps({**model, "step": part.integer("step") or 0})
    if properties:
        await desk.recording.record(desk.workspace, [Annotate(run.run_id, properties=properties)])
    return {}


async def search(desk: Desk, given: Given) -> Message:
    """POST logged-models/search: those of some experiments, those of the newest runs first."""
    if given.parts("order_by"):
        raise invalid("Logged models come in one order, those of the newest runs first: leave out order_by.")
    condition = desk.reading.condition(given.text("filter") or "")
    experiments = tuple(experiment_id_of(desk, id) for id in given.texts("experiment_ids"))
    if not experiments:
        return {"models": []}
    where = And(
        (
            Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, ids.workspace_id(desk.workspace)),
            Compare(AttributeField(Attribute.EXPERIMENT), Op.IN, experiments),
            Compare(BagField(Bag.PROPERTY, MODELS), Op.EXISTS, True),
            Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, False),
        )
    )
    newest = [Order(AttributeField(Attribute.CREATED_AT), descending=True)]
    found, after = [], None
    while True:
        page = await desk.reading.runs(where, newest, after=after, first=_RUNS)
        for run, _ in page:
            for key in run.properties:
                model = kept(run, key.removeprefix(MODEL)) if key.startswith(MODEL) else None
                if model is not None and (
                    condition is None or holds(condition, model["name"], model["tags"])
                ):
                    found.append(model_message(run, key.removeprefix(MODEL), model))
        if len(page) < _RUNS:
            break
        after = page[-1][1]
    size, token = given.page(_RUNS, _RUNS), given.text("page_token") or "0"
    if not token.isdecimal() or len(token) > 12:
        raise invalid(f"Invalid page token {token[:80]!r}")
    start = int(token)
    answer: Message = {"models": found[start : start + size]}
    if start + size < len(found):
        answer["next_page_token"] = str(start + size)
    return answer


async def run_of_model(desk: Desk, id: str) -> Run:
    """The run that a model belongs to. Raises Fault when there is none."""
    _, _, run = id.partition("m-")[2].partition("-")
    found = await any_run(desk, run) if run else None
    if found is None or kept(found, id) is None:
        raise Fault(MISSING, f"Logged model with ID '{id[:256]}' not found.")
    return found


async def _found(desk: Desk, given: Given) -> tuple[Run, str, dict[str, Any]]:
    id = given.needed("model_id")
    run = await run_of_model(desk, id)
    model = kept(run, id)
    assert model is not None
    return run, id, model


async def _keep(
    desk: Desk, run: Run, id: str, model: dict[str, Any], more: Mapping[str, str] = {}
) -> Message:
    properties = {f"{MODEL}{id}": json.dumps(model), **more}
    await desk.recording.record(desk.workspace, [Annotate(run.run_id, properties=properties)])
    return {"model": model_message(run, id, model)}
