"""Running the server: one process, until a signal says stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn

from graphql_runs.ingest.host import RemoteConfig, SourceConfig
from graphql_runs.live.hub import Hub
from graphql_runs.model.errors import InvalidInput
from graphql_runs.server.application import LOOPBACK, build_application, build_rooms
from graphql_runs.server.auth import read_tokens
from graphql_runs.server.opening import open_store
from graphql_runs.server.settings import ENV_PREFIX, Settings


class _Server(uvicorn.Server):
    """uvicorn waits for open sockets before it ends the lifespan, so followers are told to stop when the signal comes."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._closing: asyncio.Task[None] | None = None
        self.announce: Callable[[], None] = lambda: None
        """Called once the server answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, this does not raise the signal again at the end: being told to stop and stopping cleanly is
        success, and what comes after the server (the demo's training) has still to be stopped."""
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._close_hub)

    def _close_hub(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._hub.close())


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises InvalidInput naming host and port when the address cannot be taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise InvalidInput(
            f"cannot listen on {host}:{port}: {error.strerror}; --port takes another one", field="port"
        ) from error
    return found


async def serve(
    settings: Settings, sources: Sequence[SourceConfig | RemoteConfig], started: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM. `started` is called with the server's address once it answers."""
    if settings.host not in LOOPBACK and not settings.allow_remote and not read_tokens(settings).wanted:
        raise InvalidInput(
            f"host {settings.host!r} is not loopback, and everybody who reaches it could read and write: set "
            f"{ENV_PREFIX}TOKEN or {ENV_PREFIX}TOKEN_FILE; {ENV_PREFIX}ALLOW_REMOTE=true goes without",
            field="token",
        )
    # Before the store, so that a second server on the port touches nothing.
    with listen(settings.host, settings.port) as bound:
        await _serve_on(bound, settings, sources, started)


async def _serve_on(
    bound: socket.socket,
    settings: Settings,
    sources: Sequence[SourceConfig | RemoteConfig],
    started: Callable[[str], None],
) -> None:
    store = await open_store(settings.store)
    rooms = build_rooms(store, settings, sources)
    config = uvicorn.Config(
        build_application(rooms, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=settings.message_bytes,
        ws_ping_interval=settings.ping_seconds,
        ws_ping_timeout=settings.ping_seconds,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
    )
    server = _Server(config, rooms.hub)
    port = bound.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    server.announce = lambda: started(f"http://{host}:{port}")
    await server.serve([bound])
