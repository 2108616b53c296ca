"""A job that logs with MLflow to the file store `mlruns` in the folder that it is started in. For an environment that has mlflow."""

import json
import os
import sys
from pathlib import Path

os.environ |= {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

import mlflow
from job_values import LOSS


def main(rows: int) -> None:
    mlflow.set_tracking_uri(Path("mlruns").resolve().as_uri())
    mlflow.set_experiment("vision/größe")
    tags = {"team": "a b", "lines": "x\ny", "mlflow.note.content": "hello"}
    with mlflow.start_run(run_name="first try", tags=tags) as run:
        mlflow.log_params({"lr": 0.1, "model/name": "mlp", "words": "ünï", "long": "y" * 240})
        for step, value in enumerate(LOSS):
            mlflow.log_metric("loss", value, step=step)
        mlflow.log_metric("loss", 9.0, step=2)
        mlflow.log_metric("val/acc top-1", 0.5, step=10**12)
        mlflow.log_metric("no step", -2.5)
        for row in range(rows):
            mlflow.log_metric("many", row / 7, step=row)
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("loss", 2, step=-1)
        with open("result.txt", "w") as file:
            file.write("result")
        mlflow.log_artifact("result.txt", "sub")
    try:
        with mlflow.start_run(run_name="bad") as bad:
            raise RuntimeError("no")
    except RuntimeError:
        pass
    open_run = mlflow.start_run(run_name="open")
    ids = {"first": run, "child": child, "bad": bad, "open": open_run}
    said = {name: one.info.run_id for name, one in ids.items()}
    print(json.dumps({"version": mlflow.__version__, **said}), flush=True)
    os._exit(0)  # as a job that dies: the last run stays open


if __name__ == "__main__":
    main(int(sys.argv[1]))
