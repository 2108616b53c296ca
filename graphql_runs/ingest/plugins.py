"""Finding the installed plugins. One that cannot be loaded is reported and leaves the others alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel

from graphql_runs.ingest.api import GROUP, Ingester, Stability
from graphql_runs.ingest.receiver import RECEIVERS, Receiver
from graphql_runs.ingest.remote import REMOTES, Remote
from graphql_runs.model.source import PluginKind, PluginReport

log = logging.getLogger(__name__)
T = TypeVar("T", Ingester, Remote, Receiver)

RESERVED = "folder"
"""The name under which the host itself speaks of a source."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """An entry point and what came of it: `plugin` is None when `report.error` is set."""

    report: PluginReport
    plugin: T | None = None


def find_plugins(allowed: Collection[str] | None = None) -> list[Found[Ingester]]:
    """Load every installed ingester, or those named, by the order in which they choose their files. Imports them, so call it
    late. A name that is not installed is reported like a plugin that does not load."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    others = {point.name for group in (RECEIVERS, REMOTES) for point in entry_points(group=group)}
    names = sorted(points) if allowed is None else list(dict.fromkeys(allowed))
    found: list[Found[Ingester]] = [
        _load(points[name], PluginKind.INGESTER) if name in points else _missing(name)
        for name in names
        if name in points or name not in others
    ]
    return sorted(found, key=lambda one: -one.plugin.precedence if one.plugin else 1)


def find_receivers(allowed: Collection[str] | None = None) -> list[Found[Receiver]]:
    """Load the receivers of every installed plugin, or of those named."""
    return [_load(point, PluginKind.RECEIVER) for point in _points(RECEIVERS, allowed)]


def find_remotes(allowed: Collection[str] | None = None) -> list[Found[Remote]]:
    """Load what every installed plugin, or those named, has for sources that are addresses."""
    return [_load(point, PluginKind.REMOTE) for point in _points(REMOTES, allowed)]


class Plugins(Sequence[Ingester]):
    """The ingesters that can be used, by precedence, and the `remotes`; `reports` has those that cannot, too."""

    def __init__(self, found: Iterable[Found[Ingester]], remotes: Iterable[Found[Remote]] = ()) -> None:
        ingesters, others = list(found), list(remotes)
        self._usable = tuple(one.plugin for one in ingesters if one.plugin is not None)
        self.remotes = tuple(one.plugin for one in others if one.plugin is not None)
        self.reports = (*(one.report for one in ingesters), *(one.report for one in others))

    @overload
    def __getitem__(self, index: int) -> Ingester: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Ingester, ...]: ...
    def __getitem__(self, index: int | slice) -> Ingester | tuple[Ingester, ...]:
        return self._usable[index]

    def __len__(self) -> int:
        return len(self._usable)


def load_plugins(allowed: Collection[str] | None = None) -> Plugins:
    """`find_plugins` and `find_remotes` for a host. Those that cannot be used are logged."""
    plugins = Plugins(find_plugins(allowed), find_remotes(allowed))
    for report in plugins.reports:
        if report.error is not None:
            log.error(
                "a plugin cannot be used: plugin %s, package %s, error %s",
                report.name,
                report.package,
                report.error,
            )
    return plugins


def report_of(plugin: Ingester | Remote, kind: PluginKind) -> PluginReport:
    """What there is to say of a plugin that was handed over without its package."""
    return PluginReport(plugin.name, kind, "", "", plugin.description, str(plugin.stability))


def _points(group: str, allowed: Collection[str] | None) -> list[EntryPoint]:
    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return [point for point in points if allowed is None or point.name in allowed]


def _load(point: EntryPoint, kind: PluginKind) -> Found[Any]:
    package = point.dist.name if point.dist else point.module
    version = point.dist.version if point.dist else "unknown"
    plugin: Any = None
    try:
        plugin = point.load()
        problem = _PROBLEMS[kind](point.name, plugin)
    except Exception as error:
        # Whatever a foreign package does at import must not stop the server.
        log.debug("a plugin does not load: plugin %s", point.name, exc_info=True)
        problem = f"{type(error).__name__}: {error}"
    if problem is not None:
        return Found(PluginReport(point.name, kind, package, version, error=problem))
    report = PluginReport(plugin.name, kind, package, version, plugin.description, str(plugin.stability))
    return Found(report, plugin)


_USUAL = {"name": (str,), "description": (str,), "stability": (Stability,)}


def _no_ingester(name: str, plugin: object) -> str | None:
    """What keeps the object of an entry point from being one, or None."""
    lacks = _lacks(plugin, {"precedence": (int,)}, ("runs", "units", "read"))
    return lacks or _no_config(plugin) or _misnamed(name, plugin)


def _no_receiver(name: str, plugin: object) -> str | None:
    """Its own name is that of its paths, and need not be the plugin's."""
    return _lacks(plugin, {}, ("routes",))


def _no_remote(name: str, plugin: object) -> str | None:
    attributes = {"poll_seconds": (float, int), "schemes": (tuple, list)}
    return _lacks(plugin, attributes, ("connect",)) or _no_config(plugin) or _misnamed(name, plugin)


_PROBLEMS: Mapping[PluginKind, Callable[[str, object], str | None]] = {
    PluginKind.INGESTER: _no_ingester,
    PluginKind.REMOTE: _no_remote,
    PluginKind.RECEIVER: _no_receiver,
}


def _lacks(plugin: object, more: Mapping[str, tuple[type, ...]], methods: Sequence[str]) -> str | None:
    for attribute, kinds in {**_USUAL, **more}.items():
        value = getattr(plugin, attribute, None)
        if not isinstance(value, kinds):
            return f"{attribute} is not a {kinds[0].__name__}: {value!r}"
    for method in methods:
        if not callable(getattr(plugin, method, None)):
            return f"it has no method {method}"
    return None


def _no_config(plugin: object) -> str | None:
    config = getattr(plugin, "config", None)
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        return "config is not a pydantic model"
    return None


def _misnamed(name: str, plugin: object) -> str | None:
    own = getattr(plugin, "name", None)
    if own != name:
        return f"its name is {own!r}, its entry point's {name!r}"
    return f"the name {RESERVED!r} is the host's own" if own == RESERVED else None


def _missing(name: str) -> Found[Ingester]:
    return Found(PluginReport(name, PluginKind.INGESTER, "", "", error="it is not installed"))
