"""The composition root: every room is put together here, and taken apart in the opposite order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from graphql_runs.ingest.api import Limits as IngestLimits
from graphql_runs.ingest.host import Host, SourceConfig, load_plugins
from graphql_runs.live.hub import Hub
from graphql_runs.model.errors import RunsError
from graphql_runs.record.compaction import Compactor, Merging
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.recorder import Recorder
from graphql_runs.schema.build import build_schema
from graphql_runs.schema.context import Context
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.server.endpoint import Endpoint
from graphql_runs.server.files import Files
from graphql_runs.server.limits import BodyLimit
from graphql_runs.server.pages import GRAPHIQL, page_routes
from graphql_runs.server.settings import Settings
from graphql_runs.store.port import Store

LOOPBACK = ["127.0.0.1", "localhost", "::1", "[::1]"]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What one server process runs."""

    store: Store
    recorder: Recorder
    hub: Hub
    compactor: Compactor
    host: Host


def build_rooms(store: Store, settings: Settings, sources: Sequence[SourceConfig]) -> Rooms:
    """All rooms over an open store; nothing is started yet."""
    recorder = Recorder(store, record_limits(settings))
    limits = IngestLimits(
        line_bytes=settings.ingest_line_bytes,
        delivery_bytes=settings.ingest_delivery_bytes,
        json_bytes=settings.ingest_json_bytes,
        metrics_per_run=settings.ingest_metrics_per_run,
        name_bytes=settings.record_name_bytes,
        files=settings.ingest_files,
        depth=settings.ingest_depth,
    )
    return Rooms(
        store=store,
        recorder=recorder,
        hub=Hub(store),
        compactor=Compactor(store, Merging(items=settings.compact_items, pause=settings.compact_seconds)),
        host=Host(
            recorder,
            load_plugins(settings.plugins),
            sources,
            limits=limits,
            poll_seconds=settings.ingest_poll_seconds,
        ),
    )


def build_application(rooms: Rooms, settings: Settings) -> Starlette:
    """The ASGI application; its lifespan starts the rooms and, at the end, closes them and the store."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        rooms.compactor.start()
        await rooms.host.start()
        try:
            yield
        finally:
            await rooms.hub.close()
            await rooms.host.close()
            await rooms.compactor.close()
            await rooms.recorder.close()
            await rooms.store.close()

    limits = schema_limits(settings)
    ours = version("graphql-runs")

    def context() -> Context:
        return Context(
            store=rooms.store,
            recorder=rooms.recorder,
            hub=rooms.hub,
            sources=rooms.host.reports,
            plugins=rooms.host.plugins,
            limits=limits,
            version=ours,
        )

    endpoint = Endpoint(build_schema(limits), settings, context, GRAPHIQL)
    hosts = (
        ["*"]
        if settings.allow_remote and not settings.allowed_hosts
        else [*LOOPBACK, settings.host, *settings.allowed_hosts]
    )
    return Starlette(
        routes=[
            Route("/graphql", endpoint, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", endpoint),
            Route("/healthz", _healthy),
            Route("/readyz", _ready(rooms.store)),
            *Files(rooms.store, rooms.recorder, settings.upload_bytes).routes(),
            *page_routes(),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(BodyLimit, limit=settings.request_bytes),
        ],
        lifespan=lifespan,
    )


def record_limits(settings: Settings) -> RecordLimits:
    """The bounds of writes that the settings name."""
    return RecordLimits(
        name_bytes=settings.record_name_bytes,
        path_bytes=settings.record_path_bytes,
        value_bytes=settings.record_value_bytes,
        keys=settings.record_keys,
        points=settings.record_points,
        text_bytes=settings.record_text_bytes,
        operations=settings.record_operations,
        columns=settings.record_columns,
        evidence=settings.record_evidence,
        queue=settings.record_queue,
    )


def schema_limits(settings: Settings) -> SchemaLimits:
    """The bounds of queries that the settings name."""
    return SchemaLimits(
        depth=settings.query_depth,
        aliases=settings.query_aliases,
        tokens=settings.query_tokens,
        cost=settings.query_cost,
        page=settings.page,
        lines=settings.page_lines,
        points=settings.series_points,
        rows=settings.page_rows,
        ids=settings.ids,
    )


async def _healthy(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def _ready(store: Store) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def ready(request: Request) -> JSONResponse:
        try:
            await store.check()
        except RunsError as error:
            return JSONResponse({"status": "unavailable", "error": error.message}, 503)
        return JSONResponse({"status": "ok", "store": store.capabilities.name})

    return ready
