"""What people see of the sources that runs are read from, and of the plugins that read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from graphql_runs.model.ids import source_id
from graphql_runs.model.time import Micros


class SourceState(StrEnum):
    """How far the reading of a source has come.

    STARTING:  nothing was looked at yet.
    SCANNING:  what is there is being read.
    FOLLOWING: everything there was is read; changes are taken as they happen.
    RETRYING:  a passing trouble (the store, the file system) is being waited out; nothing is lost.
    FAILED:    nothing of it can be read until something changes; `last_error` says why. One file among others that cannot be
               read shows in `last_error` only.
    STOPPED:   the server stopped reading.
    """

    STARTING = "STARTING"
    SCANNING = "SCANNING"
    FOLLOWING = "FOLLOWING"
    RETRYING = "RETRYING"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class SkippedInput:
    """Input that was left out, and why. `path` is relative to the source; `line` counts from 1."""

    path: str
    reason: str
    line: int | None = None
    at: Micros | None = None

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source as one plugin reads it, at this moment.

    The walk through the source has a report of its own under the plugin name `folder`; the other reports are of the
    plugins that found something there. Counts are of everything that was read from the source since it was first seen,
    restarts included: `points` counts values and rows, `lines` line feeds of text. `skipped` holds the newest inputs that
    were left out, the newest last; `skipped_total` counts all of them.
    """

    uri: str
    name: str
    workspace: str
    plugin: str
    state: SourceState
    last_error: str | None = None
    last_read_at: Micros | None = None
    runs: int = 0
    files: int = 0
    points: int = 0
    lines: int = 0
    skipped: tuple[SkippedInput, ...] = ()
    skipped_total: int = 0

    @property
    def id(self) -> str:
        """The server's id of this source and plugin."""
        return source_id(f"{self.uri}#{self.plugin}")


class PluginKind(StrEnum):
    """What a plugin does.

    INGESTER: reads files, and follows them.
    REMOTE:   asks something that has an address, again and again.
    RECEIVER: is spoken to over HTTP.
    """

    INGESTER = "INGESTER"
    REMOTE = "REMOTE"
    RECEIVER = "RECEIVER"


@dataclass(frozen=True, slots=True)
class PluginReport:
    """A plugin that is installed; a package may have one of each kind. `error` says why it cannot be used; it has neither stability nor description then."""

    name: str
    kind: PluginKind
    package: str
    version: str
    description: str | None = None
    stability: str | None = None
    error: str | None = None
