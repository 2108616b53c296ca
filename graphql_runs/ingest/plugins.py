"""Finding the installed plugins. One that cannot be loaded is reported and leaves the others alone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import overload

from pydantic import BaseModel

from graphql_runs.ingest.api import GROUP, Ingester, Stability
from graphql_runs.ingest.receiver import RECEIVERS, Receiver
from graphql_runs.model.source import PluginReport

log = logging.getLogger(__name__)

RESERVED = "folder"
"""The name under which the host itself speaks of a source."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry point and what came of it: `ingester` is None when `report.error` is set."""

    report: PluginReport
    ingester: Ingester | None = None


@dataclass(frozen=True, slots=True)
class FoundReceiver:
    """The entry point of a receiver and what came of it: `receiver` is None when `report.error` is set."""

    report: PluginReport
    receiver: Receiver | None = None


def find_plugins(allowed: Collection[str] | None = None) -> list[Found]:
    """Load every installed plugin, or those named, by the order in which they choose their files. Imports them, so call it
    late. A name that is not installed is reported like a plugin that does not load."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    spoken_to = {point.name for point in entry_points(group=RECEIVERS)} - points.keys()
    names = sorted(points) if allowed is None else list(dict.fromkeys(allowed))
    names = [name for name in names if name not in spoken_to]
    found = [_load(points[name]) if name in points else _missing(name) for name in names]
    return sorted(found, key=lambda one: -one.ingester.precedence if one.ingester else 1)


def find_receivers(allowed: Collection[str] | None = None) -> list[FoundReceiver]:
    """Load the receivers of every installed plugin, or of those named."""
    points = sorted(entry_points(group=RECEIVERS), key=lambda point: point.name)
    return [_load_receiver(point) for point in points if allowed is None or point.name in allowed]


class Plugins(Sequence[Ingester]):
    """The plugins that can be used, by precedence; `reports` has those that cannot, too."""

    def __init__(self, found: Iterable[Found]) -> None:
        known = list(found)
        self._usable = tuple(one.ingester for one in known if one.ingester is not None)
        self.reports = tuple(one.report for one in known)

    @overload
    def __getitem__(self, index: int) -> Ingester: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Ingester, ...]: ...
    def __getitem__(self, index: int | slice) -> Ingester | tuple[Ingester, ...]:
        return self._usable[index]

    def __len__(self) -> int:
        return len(self._usable)


def load_plugins(allowed: Collection[str] | None = None) -> Plugins:
    """`find_plugins` for a host. Those that cannot be used are logged."""
    plugins = Plugins(find_plugins(allowed))
    for report in plugins.reports:
        if report.error is not None:
            log.error(
                "a plugin cannot be used: plugin %s, package %s, error %s",
                report.name,
                report.package,
                report.error,
            )
    return plugins


def report_of(ingester: Ingester) -> PluginReport:
    """What there is to say of a plugin that was handed over without its package."""
    return PluginReport(ingester.name, "", "", ingester.description, str(ingester.stability))


def _load(point: EntryPoint) -> Found:
    package = point.dist.name if point.dist else point.module
    version = point.dist.version if point.dist else "unknown"
    try:
        ingester = point.load()
        problem = _problem(point.name, ingester)
    except Exception as error:
        # Whatever a foreign package does at import must not stop the server.
        log.debug("a plugin does not load: plugin %s", point.name, exc_info=True)
        problem = f"{type(error).__name__}: {error}"
        ingester = None
    if problem is not None:
        return Found(PluginReport(point.name, package, version, error=problem))
    return Found(
        PluginReport(point.name, package, version, ingester.description, str(ingester.stability)), ingester
    )


def _load_receiver(point: EntryPoint) -> FoundReceiver:
    package = point.dist.name if point.dist else point.module
    version = point.dist.version if point.dist else "unknown"
    try:
        receiver: Receiver = point.load()
        report = PluginReport(
            receiver.name, package, version, receiver.description, str(Stability(receiver.stability))
        )
        return FoundReceiver(report, receiver)
    except Exception as error:
        # Whatever a foreign package does at import must not stop the server.
        log.debug("a receiver does not load: plugin %s", point.name, exc_info=True)
        return FoundReceiver(
            PluginReport(point.name, package, version, error=f"{type(error).__name__}: {error}")
        )


def _problem(name: str, ingester: object) -> str | None:
    """What keeps an object from being a plugin, or None."""
    kinds = {"name": str, "description": str, "stability": Stability, "precedence": int}
    for attribute, kind in kinds.items():
        value = getattr(ingester, attribute, None)
        if not isinstance(value, kind):
            return f"{attribute} is not a {kind.__name__}: {value!r}"
    for method in ("runs", "units", "read"):
        if not callable(getattr(ingester, method, None)):
            return f"it has no method {method}"
    config = getattr(ingester, "config", None)
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        return "config is not a pydantic model"
    own = getattr(ingester, "name", None)
    if own != name:
        return f"its name is {own!r}, its entry point's {name!r}"
    return f"the name {RESERVED!r} is the host's own" if own == RESERVED else None


def _missing(name: str) -> Found:
    return Found(PluginReport(name, "", "", error="it is not installed"))
