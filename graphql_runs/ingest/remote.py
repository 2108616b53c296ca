"""Sources that are no folders: something that answers when it is asked, like a tracking server or a scheduler.

A plugin for such sources is an object with the attributes and methods of `Remote`, named by an entry point of the group
`graphql_runs.remotes`. People name a source by an address whose scheme is one of the plugin's (`slurm:`,
`mlflow+https://host`). The host

1. calls `connect` once for each address;
2. calls `look` at the start and then every `poll_seconds`: it gives everything there is, a `Seen` for each unit;
3. calls `read` for every unit that is new or has another `version` than when it was last read to the end, with the checkpoint
   of its last delivery, and writes each delivery together with its checkpoint in one durable batch, as it does for files.

`look` and `read` are called in worker threads: `look` never twice at once, `read` never twice at once for one unit, but at once
for several. They have to give up by themselves when no answer comes (within a minute, say). Errors of `look` and `read`:
`OSError` is passing and tried again with growing pauses; `Unreadable` is for good until something changes (wrong credentials, a
server of another kind) and tried again every minute (`look`) or when the version changes (`read`); anything else is a bug of
the plugin, logged with its traceback and shown in the source's state. None of them stops the server or other sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from graphql_runs.ingest.api import Context, Delivery, Limits, Skipped, Stability, Unit
from graphql_runs.model.time import Micros

REMOTES = "graphql_runs.remotes"
"""The entry-point group that plugins for addresses are found by."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A unit as it was at one look.

    unit:        `files` and `watches` are empty, and a run of it is declared by its own deliveries; `hints` may carry what `look` found
                 out. `path` of its run folder is only shown to people.
    version:     a text that changes whenever there is more to read. It is not kept over restarts: then every unit is read once
                 more from its checkpoint, so put the version there too, and give nothing when it is the same.
    modified_at: when something last happened there; data from long before is no sign of life of its run.
    """

    unit: Unit
    version: str
    modified_at: Micros = 0


@dataclass(frozen=True, slots=True)
class Look:
    """Everything there is at one moment. Units that are no longer in it are not read on; what was read of them stays."""

    units: Sequence[Seen]
    skipped: Sequence[Skipped] = ()


class Connection(Protocol):
    """One address that is asked."""

    def look(self) -> Look:
        """What there is now."""
        ...

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """Deliveries from the checkpoint on (None: from the start) up to what is there now. The tree of `context` is empty."""
        ...

    def close(self) -> None:
        """Let go of what is held. Nothing else is called then."""
        ...


class Remote(Protocol):
    """A plugin. `remote` in the plugin's package is an instance of it."""

    name: str
    """Short, lower case, the entry point's name."""
    description: str
    """One sentence: what it asks, and by which address."""
    stability: Stability
    schemes: Sequence[str]
    """Schemes of the addresses it takes (`mlflow+http`); no two plugins may take the same."""
    poll_seconds: float
    """Pause between two looks, unless people say another."""
    config: type[BaseModel]
    """Its settings, all with defaults."""

    def connect(self, address: str, name: str, config: BaseModel, limits: Limits) -> Connection:
        """A connection for an address; asks and holds nothing yet. `name` is the source's. Raises ValueError for an address that it cannot be."""
        ...
