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
from graphql_runs.ingest.host import Host, RemoteConfig, SourceConfig, load_plugins
from graphql_runs.ingest.receiver import Desk
from graphql_runs.live.hub import Hub
from graphql_runs.model.errors import InvalidInput, RunsError
from graphql_runs.read.where import Bounds
from graphql_runs.record.compaction import Compactor, Merging
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.recorder import Recorder
from graphql_runs.record.retention import Keeping, Retention
from graphql_runs.record.uniting import Uniting
from graphql_runs.schema.build import build_schema
from graphql_runs.schema.context import Context
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.schema import RunsSchema
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.auth import guarded, read_tokens
from graphql_runs.server.documents import Documents, load_documents
from graphql_runs.server.endpoint import Endpoint
from graphql_runs.server.files import Files
from graphql_runs.server.limits import BodyLimit
from graphql_runs.server.operations import Operations
from graphql_runs.server.pages import GRAPHIQL, page_routes
from graphql_runs.server.receiving import StoreReading, StoreRecording, load_receivers
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
    retention: Retention
    uniting: Uniting
    host: Host


def build_rooms(store: Store, settings: Settings, sources: Sequence[SourceConfig | RemoteConfig]) -> Rooms:
    """All rooms over an open store; nothing is started yet. Raises InvalidInput for sources that cannot be as they are given."""
    recorder = Recorder(store, record_limits(settings))
    host = Host(
        recorder,
        load_plugins(settings.plugins),
        sources,
        limits=ingest_limits(settings),
        poll_seconds=settings.ingest_poll_seconds,
    )
    readable(host)
    return Rooms(
        store=store,
        recorder=recorder,
        hub=Hub(store),
        compactor=Compactor(store, Merging(items=settings.compact_items, pause=settings.compact_seconds)),
        retention=Retention(store, recorder, keeping(settings)),
        uniting=Uniting(store, recorder.uniter),
        host=host,
    )


def readable(host: Host) -> None:
    """Raises InvalidInput when sources of a host cannot be read as they are given: unknown plugins, settings or addresses."""
    if host.wrong:
        raise InvalidInput(
            "\n".join(f"source {report.name} ({report.uri}): {report.last_error}" for report in host.wrong),
            field="sources",
        )


def build_application(rooms: Rooms, settings: Settings) -> Starlette:
    """The ASGI application; its lifespan starts the rooms and, at the end, closes them and the store."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        rooms.compactor.start()
        rooms.retention.start()
        rooms.uniting.start()
        await rooms.host.start()
        try:
            yield
        finally:
            await rooms.hub.close()
            await rooms.host.close()
            await rooms.uniting.close()
            await rooms.retention.close()
            await rooms.compactor.close()
            await rooms.recorder.close()
            await rooms.store.close()

    tokens = read_tokens(settings)
    limits = schema_limits(settings)
    ours = version("graphql-runs")
    files = Files(rooms.store, rooms.recorder, settings.upload_bytes)
    received = load_receivers(desk(rooms, files, settings), settings.upload_bytes, settings.plugins)

    def context(viewer: Viewer) -> Context:
        return Context(
            store=rooms.store,
            recorder=rooms.recorder,
            hub=rooms.hub,
            sources=rooms.host.reports,
            plugins=(*rooms.host.plugins, *received.reports),
            limits=limits,
            version=ours,
            url=tokens.link,
            viewer=viewer,
        )

    schema = build_schema(limits)
    operations = Operations(schema, context, rooms.hub, settings.request_seconds)
    endpoint = Endpoint(operations, read_documents(schema, settings), tokens, rooms.hub, settings, GRAPHIQL)
    # Whoever makes a browser take its own host name for this server's has no token; without one, host names are all there is.
    hosts = (
        ["*"]
        if (settings.allow_remote or tokens.wanted) and not settings.allowed_hosts
        else [*LOOPBACK, settings.host, *settings.allowed_hosts]
    )
    return Starlette(
        routes=[
            Route("/graphql", endpoint, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", endpoint),
            Route("/healthz", _healthy),
            *guarded(
                [
                    Route("/readyz", _ready(rooms.store)),
                    *files.routes(),
                    *received.routes,
                ],
                tokens,
            ),
            *page_routes(),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(BodyLimit, limit=settings.request_bytes),
        ],
        lifespan=lifespan,
    )


def desk(rooms: Rooms, files: Files, settings: Settings) -> Desk:
    """What receivers get."""
    bounds = Bounds(
        settings.filter_text,
        settings.filter_depth,
        settings.filter_conditions,
        settings.filter_list,
        settings.filter_regex,
    )
    return Desk(
        recording=StoreRecording(rooms.store, rooms.recorder, record_limits(settings)),
        reading=StoreReading(rooms.store, bounds),
        outputs=files,
        workspace=settings.workspace,
        limits=ingest_limits(settings),
        body_bytes=settings.request_bytes,
    )


def read_documents(schema: RunsSchema, settings: Settings) -> Documents:
    """The trusted documents that the settings name. Raises InvalidInput naming the file that is wrong."""
    if settings.trusted_documents is None:
        if settings.trusted_documents_only:
            raise InvalidInput(
                "trusted_documents_only needs trusted_documents", field="trusted_documents_only"
            )
        return Documents()
    return load_documents(
        settings.trusted_documents, only=settings.trusted_documents_only, check=schema.problems
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
        payload_bytes=settings.record_payload_bytes,
        operations=settings.record_operations,
        columns=settings.record_columns,
        evidence=settings.record_evidence,
        queue=settings.record_queue,
    )


def ingest_limits(settings: Settings) -> IngestLimits:
    """The bounds of what plugins read that the settings name."""
    return IngestLimits(
        line_bytes=settings.ingest_line_bytes,
        delivery_bytes=settings.ingest_delivery_bytes,
        json_bytes=settings.ingest_json_bytes,
        metrics_per_run=settings.ingest_metrics_per_run,
        name_bytes=settings.record_name_bytes,
        files=settings.ingest_files,
        depth=settings.ingest_depth,
    )


def keeping(settings: Settings) -> Keeping:
    """How long what is kept, by the settings."""
    return Keeping(
        trash_days=settings.trash_days,
        retain_days=settings.retain_days,
        journal_entries=settings.journal_entries,
        journal_days=settings.journal_days,
        blob_days=settings.blob_days,
        pause=settings.retention_seconds,
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
        search_seconds=settings.search_seconds,
        points=settings.series_points,
        rows=settings.page_rows,
        ids=settings.ids,
        table_rows=settings.table_rows,
        table_columns=settings.table_columns,
        group_runs=settings.group_runs,
        compare_runs=settings.compare_runs,
        compare_metrics=settings.compare_metrics,
        compare_rows=settings.compare_rows,
        compare_points=settings.compare_points,
        name_records=settings.name_records,
        filter_text=settings.filter_text,
        filter_depth=settings.filter_depth,
        filter_conditions=settings.filter_conditions,
        filter_list=settings.filter_list,
        filter_regex=settings.filter_regex,
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
