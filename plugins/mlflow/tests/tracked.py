"""A job that tracks with MLflow, in a database or on a server, everything that is told apart somewhere; and what MLflow reads back of it.

`tracked.py URI first` logs, `tracked.py URI later` adds to the runs that are there, and `tracked.py URI DATABASE COPY` does both with a
copy of the database made in between. Prints all runs as MLflow's own client sees them, `first` and `later`. For an environment that
has mlflow.
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.tracking import MlflowClient

LOSS = [0.5, float("nan"), float("inf"), float("-inf"), 1 / 3, 1e-300, -0.0, float(2**63), 5e-324]
START = 1_700_000_000_000


def log(client):
    experiment = client.create_experiment("vision/größe 🎉")
    run = client.create_run(experiment, START, tags={"team": "a b"}, run_name="first ✓").info.run_id
    for name, value in {"lines": "x\ny", "mlflow.note.content": "hello", "empty": "", "gone": "soon"}.items():
        client.set_tag(run, name, value)
    client.log_batch(
        run,
        params=[
            Param("lr", "0.1"),
            Param("model/name", "mlp ünï"),
            Param("empty", ""),
            Param("long", "y" * 240),
        ],
    )
    for step, value in enumerate(LOSS):
        client.log_metric(run, "loss", value, START + 1000 * step, step)
    # Later points of earlier steps and times, of steps below zero, and two of the same step and time.
    client.log_metric(run, "loss", 9.0, START + 500, 2)
    client.log_metric(run, "loss", 8.0, START + 500, 2)
    client.log_metric(run, "val/acc top-1", 0.5, START, 10**12)
    client.log_metric(run, "no step", -2.5)
    client.log_batch(run, [Metric("many größe", row / 7, START + row, row - 500) for row in range(999)])
    client.log_batch(
        run, [Metric("many größe", float("nan"), START + 2000, 9000), Metric("huge", 10**30, START, 2**53)]
    )
    client.delete_tag(run, "gone")
    child = client.create_run(
        experiment, START, tags={"mlflow.parentRunId": run}, run_name="child"
    ).info.run_id
    client.log_metric(child, "loss", 2, START, -1)
    grandchild = client.create_run(
        experiment, START, tags={"mlflow.parentRunId": child}, run_name="grandchild"
    )
    client.set_terminated(grandchild.info.run_id, "KILLED", START + 5000)
    client.set_terminated(child, "FAILED", START + 7000)
    client.set_terminated(run, "FINISHED", START + 9000)
    client.create_run("0", START, run_name="open")
    queued = client.create_run(experiment, START, run_name="queued").info.run_id
    client.update_run(queued, status="SCHEDULED") if hasattr(client, "update_run") else None
    deleted = client.create_run(experiment, START, run_name="deleted").info.run_id
    client.log_metric(deleted, "loss", 1.0, START, 0)
    client.delete_run(deleted)
    Path("result.txt").write_text("result")
    client.log_artifact(run, "result.txt", "sub")
    inputs(client, run)
    outputs(client, experiment, run)


def inputs(client, run):
    try:
        from mlflow.entities import Dataset, DatasetInput, InputTag
    except ImportError:
        return
    dataset = Dataset("train ✓", "abc123", "local", '{"uri": "x"}', schema='{"a": 1}', profile=None)
    client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def outputs(client, experiment, run):
    try:
        from mlflow.entities import LoggedModelOutput
    except ImportError:
        return
    model = client.create_logged_model(experiment, "net", run, {"kind": "a"}, {"depth": "3"}, "pytorch")
    client.log_outputs(run, [LoggedModelOutput(model.model_id, 7)])


def add(client):
    """What a training does later on."""
    runs = {run.data.tags["mlflow.runName"]: run.info.run_id for run in everything(client)}
    opened = runs["open"]
    client.log_batch(opened, [Metric("loss", 1 / (row + 1), START + row, row) for row in range(100)])
    client.log_metric(opened, "loss", 0.25, START - 5, 3)
    client.log_batch(opened, params=[Param("late", "1")], tags=[RunTag("late", "yes")])
    client.set_terminated(opened, "FAILED", START + 60_000)
    client.set_tag(runs["first ✓"], "team", "another")
    client.delete_tag(runs["first ✓"], "lines")
    client.restore_run(runs["deleted"])
    client.delete_run(runs["queued"])
    client.create_run("0", START + 1, tags={"mlflow.parentRunId": opened}, run_name="new")


def everything(client):
    experiments = (
        client.search_experiments() if hasattr(client, "search_experiments") else client.list_experiments()
    )
    ids = [one.experiment_id for one in experiments]
    return list(client.search_runs(ids, run_view_type=ViewType.ALL, max_results=10_000))


def told(client, run):
    names = {one.experiment_id: one.name for one in map(client.get_experiment, {run.info.experiment_id})}
    keys = run.data.metrics
    inputs = getattr(run, "inputs", None)
    return {
        "experiment": names[run.info.experiment_id],
        "name": run.data.tags["mlflow.runName"],
        "status": run.info.status,
        "stage": run.info.lifecycle_stage,
        "start": run.info.start_time,
        "end": run.info.end_time,
        "user": run.info.user_id,
        "artifact_uri": run.info.artifact_uri,
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": {
            key: [
                [repr(one.value), one.step, one.timestamp]
                for one in client.get_metric_history(run.info.run_id, key)
            ]
            for key in keys
        },
        "datasets": [
            {
                "dataset": one.dataset.to_dictionary(),
                "tags": [{"key": tag.key, "value": tag.value} for tag in one.tags],
            }
            for one in (inputs.dataset_inputs if inputs else [])
        ],
        "models": [[one.model_id, one.step] for one in run.outputs.model_outputs]
        if getattr(run, "outputs", None)
        else [],
    }


def main(uri, what, copy=None):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    said = {"version": mlflow.__version__}
    if what != "later":
        log(client)
        said["first"] = {run.info.run_id: told(client, run) for run in everything(client)}
    if copy is not None:
        shutil.copyfile(what, copy)
    if what != "first":
        add(client)
        said["later"] = {run.info.run_id: told(client, run) for run in everything(client)}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
