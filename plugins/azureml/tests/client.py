"""What Azure's own libraries write, of a service that is a dictionary: `python client.py ml|core`.

ml:   `MLClient.jobs.download` of azure-ai-ml, which `az ml job download` calls: folders below the one that it is started in.
core: run documents and pages of them as azureml-core's client of the run history writes them, and what a run without a service
      prints of its metrics.
"""

import contextlib
import json
import math
import sys
from datetime import UTC
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

LOGS = {
    "user_logs/std_log.txt": b"epoch 1: l\xc3\xb6ss 0.5\n",
    "system_logs/lifecycler/lifecycler.log": b"2026-03-01T09:59:00Z INFO lifecycler: start\n",
    "system_logs/cs_capability/cs-capability.log": b"2026-03-01T09:59:00Z INFO cs\n",
    "outputs/model.bin": bytes(range(256)),
    "outputs/plots/loss.png": b"\x89PNG",
}
SWEEP = {"azureml-logs/hyperdrive.txt": b"<START>[2026-03-01T09:58:05.1Z][API][INFO]Experiment created<END>"}
PIPELINE = {
    "logs/azureml/executionlogs.txt": b"[2026-03-01 10:00:00Z] Job is running, job runstatus is Running\n"
}
NAMED = {"model/weights.bin": b"weights", "model/sub/config.json": b"{}", "scores/scores.csv": b"a,b\n1,2\n"}


def ml():
    """A job as it is and with all outputs, one output alone, a sweep with its best trial, and a pipeline."""
    from azure.ai.ml._artifacts import _artifact_utilities
    from azure.ai.ml._artifacts._blob_storage_helper import BlobStorageClient
    from azure.ai.ml.operations import _job_operations
    from azure.ai.ml.operations._job_operations import JobOperations
    from azure.ai.ml.sweep import SweepJob

    blobs = {
        f"ExperimentRun/dcid.{job}/{path}": data
        for job in ("train", "sweep_3")
        for path, data in LOGS.items()
    }
    blobs |= {f"ExperimentRun/dcid.sweep/{path}": data for path, data in SWEEP.items()}
    blobs |= {f"ExperimentRun/dcid.pipeline/{path}": data for path, data in PIPELINE.items()}
    blobs |= {f"azureml/{job}/{path}": data for job in ("train", "sweep_3") for path, data in NAMED.items()}

    class Content(bytes):
        size = 0

        def content_as_bytes(self, max_concurrency):
            return bytes(self)

    class Container:
        def list_blobs(self, name_starts_with, include=None):
            return [
                SimpleNamespace(name=name, metadata={}) for name in blobs if name.startswith(name_starts_with)
            ]

        def download_blob(self, item):
            return Content(blobs[item.name])

    storage = BlobStorageClient.__new__(BlobStorageClient)
    storage.container_client, storage.account_name, storage.container = Container(), "account", "container"
    _artifact_utilities.get_datastore_info = lambda *_: {}
    _artifact_utilities.get_storage_client = lambda: storage

    def uris(job, *_, output_names=None):
        known = {name.split("/")[0] for name in NAMED} if job in ("train", "sweep_3") else set()
        wanted = known if output_names is None else known & set(output_names)
        return {
            name: f"azureml://datastores/workspaceblobstore/paths/azureml/{job}/{name}/" for name in wanted
        }

    _job_operations.get_job_output_uris_from_dataplane = uris

    class Jobs(JobOperations):
        _dataset_dataplane_operations = _model_dataplane_operations = _runs_operations = None
        _datastore_operations = SimpleNamespace(
            get_default=lambda: SimpleNamespace(name="workspaceblobstore")
        )

        def __init__(self):
            """Without a service."""

        def get(self, name):
            if name != "sweep":
                return SimpleNamespace(status="Completed", outputs={}, name=name, tags={}, properties={})
            job = SweepJob(name=name, properties={"best_child_run_id": "sweep_3"})
            job._status = "Completed"
            return job

    jobs = Jobs()
    jobs.download("train", download_path="jobs/train", all=True)
    jobs.download("train", download_path="plain/train")
    jobs.download("train", download_path="named/train", output_name="model")
    jobs.download("sweep", download_path="jobs/sweep", all=True)
    jobs.download("pipeline", download_path="jobs/pipeline", all=True)
    return "azure-ai-ml", {}


def core():
    """A page of a pipeline, a sweep and a trial, and one of a run that has failed, which is told as well by its own document."""
    from datetime import datetime, timedelta

    from azureml._restclient import models

    begin = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)

    def run(run_id, **fields):
        about = {
            "run_id": run_id, "root_run_id": run_id, "run_number": 7, "status": "Completed", "created_utc": begin,
            "start_time_utc": begin + timedelta(seconds=5), "end_time_utc": begin + timedelta(seconds=65),
            "display_name": f"job {run_id} ü", "name": f"name-{run_id}", "target": "cpu-cluster", "heartbeat_enabled": False,
            "hidden": False, "token": "secret-token", "data_container_id": f"dcid.{run_id}",
            "cancel_uri": "https://west.example/execution/v1.0/subscriptions/s/resourceGroups/g/providers/"
            f"Microsoft.MachineLearningServices/workspaces/w/experiments/digits/runs/{run_id}/cancel",
            "created_by": models.CreatedByDto(user_name="A Person"), "tags": {"größe": "klein"}, "properties": {"azureml.git.branch": "main"},
            "warnings": [models.RunDetailsWarningDto(source="compute", message="slow disk")],
        }  # fmt: skip
        return models.RunDto(**about | fields)

    def put(name, model):
        Path(name).write_text(json.dumps(model.serialize()), encoding="utf-8")

    trial = '{"--lr": 0.1}'
    sweep = run(
        "sweep", run_type="hyperdrive",
        properties={"best_child_run_id": "sweep_3"}, tags={"_aml_system_sweep_3": trial, "_aml_system_sweep_4": trial},
    )  # fmt: skip
    children = [run(f"sweep_{k}", root_run_id="sweep", parent_run_id="sweep") for k in (3, 4)]
    put("runs.json", models.PaginatedRunDto(value=[run("pipeline"), sweep], continuation_token="next"))
    put("runs-2.json", models.PaginatedRunDto(value=children))
    error = models.RootError(
        code="UserError", message="out of memory", inner_error=models.InnerErrorResponse(code="OOM")
    )
    failed = run("failed", status="Failed", error=models.ErrorResponse(error=error))
    Path("failed").mkdir()
    put("failed/run.json", failed)
    Path("offline/user_logs").mkdir(parents=True)
    with (
        Path("offline/user_logs/std_log.txt").open("w", encoding="utf-8") as out,
        contextlib.redirect_stdout(out),
    ):
        offline()
    return "azureml-core", {}


def offline():
    import numpy as np
    from azureml.core import Run

    run = Run.get_context()
    for value in (0.5, math.nan, math.inf, -math.inf, 1e-300, np.float64(0.25), 2**53 + 1):
        run.log("löss", value)
        print("something else")
    run.log("n", np.int64(3))
    run.log("word", "grün")
    run.log_list("list", [1, 2.5, math.inf])
    run.log_row("row", a=1, b=2.5)
    run.log_row("row", a=2, b=np.float32(0.125))
    run.log_table("table", {"x": [1, 2], "y": [3, 4.5]})
    run.log_image("picture", path="x.png")


if __name__ == "__main__":
    package, said = {"ml": ml, "core": core}[sys.argv[1]]()
    print(json.dumps({"version": version(package), **said}))
