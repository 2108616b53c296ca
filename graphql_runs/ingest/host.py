"""The host: follows sources, lets plugins read them, and says how that goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError

from graphql_runs.ingest.api import IDLE_SECONDS, Ingester, Limits
from graphql_runs.ingest.jobs import Owners, Shared
from graphql_runs.ingest.plugins import RESERVED, Plugins, load_plugins, report_of
from graphql_runs.ingest.remote import Remote
from graphql_runs.ingest.remote_source import Asked, RemoteConfig, RemoteSource
from graphql_runs.ingest.report import reports_of
from graphql_runs.ingest.source import Source, SourceConfig
from graphql_runs.ingest.threads import Threads
from graphql_runs.ingest.work import Work
from graphql_runs.ingest.writer import Records
from graphql_runs.model.source import PluginKind, PluginReport, SourceReport, SourceState

__all__ = ["Host", "RemoteConfig", "SourceConfig", "load_plugins"]

log = logging.getLogger(__name__)

_DEFAULT = Limits()
_WORKERS = 8
_READERS = 4
_LOOKERS = 2
_CLOSE_SECONDS = 0.8


class Host:
    """Follows sources from `start` to `close`. Whatever goes wrong with a plugin, a file or a source is shown by `reports`
    and leaves everything else alone."""

    def __init__(
        self,
        records: Records,
        plugins: Sequence[Ingester],
        sources: Sequence[SourceConfig | RemoteConfig],
        limits: Limits = _DEFAULT,
        *,
        remotes: Sequence[Remote] = (),
        poll_seconds: float = 2.0,
        idle_seconds: float = IDLE_SECONDS,
        final: bool = False,
    ) -> None:
        """`remotes` are those of `plugins` if `load_plugins` gave them. `final`: what is there is read once, by
        `ingest.once`, and nobody waits for it to grow."""
        self._records = records
        self._usable = sorted(plugins, key=lambda plugin: (-plugin.precedence, plugin.name))
        self._remotes = plugins.remotes if isinstance(plugins, Plugins) else remotes
        self._reports = (
            plugins.reports
            if isinstance(plugins, Plugins)
            else (
                *(report_of(plugin, PluginKind.INGESTER) for plugin in plugins),
                *(report_of(remote, PluginKind.REMOTE) for remote in remotes),
            )
        )
        self._limits = limits
        self._poll_seconds = poll_seconds
        self._idle_seconds = idle_seconds
        self._final = final
        self._sources: list[Source | RemoteSource] = []
        self._wrong: list[SourceReport] = []
        self._shares: list[Shared] = []
        self._closed = False
        self._folders = [(one, self._allowed(one)) for one in sources if isinstance(one, SourceConfig)]
        self._addresses = [
            (one, found)
            for one in sources
            if isinstance(one, RemoteConfig) and (found := self._remote(one)) is not None
        ]

    @property
    def plugins(self) -> Sequence[PluginReport]:
        """What is installed, and whether it can be used."""
        return self._reports

    @property
    def wrong(self) -> Sequence[SourceReport]:
        """What cannot be read as it is configured: names of plugins that are not there, wrong settings, unknown addresses."""
        return self._wrong

    async def start(self) -> None:
        """Begin to follow; returns at once."""
        owners = Owners()
        for config, plugins in self._folders:
            shared = self._share(owners)
            self._sources.append(Source(config, plugins, shared, self._limits, self._poll_seconds))
        for address, asked in self._addresses:
            self._sources.append(RemoteSource(address, asked, self._share(owners), self._limits))
        for source in self._sources:
            source.start()

    async def close(self) -> None:
        """Stop within about a second, in the middle of files too. What was read and not written yet is read again at the
        next start."""
        self._closed = True
        shares, self._shares = self._shares, []
        for shared in shares:
            shared.work.stopping = True
        for source in self._sources:
            source.stop()
        await asyncio.gather(*(shared.work.close(_CLOSE_SECONDS) for shared in shares))
        await asyncio.gather(*(source.close(_CLOSE_SECONDS / 4) for source in self._sources))
        for shared in shares:
            shared.readers.shutdown(wait=False, cancel_futures=True)
            shared.lookers.shutdown(wait=False, cancel_futures=True)

    @property
    def sources(self) -> Sequence[Source | RemoteSource]:
        """What is followed, from `start` on."""
        return self._sources

    def reports(self) -> list[SourceReport]:
        """How every source stands now: the source itself under the plugin name `folder`, then each plugin that has
        something to do or to say there."""
        found = [report for source in self._sources for report in reports_of(source, stopped=self._closed)]
        return found + self._wrong

    def _share(self, owners: Owners) -> Shared:
        """Workers and threads of one source, so that a file system or service that does not answer holds up nobody else."""
        shared = Shared(
            records=self._records,
            work=Work(_WORKERS),
            readers=Threads(_READERS, "ingest-read"),
            lookers=Threads(_LOOKERS, "ingest-look"),
            idle_seconds=self._idle_seconds,
            owners=owners,
            final=self._final,
        )
        shared.work.start()
        self._shares.append(shared)
        return shared

    def _allowed(self, config: SourceConfig) -> dict[str, tuple[Ingester, BaseModel]]:
        """The plugins that may read a source, with their settings. Wrong settings keep a plugin away, visibly."""
        known = {plugin.name: plugin for plugin in self._usable}
        names = list(known) if config.plugins is None else [name for name in known if name in config.plugins]
        allowed: dict[str, tuple[Ingester, BaseModel]] = {}
        for name in names:
            plugin = known[name]
            settings = self._settings(config, name, plugin.config, config.config.get(name, {}))
            if settings is not None:
                allowed[name] = (plugin, settings)
        for name in {*(config.plugins or ()), *config.config} - known.keys():
            self._refuse(config, name, "no plugin of this name can be used")
        return allowed

    def _remote(self, config: RemoteConfig) -> Asked | None:
        """The plugin that takes an address, connected."""
        scheme = config.address.partition(":")[0]
        for remote in self._remotes:
            if scheme in remote.schemes:
                for name in config.config.keys() - {remote.name}:
                    self._refuse(
                        config, name, f"settings for another plugin than {remote.name}, which is asked here"
                    )
                settings = self._settings(
                    config, remote.name, remote.config, config.config.get(remote.name, {})
                )
                return None if settings is None else self._connected(remote, config, settings)
        known = sorted(scheme for remote in self._remotes for scheme in remote.schemes)
        self._refuse(
            config, RESERVED, f"no plugin takes addresses of {scheme}:, only of {', '.join(known) or 'none'}"
        )
        return None

    def _connected(self, remote: Remote, config: RemoteConfig, settings: BaseModel) -> Asked | None:
        try:
            return Asked(
                remote, settings, remote.connect(config.address, config.name, settings, self._limits)
            )
        except ValueError as error:
            self._refuse(config, remote.name, str(error))
            return None

    def _settings(
        self,
        config: SourceConfig | RemoteConfig,
        plugin: str,
        model: type[BaseModel],
        given: Mapping[str, object],
    ) -> BaseModel | None:
        try:
            return model(**given)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)
            )
            self._refuse(config, plugin, f"its settings are wrong: {reasons}")
            return None

    def _refuse(self, config: SourceConfig | RemoteConfig, plugin: str, reason: str) -> None:
        log.error(
            "a plugin does not read a source: plugin %s, source %s, reason %s", plugin, config.uri, reason
        )
        self._wrong.append(
            SourceReport(
                config.uri, config.name, config.workspace, plugin, SourceState.FAILED, f"{plugin}: {reason}"
            )
        )
