"""Receivers: finding them, giving them what they need, and guarding their routes."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin

from graphql_runs.ingest.plugins import find_receivers
from graphql_runs.ingest.receiver import Desk, Receiver
from graphql_runs.ingest.writer import Acknowledged, Position
from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, RunsError
from graphql_runs.model.filter import Key, Order, RunFilter
from graphql_runs.model.operation import DescribeCluster, RunOperation
from graphql_runs.model.points import Points
from graphql_runs.model.records import Artifact, Experiment, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.source import PluginReport
from graphql_runs.model.time import now
from graphql_runs.read import records
from graphql_runs.read.points import read_points
from graphql_runs.read.where import Bounds, parse
from graphql_runs.record.experiment import tag_experiment
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.errors import answer
from graphql_runs.server.files import failure
from graphql_runs.server.limits import BodyLimit
from graphql_runs.store.port import Store

log = logging.getLogger(__name__)


class StoreRecording:
    """`ingest.receiver.Recording` over the recorder."""

    def __init__(self, store: Store, recorder: Recorder, limits: RecordLimits) -> None:
        self._store = store
        self._recorder = recorder
        self._limits = limits

    async def record(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
    ) -> Acknowledged:
        """See `Recorder.record`."""
        return await self._recorder.record(workspace, operations, writer=writer, sequence=sequence, note=note)

    async def position(self, workspace: str, root_run_id: str, writer: str) -> Position | None:
        """See `Recorder.position`."""
        return await self._recorder.position(workspace, root_run_id, writer)

    async def describe_cluster(self, workspace: str, cluster: DescribeCluster) -> object:
        """See `Recorder.describe_cluster`."""
        return await self._recorder.describe_cluster(workspace, cluster)

    async def create_experiment(
        self, workspace: str, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """See `Recorder.create_experiment`."""
        return await self._recorder.create_experiment(workspace, name, description, tags)

    async def tag_experiment(
        self, experiment: str, tags: Mapping[str, str], remove: Sequence[str] = ()
    ) -> Experiment:
        """See `record.experiment.tag_experiment`."""
        return await tag_experiment(self._store, experiment, tags, remove, self._limits)


class StoreReading:
    """`ingest.receiver.Reading` over a store."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    async def find_run(self, workspace: str, id: str) -> Run | None:
        """The run of a producer's or the server's id."""
        return await records.find_run(self._store, id, workspace)

    async def runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None, first: int
    ) -> list[tuple[Run, Key]]:
        """A page of runs."""
        found = await records.page_runs(self._store, where, order, after=after, first=first)
        return [(one.run, one.key) for one in found]

    def condition(self, text: str) -> RunFilter | None:
        """The conditions of a text."""
        return parse(text, now(), self._bounds)

    async def experiments(self, ids: Sequence[str]) -> list[Experiment | None]:
        """Experiments by id."""
        return await records.get(self._store, Experiment, ids)

    async def experiments_of(self, workspace: str, *, after: str | None, first: int) -> list[Experiment]:
        """A page of experiments."""
        home = ids.workspace_id(workspace)
        return await records.page(self._store, Experiment, home, after=after, first=first)

    async def metrics(self, ids: Sequence[str]) -> list[Metric | None]:
        """Metrics by id."""
        return await records.get(self._store, Metric, ids)

    async def metrics_of(self, run: str) -> list[Metric]:
        """All metrics of a run."""
        return await records.every(self._store, Metric, run)

    async def points(self, metric: str, start: int, end: int) -> Points:
        """Rows of a metric."""
        return await read_points(self._store, metric, start, end)

    async def artifacts_of(self, run: str, prefix: str) -> list[Artifact]:
        """Outputs of a run."""
        found = await records.every(self._store, Artifact, run)
        return [one for one in found if one.path.startswith(prefix)]


@dataclass(frozen=True, slots=True)
class Received:
    """The routes of all receivers, and what there is to say of each."""

    routes: tuple[Route, ...]
    reports: tuple[PluginReport, ...]


def load_receivers(desk: Desk, upload_bytes: int, allowed: Collection[str] | None = None) -> Received:
    """Load the receivers of every installed plugin, or of those named. One that cannot be used is logged and reported."""
    routes: list[Route] = []
    reports = []
    for one in find_receivers(allowed):
        report = one.report
        if one.plugin is not None:
            try:
                found = _routes(one.plugin, desk, routes)
            except Exception as error:
                # Whatever a foreign package does must not stop the server.
                report = replace(
                    report, description=None, stability=None, error=f"{type(error).__name__}: {error}"
                )
            else:
                for route in found:
                    route.app = Doorkeeper(BodyLimit(route.app, upload_bytes, ("PUT",)))
                routes += found
        if report.error is not None:
            log.error(
                "a receiver cannot be used: plugin %s, package %s, error %s",
                report.name,
                report.package,
                report.error,
            )
        reports.append(report)
    return Received(tuple(routes), tuple(reports))


def _routes(receiver: Receiver, desk: Desk, before: Sequence[Route]) -> list[Route]:
    """The routes of a receiver. Raises InvalidInput when they are not its own."""
    found = list(receiver.routes(desk))
    places = (f"/ingest/{receiver.name}/", *receiver.claims)
    if not all(place.startswith("/") and place.count("/") > 2 for place in places):
        raise InvalidInput(f"a claim is a path of two parts and more, with a slash at its end: {places}")
    taken = {(route.path, method) for route in before for method in route.methods or ()}
    for route in found:
        if not f"{route.path}/".startswith(places):
            raise InvalidInput(f"the route {route.path} is not below {', '.join(places)}")
        if clash := taken & {(route.path, method) for method in route.methods or ()}:
            raise InvalidInput(f"another receiver has the route {sorted(clash)[0][0]}")
    return found


class Doorkeeper:
    """ASGI middleware around a receiver's route: keeps web pages of other origins out, and masks what it raises."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        # A browser asks nobody before it posts a form or a text anywhere.
        if origin is not None and not is_same_origin(origin, headers.get(b"host")):
            error = InvalidInput("requests of web pages of another origin are not taken", field="origin")
            await JSONResponse(answer(error), 403)(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return
        except RunsError as error:
            if begun:
                raise
            await failure(error)(scope, receive, send)
        except Exception:
            id = secrets.token_hex(8)
            log.exception("a receiver failed: id %s, path %s", id, scope["path"])
            if begun:
                raise
            masked = {"message": f"internal error {id}", "extensions": {"code": "INTERNAL", "id": id}}
            await JSONResponse({"errors": [masked]}, 500)(scope, receive, send)
