"""Outputs: MLflow's list of them, and the proxy that its clients load them up and down through (mlflow-artifacts)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model.run import Run
from graphql_runs_mlflow.api.fault import MISSING, Fault, invalid
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.identity import active_run, any_run
from graphql_runs_mlflow.api.message import Message, info_message
from graphql_runs_mlflow.api.models import run_of_model

_ROOT = "artifacts"
_MODELS = "models"


async def list_of_run(desk: Desk, given: Given) -> Message:
    """artifacts/list: what lies in a folder of a run's outputs."""
    run = await any_run(desk, given.needed("run_id", "run_uuid"))
    folder = _cleaned(given.text("path") or "")
    return {
        "root_uri": info_message(run)["artifact_uri"],
        "files": [{**file, "path": f"{folder}{file['path']}"} for file in await _files(desk, run, folder)],
    }


async def list_of_proxy(desk: Desk, given: Given) -> Message:
    """mlflow-artifacts/artifacts?path=…: the same, paths from the folder on."""
    run, path = await _place(desk, given.text("path") or "")
    return {"files": await _files(desk, run, _cleaned(path))}


async def proxy(desk: Desk, request: Request) -> Response:
    """GET or PUT of mlflow-artifacts/artifacts/<experiment>/<run>/artifacts/<path>, or of a logged model's models/<id>/artifacts/<path>."""
    run, path = await _place(desk, request.path_params["path"])
    if not path:
        raise invalid("a path of an output is wanted")
    if request.method != "PUT":
        return await desk.outputs.content(request, run.id, path)
    await active_run(desk, run.id)
    await desk.outputs.keep(run, path, request.stream(), request.headers.get("content-type"))
    return JSONResponse({})


async def _place(desk: Desk, path: str) -> tuple[Run, str]:
    """The run that a path of the proxy lies in, and the path inside of its outputs."""
    parts = path.strip("/").split("/", 3)
    if len(parts) > 3 and parts[1] == _MODELS and (parts[3] == _ROOT or parts[3].startswith(f"{_ROOT}/")):
        inside = parts[3].removeprefix(_ROOT)
        return await run_of_model(desk, parts[2]), f"{_MODELS}/{parts[2]}{inside}"
    if len(parts) < 3 or parts[2] != _ROOT:
        raise Fault(MISSING, "outputs are of runs: <experiment id>/<run id>/artifacts/…")
    run = await any_run(desk, parts[1])
    return run, parts[3] if len(parts) > 3 else ""


async def _files(desk: Desk, run: Run, folder: str) -> list[Message]:
    """What lies in a folder (its name with a slash at its end, or empty), folders too, by name."""
    found: dict[str, Message] = {}
    for artifact in await desk.reading.artifacts_of(run.id, folder):
        name, inside, _ = artifact.path.removeprefix(folder).partition("/")
        if inside:
            found[name] = {"path": name, "is_dir": True}
        elif name:
            found.setdefault(name, {"path": name, "is_dir": False, "file_size": artifact.size})
    return [found[name] for name in sorted(found)]


def _cleaned(path: str) -> str:
    path = path.strip("/")
    return f"{path}/" if path else ""
