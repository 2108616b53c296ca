"""A job that tracks with MLflow's client on a server. For an environment that has mlflow; prints what it got back."""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

INF = float("inf")
LOSS = [1.0, 0.5, float("nan"), INF, -INF, 1e-308, -2.5]


def refused(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except MlflowException as error:
        return error.error_code
    return "nothing was refused"


def names(runs):
    return [run.info.run_name for run in runs]


def tracked():
    """What people write in a training."""
    mlflow.set_experiment("vision/größe")
    with mlflow.start_run(run_name="parent", tags={"team": "a b", "mlflow.note.content": "hello"}) as parent:
        mlflow.log_params({"lr": 0.1, "model/name": "mlp", "words": "ünï"})
        for step, value in enumerate(LOSS):
            mlflow.log_metric("loss", value, step=step)
        mlflow.log_metrics({"acc": 0.5, "f1": 0.25}, step=3)
        mlflow.log_metric("no step", 7)
        mlflow.set_tag("late", "yes")
        mlflow.log_dict({"a": 1}, "configs/run.json")
        mlflow.log_text("hello", "note.txt")
        children = []
        for number in range(3):
            with mlflow.start_run(run_name=f"child {number}", nested=True) as child:
                mlflow.log_param("number", number)
                mlflow.log_metric("score", number / 2)
            children.append(child.info.run_id)
    try:
        with mlflow.start_run(run_name="bad") as bad:
            raise RuntimeError("no")
    except RuntimeError:
        pass
    return {"parent": parent.info.run_id, "children": children, "bad": bad.info.run_id}


def logged_by_hand(client, experiment, run):
    now = int(time.time() * 1000)
    metrics = [Metric("many", row / 7, now + row, row) for row in range(1000)]
    client.log_batch(
        run, metrics=metrics, params=[Param("p", "1")], tags=[RunTag("t", "x"), RunTag("gone", "y")]
    )
    client.log_batch(run, metrics=[Metric("many", -1.0, now, 2**40)])
    client.delete_tag(run, "gone")
    client.set_tag(run, "mlflow.note.content", "changed")
    client.set_terminated(run, "KILLED")
    client.update_run(run, name="renamed")
    history = client.get_metric_history(run, "many")
    found = client.get_run(run)
    return {
        "values": [one.value for one in history] == [*(row / 7 for row in range(1000)), -1.0],
        "steps": [one.step for one in history][-2:],
        "times": [one.timestamp - now for one in history][:3],
        "name": found.info.run_name,
        "status": found.info.status,
        "tags": {
            key: value
            for key, value in found.data.tags.items()
            if key in ("t", "gone", "mlflow.note.content")
        },
        "again": refused(client.log_param, run, "p", "2"),
        "same": refused(client.log_param, run, "p", "1"),
        "never": refused(client.delete_tag, run, "nothing"),
    }


def searched(client, experiment, ids):
    def search(text="", order=None, view=ViewType.ACTIVE_ONLY, size=100):
        return client.search_runs([experiment], text, view, size, order)

    first = search(order=["attributes.run_name ASC"], size=2)
    second = client.search_runs(
        [experiment], "", ViewType.ACTIVE_ONLY, 2, ["attributes.run_name ASC"], first.token
    )
    found = {
        "params": names(search("params.number = '1'")),
        "metric": names(search("metrics.score > 0.4 and metrics.score < 2", ["metrics.score DESC"])),
        "children": sorted(names(search(f"tags.mlflow.parentRunId = '{ids['parent']}'"))),
        "status": names(search("attributes.status = 'FAILED'")),
        "tag": names(search("tags.team ILIKE 'A%' and tags.`mlflow.runName` = 'parent'")),
        "ids": names(search(f"attributes.run_id IN ('{ids['bad']}')")),
        "pages": [names(first), names(second)],
        "wrong": refused(search, "metrics.loss >"),
        "order": refused(search, "", ["nonsense of mine"]),
    }
    client.delete_run(ids["bad"])
    found["deleted"] = names(search(view=ViewType.DELETED_ONLY))
    found["stage"] = client.get_run(ids["bad"]).info.lifecycle_stage
    found["closed"] = refused(client.log_metric, ids["bad"], "x", 1)
    client.restore_run(ids["bad"])
    found["restored"] = len(search())
    return found


def experiments(client):
    made = client.create_experiment("second", tags={"team": "x"})
    client.set_experiment_tag(made, "more", "y")
    other = client.create_experiment("third")
    found = client.get_experiment(made)
    return {
        "tags": found.tags,
        "by name": client.get_experiment_by_name("second").experiment_id == made,
        "missing": client.get_experiment_by_name("none") is None,
        "taken": refused(client.create_experiment, "second"),
        "unknown": refused(client.get_experiment, "12345"),
        "all": sorted(one.name for one in client.search_experiments()),
        "filtered": [one.name for one in client.search_experiments(filter_string="name LIKE 'se%'")],
        "tagged": [one.name for one in client.search_experiments(filter_string="tags.team = 'x'")],
        "ordered": [one.name for one in client.search_experiments(order_by=["name DESC"])][:2],
        "page": len(client.search_experiments(max_results=1)),
        "other": other != made,
    }


def outputs(client, run):
    Path("big.bin").write_bytes(bytes(range(256)) * 5000)
    client.log_artifact(run, "big.bin", "data")
    loaded = Path(client.download_artifacts(run, "data/big.bin"))
    folder = Path(client.download_artifacts(run, ""))
    return {
        "root": [(one.path, one.is_dir) for one in client.list_artifacts(run)],
        "inner": [(one.path, one.file_size) for one in client.list_artifacts(run, "data")],
        "file": [one.path for one in client.list_artifacts(run, "note.txt")],
        "same": loaded.read_bytes() == Path("big.bin").read_bytes(),
        "all": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
        "missing": _missing(client, run),
    }


def _missing(client, run):
    try:
        client.download_artifacts(run, "nothing.txt")
    except Exception:
        return True
    return False


def autolog():
    """A training in which only autolog logs."""
    import mlflow.sklearn
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("auto")
    mlflow.sklearn.autolog()
    with mlflow.start_run() as run:
        LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
    found = mlflow.get_run(run.info.run_id)
    client = MlflowClient()
    models = client.search_logged_models([found.info.experiment_id])
    outputs = found.outputs.model_outputs
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{models[0].model_id}"))
    return {
        "status": found.info.status,
        "metrics": sorted(found.data.metrics),
        "iterations": found.data.params.get("max_iter"),
        "datasets": len(found.inputs.dataset_inputs),
        "models": [str(model.status) for model in models],
        "outputs": [one.model_id == models[0].model_id for one in outputs],
        "files": (folder / "MLmodel").is_file(),
    }


def main(uri, what=None):
    mlflow.set_tracking_uri(uri)
    if what == "autolog":
        print(json.dumps({"version": mlflow.__version__, **autolog()}), flush=True)
        return
    client = MlflowClient()
    ids = tracked()
    experiment = client.get_experiment_by_name("vision/größe").experiment_id
    parent = client.get_run(ids["parent"])
    hand = client.create_run(experiment, run_name="hand").info.run_id
    default = client.create_run("0").info.run_id
    said = {
        "version": mlflow.__version__,
        "ids": {**ids, "hand": hand, "default": default},
        "experiment": experiment,
        "parent": {
            "metrics": {key: repr(value) for key, value in parent.data.metrics.items()},
            "params": parent.data.params,
            "tags": {
                key: value for key, value in parent.data.tags.items() if not key.startswith("mlflow.source")
            },
            "status": parent.info.status,
            "seconds": parent.info.end_time >= parent.info.start_time,
        },
        "loss": [(repr(one.value), one.step) for one in client.get_metric_history(ids["parent"], "loss")],
        "nothing": len(client.get_metric_history(ids["parent"], "unknown")),
        "hand": logged_by_hand(client, experiment, hand),
        "search": searched(client, experiment, ids),
        "experiments": experiments(client),
        "outputs": outputs(client, ids["parent"]),
        "unknown run": refused(client.get_run, "f" * 32),
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
