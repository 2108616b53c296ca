"""The receiver: which endpoint of MLflow's API is answered by what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_runs.ingest.api import Stability
from graphql_runs.ingest.receiver import Desk
from graphql_runs_mlflow.api import artifacts, experiments, inputs, models, runs, search
from graphql_runs_mlflow.api.fault import shown, unknown
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.message import Message
from graphql_runs_mlflow.message import SERVED_BY

_TRACKING = "/api/2.0/mlflow/"
_PROXY = "/api/2.0/mlflow-artifacts/"
Handler = Callable[[Desk, Given], Awaitable[Message]]

_GET: dict[str, Handler] = {
    f"{_TRACKING}experiments/get": experiments.get,
    f"{_TRACKING}experiments/get-by-name": experiments.get_by_name,
    f"{_TRACKING}runs/get": runs.get,
    f"{_TRACKING}metrics/get-history": search.history,
    f"{_TRACKING}artifacts/list": artifacts.list_of_run,
    f"{_TRACKING}logged-models/{{model_id}}": models.get,
    f"{_PROXY}artifacts": artifacts.list_of_proxy,
}
_POST: dict[str, Handler] = {
    f"{_TRACKING}experiments/create": experiments.create,
    f"{_TRACKING}experiments/search": experiments.search,
    f"{_TRACKING}experiments/set-experiment-tag": experiments.set_tag,
    f"{_TRACKING}experiments/delete-experiment-tag": experiments.delete_tag,
    f"{_TRACKING}runs/create": runs.create,
    f"{_TRACKING}runs/update": runs.update,
    f"{_TRACKING}runs/delete": runs.delete,
    f"{_TRACKING}runs/restore": runs.restore,
    f"{_TRACKING}runs/search": search.search,
    f"{_TRACKING}runs/log-metric": runs.log_metric,
    f"{_TRACKING}runs/log-parameter": runs.log_parameter,
    f"{_TRACKING}runs/log-batch": runs.log_batch,
    f"{_TRACKING}runs/set-tag": runs.set_tag,
    f"{_TRACKING}runs/delete-tag": runs.delete_tag,
    f"{_TRACKING}runs/log-inputs": inputs.log_inputs,
    f"{_TRACKING}runs/log-model": inputs.log_model,
    f"{_TRACKING}runs/outputs": models.log_outputs,
    f"{_TRACKING}logged-models": models.create,
    f"{_TRACKING}logged-models/search": models.search,
    f"{_TRACKING}logged-models/{{model_id}}/params": models.log_params,
}
_PATCH: dict[str, Handler] = {
    f"{_TRACKING}logged-models/{{model_id}}": models.finalize,
    f"{_TRACKING}logged-models/{{model_id}}/tags": models.set_tags,
}


class MlflowReceiver:
    """Answers MLflow's tracking clients."""

    name = "mlflow-tracking"
    description = "MLflow's tracking API: MLFLOW_TRACKING_URI=http://HOST:PORT for unmodified clients."
    stability = Stability.BETA
    claims: Sequence[str] = (_TRACKING, _PROXY)

    def routes(self, desk: Desk) -> Sequence[Route]:
        """An endpoint each, and an answer for all others."""
        return [
            *(_route(desk, path, handler, "GET") for path, handler in _GET.items()),
            *(_route(desk, path, handler, "POST") for path, handler in _POST.items()),
            *(_route(desk, path, handler, "PATCH") for path, handler in _PATCH.items()),
            Route(f"{_PROXY}artifacts/{{path:path}}", _proxy(desk), methods=["GET", "PUT"]),
            *(
                Route(f"{place}{{path:path}}", _other, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
                for place in self.claims
            ),
        ]


def _route(desk: Desk, path: str, handler: Handler, method: str) -> Route:
    async def answer(request: Request) -> Response:
        try:
            found = await handler(desk, await Given.of(request))
        except ClientDisconnect:
            raise
        except Exception as error:
            return shown(error)
        return Response(orjson.dumps(found), media_type="application/json", headers={SERVED_BY: "mlflow"})

    return Route(path, answer, methods=[method])


def _proxy(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await artifacts.proxy(desk, request)
        except ClientDisconnect:
            raise
        except Exception as error:
            return shown(error)

    return answer


async def _other(request: Request) -> Response:
    return unknown(request.url.path)


receiver = MlflowReceiver()
