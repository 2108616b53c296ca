"""What a run used and made: datasets, and models as MLflow 2 records them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model.operation import Annotate
from graphql_runs.model.run import Run
from graphql_runs_mlflow.api.fault import invalid
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.identity import active_run
from graphql_runs_mlflow.api.message import Message
from graphql_runs_mlflow.run import DATASET_FIELDS, dataset_property

_MODELS = "mlflow.log-model.history"


async def log_inputs(desk: Desk, given: Given) -> Message:
    """runs/log-inputs: datasets, each a property of the run."""
    run = await active_run(desk, given.needed("run_id"))
    if given.parts("models"):
        raise invalid("Logged models are not kept here, so none can be an input.")
    properties = dict(map(_dataset, given.parts("datasets")))
    await _annotate(desk, run, properties)
    return {}


async def log_model(desk: Desk, given: Given) -> Message:
    """runs/log-model, by which MLflow 2 says what it saved below a run's outputs: one more entry of a property."""
    run = await active_run(desk, given.needed("run_id"))
    try:
        model = json.loads(given.needed("model_json"))
        before = json.loads(run.properties.get(_MODELS) or "[]")
    except (ValueError, RecursionError) as error:
        raise invalid(f"Malformed model info: {error}") from None
    if not isinstance(before, list):
        raise invalid(f"The property {_MODELS} is no list")
    await _annotate(desk, run, {_MODELS: json.dumps([*before, model])})
    return {}


def _dataset(given: Given) -> tuple[str, str]:
    dataset = given.part("dataset")
    name, digest = dataset.needed("name"), dataset.needed("digest")
    fields = {"name": name, "digest": digest, **{field: dataset.text(field) for field in DATASET_FIELDS[2:]}}
    return dataset_property(fields, given.pairs("tags"))


async def _annotate(desk: Desk, run: Run, properties: Mapping[str, str]) -> None:
    if properties:
        await desk.recording.record(desk.workspace, [Annotate(run.run_id, properties=properties)])
