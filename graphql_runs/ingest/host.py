"""The host: follows sources, lets plugins read them, and says how that goes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import BaseModel, ValidationError

from graphql_runs.ingest.api import IDLE_SECONDS, Ingester, Limits
from graphql_runs.ingest.jobs import Shared
from graphql_runs.ingest.plugins import Plugins, load_plugins, report_of
from graphql_runs.ingest.report import reports_of
from graphql_runs.ingest.source import Source, SourceConfig
from graphql_runs.ingest.work import Work
from graphql_runs.ingest.writer import Records
from graphql_runs.model.source import PluginReport, SourceReport, SourceState

__all__ = ["Host", "SourceConfig", "load_plugins"]

log = logging.getLogger(__name__)

_DEFAULT = Limits()
_WORKERS = 8
_READERS = 4
_LOOKERS = 8
_CLOSE_SECONDS = 0.8


class Host:
    """Follows sources from `start` to `close`. Whatever goes wrong with a plugin, a file or a source is shown by `reports`
    and leaves everything else alone."""

    def __init__(
        self,
        records: Records,
        plugins: Sequence[Ingester],
        sources: Sequence[SourceConfig],
        limits: Limits = _DEFAULT,
        *,
        poll_seconds: float = 2.0,
        idle_seconds: float = IDLE_SECONDS,
        final: bool = False,
    ) -> None:
        """`final`: what is there is read once, by `ingest.once`, and nobody waits for files to grow."""
        self._records = records
        self._usable = sorted(plugins, key=lambda plugin: (-plugin.precedence, plugin.name))
        self._reports = plugins.reports if isinstance(plugins, Plugins) else tuple(map(report_of, plugins))
        self._configs = sources
        self._limits = limits
        self._poll_seconds = poll_seconds
        self._idle_seconds = idle_seconds
        self._final = final
        self._sources: list[Source] = []
        self._wrong: list[SourceReport] = []
        self._shared: Shared | None = None
        self._closed = False

    @property
    def plugins(self) -> Sequence[PluginReport]:
        """What is installed, and whether it can be used."""
        return self._reports

    async def start(self) -> None:
        """Begin to follow; returns at once."""
        shared = Shared(
            records=self._records,
            work=Work(_WORKERS),
            readers=ThreadPoolExecutor(_READERS, "ingest-read"),
            lookers=ThreadPoolExecutor(min(_LOOKERS, len(self._configs) + 1), "ingest-look"),
            idle_seconds=self._idle_seconds,
            owners={},
            final=self._final,
        )
        self._shared = shared
        shared.work.start()
        for config in self._configs:
            plugins = self._allowed(config)
            self._sources.append(Source(config, plugins, shared, self._limits, self._poll_seconds))
        for source in self._sources:
            source.start()

    async def close(self) -> None:
        """Stop within about a second, in the middle of files too. What was read and not written yet is read again at the
        next start."""
        shared, self._shared = self._shared, None
        if shared is None:
            return
        self._closed = True
        shared.work.stopping = True
        for source in self._sources:
            source.follower.stop()
        await shared.work.close(_CLOSE_SECONDS)
        for source in self._sources:
            await source.close(_CLOSE_SECONDS / 4)
        shared.readers.shutdown(wait=False, cancel_futures=True)
        shared.lookers.shutdown(wait=False, cancel_futures=True)

    @property
    def sources(self) -> Sequence[Source]:
        """What is followed, from `start` on."""
        return self._sources

    def reports(self) -> list[SourceReport]:
        """How every source stands now: the source itself under the plugin name `folder`, then each plugin that has
        something to do or to say there."""
        found = [report for source in self._sources for report in reports_of(source, stopped=self._closed)]
        return found + self._wrong

    def _allowed(self, config: SourceConfig) -> dict[str, tuple[Ingester, BaseModel]]:
        """The plugins that may read a source, with their settings. Wrong settings keep a plugin away, visibly."""
        known = {plugin.name: plugin for plugin in self._usable}
        names = list(known) if config.plugins is None else [name for name in known if name in config.plugins]
        allowed: dict[str, tuple[Ingester, BaseModel]] = {}
        for name in names:
            try:
                allowed[name] = (known[name], known[name].config(**config.config.get(name, {})))
            except ValidationError as error:
                reasons = "; ".join(
                    f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
                )
                self._refuse(config, name, f"its settings are wrong: {reasons}")
        for name in {*(config.plugins or ()), *config.config} - known.keys():
            self._refuse(config, name, "no plugin of this name can be used")
        return allowed

    def _refuse(self, config: SourceConfig, plugin: str, reason: str) -> None:
        log.error(
            "a plugin does not read a source: plugin %s, source %s, reason %s", plugin, config.path, reason
        )
        self._wrong.append(
            SourceReport(
                os.fspath(config.path),
                config.name,
                config.workspace,
                plugin,
                SourceState.FAILED,
                f"{plugin}: {reason}",
            )
        )
